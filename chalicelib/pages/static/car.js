// The car in one's hand: where it stands, how it is, the buttons, and the truth about what was pressed.
// The same on /k and on /my, which say by `door` how the car is reached from there.

import { ago, find, h, hasWord, inSeoul, language, mapOf, put, translate, word } from "./kit.js";
import { press } from "./commands.js";
import { decideOnPlace, mayAskForPlace, placeFor, tellsPlace } from "./place.js";

const STEPS = { sending: 1, sent: 2, delivered: 2, done: 3, already: 3 };
const OLD_NEWS_MS = 120_000;
const ITS_OWN_WORD_MS = 2_000; // a car that has done something soon says how it now stands
const NO_NEWS = { phase: "idle", action: null, run: 0 };
const NEW_LINK_HELPS = /^(GRANT_EXPIRED|GRANT_REVOKED)$/;
const ICONS = {
  unlock: '<rect x="4" y="10.5" width="16" height="11" rx="2.5"/><path d="M8 10.5V7a4 4 0 0 1 7.6-1.7M12 15v2.5"/>',
  lock: '<rect x="4" y="10.5" width="16" height="11" rx="2.5"/><path d="M8 10.5V7a4 4 0 0 1 8 0v3.5M12 15v2.5"/>',
  hazard_on: '<path d="M12 3 22 20.5H2zM12 9.5 16.5 17.5h-9z"/>',
  horn: '<path d="M4 9.5v5h3.5L13 19V5L7.5 9.5zM16.5 9a4.5 4.5 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11"/>',
};
const SHAPES = { unlock: ".hero", lock: ".wide" };

let door = null;
let car = null; // what the service said last
let news = NO_NEWS; // the newest press, as far as it got
const pending = new Map(); // action -> its run, while nobody knows how it ends
const doubtful = new Set(); // may have happened, and nobody has looked yet
const held = new Map(); // action -> when it may be pressed again

const buttons = () => document.querySelectorAll("[data-action]");

export const hasCar = () => car !== null;

/**
 * Builds the car's part of the page in `place`. `door`: {path, token(), refresh(), prove(), renew()}: where commands
 * go and who sends them; ask again who we are; prove it once more (true when done); ask for a new link (may be missing).
 */
export function placeCar(place, theDoor, heading = "h1") {
  door = theDoor;
  const seen = ["seen", "state"].map((id) => h("p", { id, class: id }));
  place.replaceChildren(
    h("div.car", {}, h(heading, { id: "car-title", tabindex: "-1" }, h("span.model", { id: "model" }), " ", h("span.plate", { id: "plate" })), seen, h("p", {}, mapLink("where", "link"), h("button.link", { id: "where-prove", type: "button", "data-t": "where.prove", hidden: true, click: proveForPlace }))),
    h(
      "div.progress",
      { id: "progress", tabindex: "-1", role: "group", "data-t-label": "progress.label" },
      h("ol.track", { id: "track", "aria-hidden": "true" }, ["sending", "sent", "done"].map((stage) => h("li", { "data-t": `stage.${stage}` }))),
      h("div", { role: "status", "aria-live": "polite", "aria-atomic": "true" }, h("p.say", { id: "say" }), h("p.more", { id: "more" })),
      h("div.ways", { id: "ways" }, way("looked", look), way("prove", prove), way("renew", () => door.renew()), mapLink("map", "secondary")),
    ),
    h("div.actions", { role: "group", "data-t-label": "actions" }, Object.keys(ICONS).map(actionButton)),
    ...placeQuestion(),
    h("p.foot", { id: "until" }),
  );
  translate(place);
}

function actionButton(action) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = ICONS[action];
  const button = h(`button.action${SHAPES[action] ?? ""}`, { type: "button", "data-action": action, click: () => act(button.dataset.action) }, svg, h("span"));
  return button;
}

const way = (id, click) => h("button.secondary", { id, type: "button", "data-t": id, hidden: true, click });

