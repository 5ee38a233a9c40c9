// What pages do beyond HTML: copy a link, follow progress. Everything works without it as well.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
  });
}

const RETRY_MS = 2000;

for (const list of document.querySelectorAll("[data-events]")) {
  const steps = [...list.querySelectorAll("[data-step]")];
  const text = document.querySelector("[data-progress-text]");
  const last = new Set(list.dataset.last.split(" "));
  const names = new Set([...last, ...steps.map((step) => step.dataset.step)]);
  let source = null;
  const reach = (name) => {
    const at = steps.findIndex((step) => step.dataset.step === name);
    steps.forEach((step, place) => {
      if (place <= at) step.className = "done";
      if (place === at) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    if (at >= 0) text.textContent = steps[at].textContent.trim();
  };
  const follow = () => {
    source = new EventSource(list.dataset.events);
    for (const name of names) {
      source.addEventListener(name, () => {
        reach(name);
        if (!last.has(name)) return;
        source.close();
        location.reload();
      });
    }
    source.addEventListener("error", () => {
      // A lost line is taken up again by the browser itself; not where a proxy answers meanwhile.
      if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
    });
  };
  follow();
  addEventListener("pagehide", () => source.close());
}
