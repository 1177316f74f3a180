// The ops page: sign in, then the overview, asked again every few seconds while somebody looks. The address names the
// other rooms (#campaigns/<id>, #lookup, #books), which are fetched when somebody enters them.

import { ago, ask, clearFailure, fail, find, h, hasWord, inSeoul, Lost, put, show, shown, speak, submitting, word } from "./kit.js";
import { drawFound, forgetFound, listenToFinding } from "./ops-keys.js";
import { signIn, signOut, token } from "./sign-in.js";
import { words } from "./words-ops.js";

const REFRESH_MS = 5_000;
const TOO_LATE_MS = 120_000;
const STEPS = ["unlocked", "opened", "sent", "waiting", "ended"];
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const MOMENT = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };

const ROOMS = { campaigns: "ops-campaigns", lookup: "ops-lookup", books: "ops-books" };

let overview = null;
let room = null; // what is open beside the overview: {title, draw}
let round = 0; // the newest room: one that comes later than its successor is dropped

async function enter() {
  const why = await signIn(find("user").value.trim(), find("password").value);
  if (why) return fail(find("sign-in-error"), why, why === "in.refused" ? find("password") : null);
  find("password").value = "";
  await route();
}

const here = () => location.hash.slice(1).split("/").map(decodeURIComponent);

/** Shows what the address names. */
async function route() {
  const mine = ++round;
  const [name, ...about] = here();
  if (!token()) return leave();
  for (const link of find("rooms").children) link.ariaCurrent = link.dataset.room === (ROOMS[name] ? name : "") ? "page" : null;
  if (ROOMS[name]) return enterRoom(mine, name, about);
  room = null;
  if (overview) show("overview");
  await refresh();
}

async function enterRoom(mine, name, about) {
  try {
    const { open } = await import(`./${ROOMS[name]}.js`);
    const place = find("room").cloneNode(); // a room's own: one that was left draws into nothing
    const opened = await open({ about, place, say: (news) => place.isConnected && put("room-news", news), again: route });
    if (mine !== round) return;
    find("room").replaceWith(place);
    room = opened;
  } catch (problem) {
    if (mine !== round || problem.status === 401) return;
    if (problem.status === 403) return leave("in.forbidden");
    if (!(problem instanceof Lost || problem instanceof TypeError || problem.status)) throw problem;
    room = await refusedRoom(problem);
  }
  find("sign-out").hidden = find("rooms").hidden = false;
  put("room-news", "");
  drawRoom();
  show("room");
}

/** In place of a room that cannot be shown: why, where somebody said so. */
async function refusedRoom(problem) {
  const { reason } = problem.status ? await import("./ops-kit.js") : {};
  const draw = () => find("room").replaceChildren(h("p.lead", {}, reason ? reason(problem) : word("lost")), h("button.primary", { type: "button", click: route }, word("again")));
  return { title: () => word("room.lost"), draw };
}

function drawRoom() {
  if (!room) return;
  put("room-title", room.title());
  room.draw();
}

