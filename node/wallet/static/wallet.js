// What the wallet's pages do beyond HTML. Everything works without it, but by hand.
"use strict";

const PERIOD_MS = 1000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

navigator.serviceWorker?.register("/sw.js").catch(() => {});

// A job goes on: say how far, and show what came of it.
const job = document.querySelector("[data-job]");
async function follow() {
  const bar = job.querySelector("progress");
  const [text, detail, link] = ["text", "detail", "link"].map((name) => job.querySelector(`[data-job-${name}]`));
  for (;;) {
    await pause(PERIOD_MS);
    try {
      const answer = await fetch(job.dataset.job, { cache: "no-store" });
      if (!answer.ok) return location.reload();
      const state = await answer.json();
      if (state.is_over) return location.reload();
      if (text.textContent !== state.text) text.textContent = state.text;
      detail.textContent = state.detail ?? "";
      link.hidden = !state.link;
      if (state.link) link.firstElementChild.href = state.link;
      if (state.share === null) bar.removeAttribute("value");
      else bar.value = state.share;
    } catch {
      // The wallet's own process is away for a moment.
    }
  }
}
if (job) follow();

// A page that could not be shown: try again until it can.
async function retry() {
  for (;;) {
    await pause(3 * PERIOD_MS);
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.status !== 503) return location.reload();
    } catch {
      // Not yet.
    }
  }
}
if (document.querySelector("[data-retry]")) retry();

// A changed choice: let the page say what would be shown now.
const update = document.querySelector("[data-update]");
if (update) {
  update.hidden = true;
  document.querySelector("#choices").addEventListener("change", () => update.form.requestSubmit(update));
}

const print = document.querySelector("[data-print]");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
