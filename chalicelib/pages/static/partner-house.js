// What is behind the sign-in: the two rooms, jobs and scans, and what is waiting to be sent.

import { fail, find, learn, put, shelf, show, shown, translate, word } from "./kit.js";
import { drawJobs, forgetJobs, listenToJobs, meetWaiting, openJobs } from "./partner-jobs.js";
import { acknowledge, entries, keepsNothing, listenToOutbox, sendAll } from "./partner-outbox.js";
import { aboutText, closeScans, drawScan, hearAnswer, listenToScans, meetScanner, openScans, takeCode } from "./scan.js";
import { drawVerdict, sentenceOf, verdict } from "./scan-verdict.js";
import { ownerOf, signOut, token } from "./sign-in.js";
import { words } from "./partner-words.js";

const TRY_AGAIN_MS = 15_000;
const WITH_JOBS = ["courier", "agent", "ops"];

const phone = shelf("localStorage");
let person = JSON.parse(phone.read("person") ?? "null"); // {name, groups}: who signed in last on this phone
let waiting = [];

const hasJobs = () => person.groups.some((group) => WITH_JOBS.includes(group));

/** Somebody has just signed in. */
export async function welcome() {
  person = ownerOf(token());
  if (!meetScanner(person.groups) && !hasJobs()) return leave("in.forbidden");
  phone.keep("person", JSON.stringify(person));
  await open();
  send();
}

/** Somebody who was here before, a code from the camera app, or scans that wait. */
export async function start() {
  codeOfAddress();
  if (person && (token() || !navigator.onLine)) await open();
  else leave(person ? "in.ended" : "");
  send();
}

export function redraw() {
  drawOutbox();
  drawJobs();
  drawScan();
  drawVerdict();
}

/** Into the room that suits: a code in the address asks for the scans. */
async function open() {
  const scans = meetScanner(person.groups);
  find("sign-out").hidden = false;
  await tellOutbox();
  await (scans && (!hasJobs() || phone.read("tag") || phone.read("label")) ? go("scan") : go("jobs"));
}

async function go(room) {
  closeScans();
  find("nav").hidden = !(hasJobs() && meetScanner(person.groups));
  for (const button of find("nav").children) button.ariaCurrent = button.dataset.to === room ? "page" : null;
  await (room === "scan" ? openScans() : openJobs());
}

/** `why`: the sign-in ended, or never allowed it. What waits in the outbox stays. */
function leave(why) {
  signOut();
  closeScans();
  if (why !== "in.ended") {
    forgetJobs();
    phone.drop("person");
    person = null;
  }
  find("nav").hidden = find("sign-out").hidden = true;
  find("without").hidden = !person || !meetScanner(person.groups);
  show("sign-in");
  tellOutbox();
  if (person) find("user").value = person.name;
  if (why) fail(find("sign-in-error"), why);
}

async function send() {
  if (!person) return;
  const stopped = await sendAll(person.name);
  if (stopped === "signed out" && token()) {
    signOut();
    if (verdict()) return tellOutbox();
    leave("in.ended");
  }
  await tellOutbox();
}

async function tellOutbox() {
  waiting = await entries();
  if (waiting.length) phone.keep("kept", "yes");
  else phone.drop("kept");
  drawOutbox();
  meetWaiting(waiting);
}

function drawOutbox() {
  const mine = waiting.filter(({ who, refusal }) => who === person?.name && !refusal);
  const others = waiting.filter(({ who, refusal }) => who !== person?.name && !refusal);
  const refused = waiting.filter(({ refusal, id }) => refusal && verdict()?.id !== id);
  const n = mine.length;
  const lines = [
    n && word(token() ? "waiting.n" : "waiting.signed.out", { n }),
    n && keepsNothing() && word("waiting.memory"),
    others.length && word("waiting.other", { n: others.length, who: [...new Set(others.map(({ who }) => who))].join(", ") }),
  ].filter(Boolean);
  find("waiting").hidden = lines.length === 0;
  put("waiting-say", lines.join(" "));
  put("send-now", word(token() ? "waiting.send" : "waiting.sign.in"));
  find("send-now").hidden = !n || shown() === "sign-in";
  if (find("refused").dataset.of !== `${refused.map(({ id }) => id)}${document.documentElement.lang}`) drawRefused(refused);
}

function drawRefused(refused) {
  find("refused").dataset.of = `${refused.map(({ id }) => id)}${document.documentElement.lang}`;
  find("refused").replaceChildren(...refused.map(refusedLine));
}

function refusedLine({ id, about, refusal }) {
  const line = document.createElement("div");
  const title = document.createElement("strong");
  const button = document.createElement("button");
  const { name, values } = sentenceOf(refusal);
  title.textContent = `✕ ${word("no.title")} · ${aboutText(about)}`;
  line.append(title, Object.assign(document.createElement("p"), { textContent: word(name, values) }), button);
  Object.assign(button, { type: "button", className: "secondary", textContent: word(about.step ? "go.aside" : "go.understood") });
  button.addEventListener("click", () => acknowledge(id));
  return line;
}

/** The code that opened this page, out of the address bar at once. */
function codeOfAddress() {
  const found = location.hash ? takeCode(location.hash) : null;
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return found;
}

function listen() {
  listenToOutbox((entry, answer, code) => {
    if (entry) hearAnswer(entry, answer, code);
    tellOutbox();
  });
  listenToJobs({ who: () => person.name, ended: () => leave("in.ended"), forbidden: () => leave("in.forbidden") });
  listenToScans({ who: () => person.name, send, home: () => (token() || person ? go("jobs") : leave()) });
  find("sign-out").addEventListener("click", () => leave());
  find("without").addEventListener("click", () => go("scan"));
  find("send-now").addEventListener("click", () => (token() ? send() : leave("in.ended")));
  find("nav").addEventListener("click", ({ target }) => target.dataset.to && go(target.dataset.to));
  window.addEventListener("online", send);
  window.addEventListener("hashchange", () => codeOfAddress() && person && go("scan"));
  document.addEventListener("visibilitychange", () => !document.hidden && send());
  setInterval(() => waiting.length && navigator.onLine && token() && send(), TRY_AGAIN_MS);
}

learn(words);
translate(document);
listen();