/** In the other language, with what was typed. */
function redrawRoom() {
  const typed = new Map([...find("room").querySelectorAll("input, textarea")].map((input) => [input.id, [input.value, input.checked]]));
  drawRoom();
  for (const input of find("room").querySelectorAll("input, textarea")) {
    if (!typed.has(input.id)) continue;
    [input.value, input.checked] = typed.get(input.id);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function leave(why) {
  signOut();
  overview = room = null;
  round += 1;
  forgetFound();
  find("room").replaceWith(find("room").cloneNode());
  for (const id of ["room-title", "room-news"]) put(id, "");
  find("rooms").hidden = true;
  find("sign-out").hidden = true;
  show("sign-in");
  if (why) fail(find("sign-in-error"), why);
}

async function refresh() {
  if (!token()) return leave();
  try {
    const { status, data } = await ask("GET", "v1/ops/overview", { token: token() });
    if (status === 401) return leave("in.ended");
    if (status === 403) return leave("in.forbidden");
    if (status !== 200) return noNews();
    overview = data;
    find("sign-out").hidden = find("rooms").hidden = false;
    find("stale").hidden = true;
    draw();
    if (shown() !== "overview" && !ROOMS[here()[0]]) show("overview");
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    noNews();
  }
}

/** Old figures stay, and say how old they are. */
function noNews() {
  if (!overview) return leave("lost");
  find("stale").hidden = false;
  put("stale", word("stale", { when: inSeoul(overview.at, CLOCK) }));
}

function draw() {
  if (!overview) return;
  put("fresh", word("fresh", { when: inSeoul(overview.at, CLOCK) }));
  put("day", overview.day);
  drawFunnel(overview.funnel);
  drawTable("waiting", overview.stuck, overview.funnel.stuck, stuckCells);
  drawTable("delayed", overview.delayed, counted(overview.delayed, overview.more_delayed), delayedCells);
  drawTable("troubles", overview.troubles, counted(overview.troubles, overview.more_troubles), troubleCells);
  drawDue(overview.oldest_due);
}

function drawFunnel(funnel) {
  for (const name of ["issued", "unlocked", "stuck"]) put(name, String(funnel[name]));
  for (const part of find("bar").children) part.style.flexGrow = funnel[part.dataset.step];
  find("steps").replaceChildren(...STEPS.map((step) => legend(step, funnel[step])));
  const total = STEPS.reduce((sum, step) => sum + funnel[step], 0);
  const addsUp = total === funnel.issued && funnel.stuck === total - funnel.unlocked - funnel.ended;
  put("sum", word(addsUp ? "keys.sum" : "keys.wrong", funnel));
  find("sum").classList.toggle("error", !addsUp);
}

function legend(step, count) {
  const item = document.createElement("li");
  const number = document.createElement("b");
  number.textContent = count;
  item.dataset.step = step;
  item.append(`${word(`step.${step}`)} `, number);
  return item;
}

const counted = (rows, more) => `${rows.length}${more ? "+" : ""}`;

/** `id` names the table, `<id>-count` its number, `<id>-none` what stands in for an empty one. */
function drawTable(id, rows, count, cells) {
  put(`${id}-count`, String(count));
  find(`${id}-none`).hidden = rows.length > 0;
  find(id).parentElement.hidden = rows.length === 0;
  const heads = [...find(id).tHead.rows[0].cells].map((cell) => cell.textContent);
  find(id).tBodies[0].replaceChildren(...rows.map((row) => line(cells(row), heads)));
}

function stuckCells({ contract_id: contract, car_id: car, step, link_died: died, since }) {
  return [word(died ? "step.died" : `step.${step}`), contract, car, moment(since)];
}

function delayedCells({ kind, contract_id: contract, since, parking_cost: cost }) {
  return [word(`delay.${kind}`), contract, moment(since), cost === null ? "" : word("won", { amount: cost.toLocaleString("ko") })];
}

function troubleCells({ kind, contract_id: contract, since }) {
  return [hasWord(`kind.${kind}`) ? word(`kind.${kind}`) : kind, contract, moment(since)];
}

const moment = (time) => `${ago(time)} · ${inSeoul(time, MOMENT)}`;

/** Each cell carries its column's head, which phones show beside it in place of a row of heads. */
function line(texts, heads) {
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  texts.forEach((text, number) => {
    const cell = row.insertCell();
    cell.textContent = text;
    cell.dataset.head = heads[number];
    cell.setAttribute("role", "cell");
  });
  return row;
}

function drawDue(since) {
  put("due", since ? ago(since) : word("due.none"));
  find("due").classList.toggle("late", Boolean(since) && Date.now() - Date.parse(since) > TOO_LATE_MS);
}

speak(words, () => {
  clearFailure(find("sign-in-form"));
  draw();
  drawFound();
  redrawRoom();
});
listenToFinding(leave);
submitting(find("sign-in-form"), find("sign-in-error"), enter);
find("sign-out").addEventListener("click", () => leave());
window.addEventListener("hashchange", route);
window.addEventListener("signed-out", () => token() && leave("in.ended"));
document.addEventListener("visibilitychange", () => !document.hidden && token() && shown() === "overview" && refresh());
setInterval(() => !document.hidden && shown() === "overview" && refresh(), REFRESH_MS);
await route();