const mapLink = (id, kind) => h(`a.${kind}`, { id, hidden: true, target: "_blank", rel: "noopener noreferrer" });

function placeQuestion() {
  const answer = (choice) => () => {
    decideOnPlace(choice);
    drawCar();
    find("place").focus();
  };
  return [
    h(
      "div.card",
      { id: "place-ask", role: "group", "aria-labelledby": "place-why", hidden: true },
      h("p", { id: "place-why", "data-t": "place.why" }),
      h("div.pair", {}, h("button.secondary", { type: "button", "data-t": "place.yes", click: answer("yes") }), h("button.secondary", { type: "button", "data-t": "place.no", click: answer("no") })),
    ),
    h("p.foot", {}, h("button.link", { id: "place", type: "button", hidden: true, click: () => answer(tellsPlace() ? "no" : "yes")() })),
  ];
}

export function meetCar(data) {
  const back = news.phase === "unreachable" && data.car.online;
  const old = news.final && news.phase !== "notsure" && performance.now() - news.at > OLD_NEWS_MS;
  car = data;
  if (back || old || news.phase === "ended") news = { ...NO_NEWS, run: news.run, phase: back ? "back" : "idle" };
  drawCar();
}

/** The next person with this phone reads nothing of it. */
export function forgetCar() {
  car = null;
  for (const id of ["model", "plate", "seen", "state", "until", "where", "map"]) if (find(id)) put(id, "");
  for (const id of ["where", "map"]) find(id)?.removeAttribute("href");
  news = { ...NO_NEWS, run: news.run };
  pending.clear();
  doubtful.clear();
}

function look() {
  doubtful.clear();
  news = { ...NO_NEWS, run: news.run };
  drawCar();
  find("progress").focus();
  door.refresh();
}

/** Where the car stands is shown only for a while after a proof. */
async function proveForPlace() {
  if (await door.prove()) door.refresh();
}

/** Proved once more: the same press is offered again, and it is a new one. */
async function prove() {
  const { action, run } = news;
  if (!(await door.prove()) || news.run !== run) return;
  news = { phase: "proved", action, run };
  drawCar();
  document.querySelector(`[data-action="${action}"]`)?.focus();
}

async function act(action) {
  if (!mayPress(action)) return find("progress").focus();
  const run = news.run + 1;
  pending.set(action, run);
  await press(action, { ...door, where: () => placeFor(action) }, (step) => {
    if (step.phase === "ended") door.refresh();
    hear(action, run, step);
    if (step.phase === "prove" && news.run === run) prove();
  });
}

/** One thing at a time, except that locking is always allowed; what may have happened waits for a look. */
function mayPress(action) {
  if (pending.has(action) || doubtful.has(action) || held.get(action) > performance.now()) return false;
  return action === "lock" || pending.size === 0;
}

/** One step of one press. The panel shows the newest press; an older one still frees its button. */
function hear(action, run, step) {
  const unsure = step.phase === "notsure";
  if ((step.final || unsure) && pending.get(action) === run) pending.delete(action);
  if (unsure) doubtful.add(action);
  else if (step.final) doubtful.delete(action);
  if (STEPS[step.phase] === 3) {
    turnHazard(action);
    setTimeout(() => find("progress")?.offsetParent && door.refresh(), ITS_OWN_WORD_MS);
  }
  if (run >= news.run) news = { ...step, action, run, at: performance.now() };
  if (step.phase === "wait") hold(action, run, step.seconds);
  drawCar();
}

/** Too often: the button rests for as long as the service asks, and says when it is ready. */
function hold(action, run, seconds) {
  held.set(action, performance.now() + seconds * 1000);
  setTimeout(() => {
    held.delete(action);
    if (news.run === run) news = { ...NO_NEWS, phase: "ready", run };
    drawCar();
  }, seconds * 1000);
}

function turnHazard(action) {
  if (!action.startsWith("hazard")) return;
  document.querySelector("[data-action^=hazard]").dataset.action = action === "hazard_on" ? "hazard_off" : "hazard_on";
}

