// What the counter's pages do beyond HTML: ask the card reader of this desk, follow a face test.
"use strict";

const PERIOD_MS = 2000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The card: the issuer's nonce goes to it, its proof to the issuer, its password to the card alone.
async function readCard(form) {
  const password = form.querySelector("[data-password]");
  const numberB = form.querySelector("[data-number-b]");
  const button = form.querySelector("button");
  const busy = form.querySelector("[data-busy]");
  const say = (code, detail) => {
    const refusal = form.querySelector("[data-refusal]");
    const lines = [...refusal.querySelectorAll("[data-said]")];
    const known = lines.some((line) => line.dataset.said === code);
    for (const line of lines) line.hidden = line.dataset.said !== (known ? code : "card_not_read");
    refusal.querySelector("[data-detail]").textContent = detail;
    refusal.hidden = false;
  };
  form.querySelector("[data-refusal]").hidden = true;
  busy.hidden = false;
  button.disabled = true;
  try {
    const made = await fetch("/nonce", { method: "POST" });
    const nonce = (await made.json()).c_nonce;
    const asked = { nonce, password: password.value, number_b: numberB.value || null };
    const answer = await fetch(`${form.dataset.reader}/cards`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(asked),
      credentials: "omit",
      cache: "no-store",
    });
    const content = await answer.json();
    if (!answer.ok) return say(content.code, content.detail);
    form.elements.namedItem("proof").value = JSON.stringify(content.proof);
    form.elements.namedItem("nonce").value = nonce;
    form.elements.namedItem("portrait").value = content.portrait ?? "";
    return form.submit();
  } catch {
    return say("unreachable", "");
  } finally {
    password.value = "";
    busy.hidden = true;
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("[data-reader]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    readCard(form);
  });
}

// The face test goes on elsewhere, at a camera: ask until it is decided, then see what came of it.
async function follow(form) {
  for (;;) {
    await pause(PERIOD_MS);
    const fields = new FormData(form);
    fields.delete("case");
    try {
      const answer = await fetch(form.dataset.face, { method: "POST", body: fields });
      if (answer.ok && (await answer.json()).is_decided) return form.requestSubmit();
    } catch {
      // The service is away for a moment.
    }
  }
}

for (const form of document.querySelectorAll("[data-face]")) follow(form);
