// The smart-key page: link, proof, car; and a new link when this one has ended. One view at a time.

import { ask, clearFailure, fail, find, Lost, show, shown, speak, submitting, word } from "./kit.js";
import { drawCar, forgetCar, hasCar, meetCar, placeCar } from "./car.js";
import { question } from "./dialog.js";
import { codeIn, exchangeKey, forgetCode, forgetOpened, openedBefore, takeCode } from "./link.js";
import { digits, drawRenewal, isProof, listenToRenewal, renew } from "./renew.js";
import { words as carWords } from "./words-car.js";
import { words } from "./words-smart-key.js";

const REFRESH_MS = 20_000;
const PROOF = { inputmode: "numeric", autocomplete: "off", maxlength: "12" };
const SHUT = { NOT_YET_VALID: "early", GRANT_REVOKED: "revoked" };

let code = takeCode();
let trouble = "broken";

async function start() {
  if (code === "") return renew("broken");
  if (code && !(await openedBefore(code))) return show("proof");
  await refresh(code ? "used" : "none");
}

/** Asks who we are and how the car is. Without an answer a car already on screen stays there. */
async function refresh(why = "none") {
  try {
    const { status, data } = await ask("GET", "v1/smart-key");
    if (status === 200) {
      meetCar(data);
      if (shown() !== "car") show("car");
    } else if (SHUT[data.code]) {
      forgetCar();
      cannot(SHUT[data.code]);
    } else if (status < 500 && status !== 429) {
      end(hasCar() ? "ended" : why);
    } else if (!hasCar()) cannot("broken");
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    if (!hasCar()) cannot(navigator.onLine ? "broken" : "nonet");
  }
}

function end(why) {
  forgetCar();
  renew(why);
}

function cannot(what) {
  trouble = what;
  drawTrouble();
  if (shown() !== "trouble") show("trouble");
}

function drawTrouble() {
  find("trouble-title").textContent = word(`${trouble}.title`);
  find("trouble-lead").textContent = word(`${trouble}.lead`);
}

async function exchange(form) {
  const input = find("proof");
  const place = find("proof-error");
  const proof = digits(input.value);
  if (!isProof(proof)) return fail(place, "proof.shape", input);
  const key = await exchangeKey(code, proof);
  const { status, wait, data } = await ask("POST", "v1/smart-key/exchange", { body: { code, proof }, key, timeout: 12_000 });
  if (status === 429) return fail(place, "wait.more", null, wait);
  if (status === 409 || status >= 500) return fail(place, "lost");
  if (status >= 300 && data.code !== "LINK_INVALID") return fail(place, "proof.refused", input);
  form.reset();
  await forgetCode(code);
  code = null;
  if (status >= 300) return renew("over");
  await refresh();
}

/** The proof once more, for this session. True when it was right. */
const prove = () =>
  question({ title: "stepup.title", lead: "stepup.lead", go: "proof.go", label: "proof.label", hint: "proof.hint" }, async (form) => {
    const proof = digits(form.elements.answer.value);
    if (!isProof(proof)) return "proof.shape";
    const { status, wait } = await ask("POST", "v1/smart-key/step-up", { body: { proof }, timeout: 12_000 });
    if (status === 429) return { name: "wait.more", seconds: wait };
    if (status >= 500) return "lost";
    if (status === 422) return "stepup.wrong";
    if (status < 300) return "";
    refresh(); // the session is over, or the key
    return null;
  }, PROOF);

/** This phone forgets the key: for one that is lent or passed on. */
async function forget() {
  const sure = await question({ title: "forget.title", lead: "forget.lead", go: "forget.go" }, async () => {
    const { status } = await ask("POST", "v1/smart-key/sign-out");
    return status < 500 ? "" : "lost";
  });
  if (!sure) return;
  forgetOpened();
  end("forgot");
}

/** In an app of its own on the home screen, a link in a message opens in the browser instead. */
async function paste(form) {
  const pasted = codeIn(form.elements.paste.value.trim());
  if (!pasted) return fail(find("paste-error"), "paste.wrong", find("paste"));
  form.reset();
  location.hash = pasted;
}

function connection() {
  find("offline").hidden = navigator.onLine;
  if (navigator.onLine && ["trouble", "car"].includes(shown())) refresh();
}

function offerInstalling() {
  const button = find("install");
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    button.hidden = false;
    button.onclick = () => {
      button.hidden = true;
      event.prompt();
    };
  });
  find("install-ios").hidden = navigator.standalone !== false; // only Safari on a phone has it
}

function lookAgain() {
  if (!document.hidden && shown() === "car") refresh();
}

function listen() {
  submitting(find("proof-form"), find("proof-error"), exchange);
  listenToRenewal();
  submitting(find("paste-form"), find("paste-error"), paste);
  find("paste-form").hidden = !matchMedia("(display-mode: standalone)").matches;
  find("forget").addEventListener("click", forget);
  find("again").addEventListener("click", () => refresh());
  window.addEventListener("online", connection);
  window.addEventListener("offline", connection);
  window.addEventListener("hashchange", () => {
    if (!location.hash) return;
    code = takeCode();
    start();
  });
  document.addEventListener("visibilitychange", lookAgain);
  setInterval(lookAgain, REFRESH_MS);
}

placeCar(find("car"), { path: "v1/smart-key/commands", token: () => null, refresh, prove, renew: () => renew("asked") });
speak({ ...carWords, ...words }, () => {
  for (const form of document.querySelectorAll("form")) clearFailure(form);
  drawTrouble();
  drawRenewal();
  drawCar();
});
listen();
offerInstalling();
find("offline").hidden = navigator.onLine;
navigator.serviceWorker?.register("k-worker.js", { scope: "k" }).catch(() => {});
await start();