export function drawCar() {
  if (!car || !find("model")) return;
  const { model, plate, online, last_seen: seen } = car.car;
  put("model", model ?? "");
  put("plate", plate);
  const heard = seen ? word("seen", { when: ago(seen) }) : word("seen.never");
  put("seen", online ? word("online") : `${word("offline.car")} · ${heard}`);
  find("seen").dataset.online = String(Boolean(online));
  const left = typeof car.uses_left === "number" ? word("uses", { count: car.uses_left }) : "";
  put("until", `${word("until", { when: inSeoul(car.not_after) })} ${left}`.trim());
  drawState(car.car);
  drawProgress();
  for (const button of buttons()) drawButton(button);
  find("place-ask").hidden = !(STEPS[news.phase] === 3 && news.action !== "lock" && mayAskForPlace());
  find("place").hidden = tellsPlace() === null;
  put("place", word(tellsPlace() ? "place.stop" : "place.start"));
}

/** As the car last said, and when that was. */
function drawState({ locked, doors_open: open, reported_at: at, position, stopped }) {
  const parts = [
    typeof open === "boolean" && word(open ? "doors.open" : "doors.closed"),
    typeof locked === "boolean" && word(locked ? "locked.yes" : "locked.no"),
  ].filter(Boolean);
  if (parts.length && at) parts.push(word("reported", { when: ago(at) }));
  put("state", stopped ? word("stopped") : parts.join(" · "));
  find("state").hidden = !find("state").textContent;
  find("state").classList.toggle("banner", Boolean(stopped));
  for (const id of ["where", "map"]) {
    if (position) find(id).href = mapOf(word("map.name"), position.lat, position.lon);
    put(id, position ? word("where", { when: ago(position.at) }) : "");
  }
  find("where").hidden = !position;
  find("where-prove").hidden = Boolean(position) || !(Date.parse(car.proven_until) < Date.now());
}

function drawProgress() {
  const { phase, reason } = news;
  put("say", headline(news));
  put("more", nextStep(news));
  find("progress").dataset.phase = phase;
  find("track").dataset.step = String(STEPS[phase] ?? 0);
  find("looked").hidden = phase !== "notsure" || doubtful.size === 0;
  find("prove").hidden = phase !== "prove";
  find("renew").hidden = !(door.renew && phase === "refused" && NEW_LINK_HELPS.test(reason));
  find("map").hidden = !(car.car.position && phase === "refused" && reason === "TOO_FAR");
}

function headline({ phase, action, reason }) {
  const failed = ["refused", "unreachable"].includes(phase);
  const names = [failed && `why.${reason}`, phase !== "notsure" && `${phase}.${action}`, `${phase}.say`];
  return word(names.find((name) => name && hasWord(name)), { what: word(action) });
}

/** What to do now: in our words where we know more than the reason, otherwise in the service's. */
function nextStep({ phase, action, reason, messages, slow, late, seconds, seen }) {
  if (phase === "unreachable" && reason === "VEHICLE_OFFLINE") return word(seen ? "unreachable.seen" : "unreachable.more", { when: seen && ago(seen) });
  if (phase === "wait" && seconds > 90) return word("wait.minutes", { minutes: Math.ceil(seconds / 60) });
  if (phase === "sending" && slow) return word("sending.slow");
  if (phase === "done" && late) return word("done.late");
  if (phase === "notsure") return word(hasWord(`notsure.${action}`) ? `notsure.${action}` : "notsure.other");
  const said = ["refused", "unreachable"].includes(phase) && messages?.[language()];
  return said || word(`${phase}.more`, { seconds, what: word(action) });
}

function drawButton(button) {
  const { action } = button.dataset;
  button.querySelector("span").textContent = word(action);
  button.hidden = Boolean(car.actions) && !car.actions.includes(action);
  button.toggleAttribute("data-busy", pending.has(action));
  button.setAttribute("aria-disabled", String(!mayPress(action)));
}
