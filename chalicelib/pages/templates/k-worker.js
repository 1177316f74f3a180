// Keeps the shell of the smart-key page for when there is no network. Never an answer of the API, never a link's code:
// the page is stored under its plain address, and nothing is stored because it was asked for.

const CACHE = "handover-k-{version}";
const PAGE = new URL("k", self.location).href;
const FILES = [
  ...["style.css", "car.css", "icon.svg", "app.webmanifest", "words-car.js", "words-smart-key.js"],
  ...["kit.js", "dialog.js", "link.js", "renew.js", "car.js", "commands.js", "place.js", "smart-key.js"],
];
const SHELL = [PAGE, ...FILES.map((name) => new URL(`assets/{version}/${name}`, self.location).href)];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("handover-k-") && name !== CACHE;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const asked = event.request.url.split("#")[0].split("?")[0];
  if (event.request.method !== "GET" || !SHELL.includes(asked)) return;
  const kept = () => caches.open(CACHE).then((cache) => cache.match(asked));
  if (asked === PAGE) event.respondWith(fetch(event.request).catch(kept));
  else event.respondWith(kept().then((found) => found ?? fetch(event.request)));
});
