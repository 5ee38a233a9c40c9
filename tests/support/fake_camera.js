// A camera that waits to be looked at: each picture that the page asks for is the next one of a clip
// that a test has rendered, and the page's time goes on with it. So a slow machine sees the same.
(() => {
  const REST_MS = 83;
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const context = canvas.getContext("2d");
  let rest = null;
  let now = 0;
  let clip = [];
  let seen = "";
  let playing = [];

  performance.now = () => now;

  const send = window.fetch;
  window.fetch = async (...request) => {
    await window.setClock(Math.round(now));
    const answer = await send(...request);
    const { prompt } = await answer.clone().json();
    // It is rendered before the page knows the prompt: until then no time goes by.
    if (prompt) clip = await load(prompt);
    seen = "";
    return answer;
  };

  async function picture(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  }

  async function load(prompt) {
    const pictures = await window.clipFor(prompt);
    return Promise.all(pictures.map(async ([step, url]) => [step, await picture(url)]));
  }

  function takePicture() {
    const shown = document.querySelector("[data-prompt]:not([hidden])");
    const prompt = shown ? shown.dataset.prompt : "";
    if (prompt && prompt !== seen) {
      playing = clip;
      seen = prompt;
    }
    const next = playing.shift();
    if (next) {
      now += next[0];
      rest = next[1];
      context.drawImage(rest, 0, 0, canvas.width, canvas.height);
    } else {
      now += REST_MS;
      // No two pictures of a camera are the same.
      context.drawImage(rest, Math.random(), Math.random(), canvas.width, canvas.height);
    }
  }

  HTMLVideoElement.prototype.requestVideoFrameCallback = (done) => {
    takePicture();
    return setTimeout(done, 0);
  };

  // What is drawn of the video is the picture itself: on its way through the browser's pipeline a
  // slow machine would lose some, and show others twice.
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function drawImage(source, ...place) {
    return draw.call(this, source instanceof HTMLVideoElement ? canvas : source, ...place);
  };

  navigator.mediaDevices.getUserMedia = async () => {
    [[, rest]] = await load("");
    takePicture();
    return canvas.captureStream(10);
  };
})();
