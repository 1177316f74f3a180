// Keeps the shell of the partner page for when there is no signal. Never an answer of the API, never the code in an address:
// the page is stored under its plain address, and nothing is stored because it was asked for.

const CACHE = "handover-p-{version}";
const PAGE = new URL("partner", self.location).href;
const SHELL = [
  PAGE,
  ...["style.css", "partner.css", "kit.js", "sign-in.js", "partner-outbox.js", "partner-jobs.js", "scan.js", "scan-code.js", "scan-verdict.js", "scan-camera.js", "words-partner.js", "partner-words.js", "partner-house.js", "partner.js", "icon.svg"].map(
    (name) => new URL(`assets/{version}/${name}`, self.location).href,
  ),
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("handover-p-") && name !== CACHE;
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
