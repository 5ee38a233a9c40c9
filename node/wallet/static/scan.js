// Looks for a QR code in what the camera sees. Pictures go to the wallet's own process, which keeps none.
"use strict";

const scanner = document.querySelector("#scanner");
const { behaviour } = scanner.dataset;
const field = document.querySelector("#link");
const csrf = document.querySelector("input[name=csrf_token]").value;
const LONG_SIDE = 800;

function grey(video, canvas) {
  const scale = Math.min(1, LONG_SIDE / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = new Uint8Array(data.length / 4);
  for (let at = 0; at < values.length; at++) {
    values[at] = (data[4 * at] * 77 + data[4 * at + 1] * 150 + data[4 * at + 2] * 29) >> 8;
  }
  return values;
}

async function scan(video, text) {
  const canvas = document.createElement("canvas");
  for (;;) {
    await new Promise((done) => setTimeout(done, 150));
    if (!video.videoWidth) continue;
    const body = grey(video, canvas);
    const answer = await fetch(`${scanner.dataset.read}?width=${canvas.width}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-CSRFToken": csrf },
      body,
    });
    if (!answer.ok) return location.reload();
    const found = (await answer.json()).text;
    if (!found || (behaviour === "adds" && field.value.includes(found))) continue;
    text.textContent = text.dataset.found;
    field.value = behaviour === "adds" ? `${field.value}${found}\n` : found;
    return;
  }
}

if (navigator.mediaDevices) {
  scanner.hidden = false;
  document.querySelector("#start-camera").addEventListener("click", async (event) => {
    const [video, text] = [document.querySelector("#camera"), document.querySelector("#scan-text")];
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      text.textContent = text.dataset.denied;
      return;
    }
    event.target.hidden = true;
    video.hidden = false;
    text.textContent = text.dataset.looking;
    await video.play();
    await scan(video, text);
    for (const track of video.srcObject.getTracks()) track.stop();
    video.hidden = true;
    event.target.hidden = behaviour !== "adds";
    if (behaviour === "sends") field.form.requestSubmit();
    else field.focus();
  });
}
