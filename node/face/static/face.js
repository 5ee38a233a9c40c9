"use strict";

// One face test: shows a prompt, sends what the camera sees of it, shows the next one.
(() => {
  const root = document.getElementById("face");
  const language = document.documentElement.lang === "ja" ? "ja" : "en";
  const [id, token] = location.hash.slice(1).split(".");
  const SIDE = 640;
  const SPACING_MS = 75;
  const MOST_FRAMES = 40;
  const STEADY_MS = 700;
  const TRIES = 4;

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  function show(step) {
    for (const section of root.querySelectorAll("[data-step]")) {
      section.hidden = section.dataset.step !== step;
      if (!section.hidden && section.tabIndex === -1 && section.hasAttribute("tabindex")) section.focus();
    }
  }

  function say(attribute, value) {
    for (const line of root.querySelectorAll("[data-say], [data-prompt]")) {
      line.hidden = line.dataset[attribute] !== value;
    }
  }

  function tell(element, text) {
    element.textContent = text;
    element.hidden = !text;
  }

  class Refusal extends Error {}

  async function call(path, body) {
    for (let tried = 1; ; tried += 1) {
      try {
        const answer = await fetch(`/challenges/${id}${path}`, {
          method: body === undefined ? "GET" : "POST",
          headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
          body: body === undefined ? undefined : JSON.stringify(body),
          credentials: "omit",
          cache: "no-store",
        });
        const content = await answer.json();
        if (answer.ok) return content;
        if (answer.status < 500) throw new Refusal(content.code);
      } catch (error) {
        if (error instanceof Refusal) throw error;
      }
      // Each window is taken once: to send it again does no harm.
      if (tried === TRIES) throw new Error("unreachable");
      await pause(300 * tried);
    }
  }

  async function openCamera() {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: SIDE }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
    const video = document.getElementById("preview");
    video.srcObject = stream;
    await video.play();
    return { stream, video };
  }

  function nextPicture(video) {
    // A picture that the camera has not renewed would be sent twice.
    if (!video.requestVideoFrameCallback) return pause(SPACING_MS);
    return Promise.race([new Promise((done) => video.requestVideoFrameCallback(done)), pause(2000)]);
  }

  function base64url(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) {
      text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    }
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  async function capture(video, forMs) {
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    const context = canvas.getContext("2d");
    const encoded = [];
    const end = performance.now() + forMs;
    let last = -SPACING_MS;
    while (performance.now() < end && encoded.length < MOST_FRAMES) {
      await nextPicture(video);
      const now = performance.now();
      if (now - last < SPACING_MS) continue;
      last = now;
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
      encoded.push({ time_ms: Math.round(now), blob });
    }
    const frames = [];
    for (const { time_ms, blob } of encoded) {
      frames.push({ time_ms, jpeg: base64url(new Uint8Array(await blob.arrayBuffer())) });
    }
    return frames;
  }

  async function run() {
    const { stream, video } = await openCamera();
    try {
      show("camera");
      say("say", "steady");
      await pause(STEADY_MS);
      let state = await call("/start", {});
      const hint = document.getElementById("hint");
      const progress = document.getElementById("progress");
      while (state.state === "prompting") {
        progress.max = state.needed;
        progress.value = state.passed;
        tell(hint, state.hint ? state.hint[language] : "");
        say("prompt", state.prompt);
        const frames = await capture(video, state.capture_ms);
        say("say", "wait");
        state = await call(`/windows/${state.window}`, { frames });
      }
      return state;
    } finally {
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
    }
  }

  function refuse(text) {
    document.getElementById("reason").textContent = text;
    show("refused");
  }

  async function begin() {
    document.getElementById("begin").disabled = true;
    try {
      const state = await run();
      if (state.state === "passed") show("passed");
      else refuse(state.hint ? state.hint[language] : "");
    } catch (error) {
      if (error instanceof Refusal) show("no-test");
      else if (error instanceof DOMException) show("no-camera");
      else refuse(root.dataset.unreachable);
    }
  }

  async function prepare() {
    if (!id || !token) return show("no-test");
    // What stands behind the number sign goes along when the language is changed.
    for (const link of document.querySelectorAll("a[hreflang]")) link.hash = location.hash;
    try {
      const state = await call("");
      if (state.state !== "waiting") return show("no-test");
    } catch (error) {
      return error instanceof Refusal ? show("no-test") : refuse(root.dataset.unreachable);
    }
    show("consent");
    document.getElementById("begin").addEventListener("click", begin);
    return undefined;
  }

  prepare();
})();
