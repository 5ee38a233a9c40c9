// Keeps the shell: styles, scripts, icons and one page that says that the wallet is not reached.
// No page of the wallet is ever kept here: they hold attributes.
"use strict";

const SHELL = "tegata-shell-1";
const OFFLINE = "/offline";
const ASSETS = ["/assets/web/web.css", "/assets/wallet/wallet.css", "/assets/wallet/wallet.js"];

addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((shell) => shell.addAll([OFFLINE, ...ASSETS])));
  skipWaiting();
});

addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name)))),
  );
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (new URL(request.url).pathname.startsWith("/assets/")) {
    event.respondWith(fetch(request).catch(() => caches.match(request)));
  }
});
