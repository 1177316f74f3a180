// The car on the screen: how it is, four buttons, and the progress of what was pressed.

import { ago, find, hasWord, inSeoul, put, word } from "./kit.js";
import { press } from "./commands.js";

const STEPS = { sending: 1, sent: 2, delivered: 2, done: 3, already: 3 };
const OLD_NEWS_MS = 120_000;
const NO_NEWS = { phase: "idle", action: null, run: 0 };

let car = null; // what GET v1/smart-key said last
let news = NO_NEWS; // the newest press, as far as it got
const pending = new Map(); // action -> its run, while nobody knows how it ends
const doubtful = new Set(); // may have happened, and nobody has looked yet

const buttons = () => document.querySelectorAll("[data-action]");

export const hasCar = () => car !== null;

export function meetCar(data) {
  car = data;
  if (news.final && news.phase !== "notsure" && performance.now() - news.at > OLD_NEWS_MS) news = { ...NO_NEWS, run: news.run };
  drawCar();
}

export function forgetCar() {
  car = null;
}

/** `refresh` asks the server who we are and how the car is. */
export function listenToCar(refresh) {
  for (const button of buttons()) button.addEventListener("click", () => act(button, refresh));
  find("looked").addEventListener("click", () => {
    doubtful.clear();
    news = { ...NO_NEWS, run: news.run };
    drawCar();
    find("progress").focus();
    refresh();
  });
}

async function act(button, refresh) {
  const { action } = button.dataset;
  if (!mayPress(action)) return find("progress").focus();
  const run = news.run + 1;
  pending.set(action, run);
  await press(action, (step) => {
    if (step.phase === "ended") refresh();
    hear(action, run, step);
  });
}

/** One thing at a time, except that locking is always allowed; what may have happened waits for a look. */
function mayPress(action) {
  if (pending.has(action) || doubtful.has(action)) return false;
  return action === "lock" || pending.size === 0;
}

/** One step of one press. The panel shows the newest press; an older one still frees its button. */
function hear(action, run, step) {
  const unsure = step.phase === "notsure";
  if ((step.final || unsure) && pending.get(action) === run) pending.delete(action);
  if (unsure) doubtful.add(action);
  else if (step.final) doubtful.delete(action);
  if (STEPS[step.phase] === 3) turnHazard(action);
  if (run >= news.run) news = { ...step, action, run, at: performance.now() };
  drawCar();
}

function turnHazard(action) {
  if (!action.startsWith("hazard")) return;
  document.querySelector("[data-action^=hazard]").dataset.action = action === "hazard_on" ? "hazard_off" : "hazard_on";
}

export function drawCar() {
  if (!car) return;
  const { model, plate, online, last_seen: seen } = car.car;
  put("model", model ?? "");
  put("plate", plate);
  const heard = seen ? word("seen", { when: ago(seen) }) : word("seen.never");
  put("seen", online ? word("online") : `${word("offline.car")} · ${heard}`);
  find("seen").dataset.online = String(Boolean(online));
  put("until", car.not_after ? word("until", { when: inSeoul(car.not_after) }) : "");
  drawProgress();
  for (const button of buttons()) drawButton(button);
}

function drawProgress() {
  const { phase, action, message, reason, seconds } = news;
  const own = `${phase}.${action}`;
  put("say", word(phase !== "notsure" && hasWord(own) ? own : `${phase}.say`));
  const reasoned = message && ["refused", "unreachable"].includes(phase);
  put("more", reasoned ? message : word(moreOf(news), { seconds }));
  find("progress").dataset.phase = phase;
  find("track").dataset.step = String(STEPS[phase] ?? 0);
  find("looked").hidden = phase !== "notsure" || doubtful.size === 0;
  find("progress-renew").hidden = !(phase === "refused" && /^(GRANT|STEP_UP)_/.test(reason));
}

function moreOf({ phase, action, slow, late }) {
  if (phase === "sending" && slow) return "sending.slow";
  if (phase === "done" && late) return "done.late";
  if (phase !== "notsure") return `${phase}.more`;
  return hasWord(`notsure.${action}`) ? `notsure.${action}` : "notsure.other";
}

function drawButton(button) {
  const { action } = button.dataset;
  button.querySelector("span").textContent = word(action);
  button.hidden = Boolean(car.actions) && !car.actions.includes(action);
  button.toggleAttribute("data-busy", pending.has(action));
  button.setAttribute("aria-disabled", String(!mayPress(action)));
}
