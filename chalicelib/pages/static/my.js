// /my: sign in, then a contract and everything its customer can do with it. The address says where one is:
// #<contract>, or #<contract>/<task>/<what about>, or #coupons, #points. Tasks are loaded when they are opened.

import { clearFailure, fail, find, learn, Lost, show, shown, speak, submitting, word } from "./kit.js";
import { forgetDeeds, get, pathOf, Refusal } from "./my-kit.js";
import { drawHome, speechless } from "./my-home.js";
import { signIn, signOut, token } from "./sign-in.js";
import { words } from "./words-my.js";

const LOOK_AGAIN_MS = 5_000;
const SOON = ["applied", "awaiting_payment"]; // what changes by itself within a minute
const TASKS = {
  smartkey: "my-smartkey",
  key: "my-receipt",
  move: "my-move",
  cancel: "my-end",
  uncancel: "my-end",
  withdraw_swap: "my-end",
  renew: "my-renew",
  swap: "my-swap",
  card: "my-card",
  pay: "my-pay",
  drivers: "my-drivers",
  documents: "my-documents",
  payments: "my-payments",
  parking: "my-parking",
  timeline: "my-timeline",
};
/** What is somebody's own, whatever they have signed. */
const OWN = { coupons: "my-coupons", points: "my-points" };

let contract = null;
let visits = [];
let several = true; // as long as nobody knows better
let redraw = () => {};
let round = 0; // the newest route: an answer for an older one is dropped

const here = () => location.hash.slice(1).split("/");

async function route() {
  const mine = ++round;
  const [id, task, about] = here();
  if (!token()) return leave();
  find("sign-out").hidden = false;
  if (shown() !== "home" && shown() !== "task") show("boot");
  try {
    foot();
    if (!id) return await openList(mine);
    if (OWN[id]) return await openTask(mine, OWN[id], { name: id, about: task });
    const known = contract?.contract_id === id;
    if (!known) await load({ contract_id: id });
    if (mine !== round || contract?.contract_id !== id) return;
    if (TASKS[task]) return await openTask(mine, TASKS[task], { name: task, about });
    openHome();
    if (known) reload();
  } catch (problem) {
    await stop(problem, mine).catch((worse) => stop(worse, mine));
  }
}

/** The contract and its appointments; without the latter the page still says what the contract knows. */
async function load(of) {
  const [fresh, { appointments }] = await Promise.all([
    get(pathOf(of)),
    get(pathOf(of, "/appointments")).catch((problem) => {
      if (problem instanceof Refusal || problem instanceof Lost) return { appointments: [] };
      throw problem;
    }),
  ]);
  if (speechless(fresh, appointments)) learn((await part("./words-my-late.js")).words);
  if (here()[0] !== of.contract_id) return; // somebody has gone elsewhere
  forgetDeeds();
  contract = fresh;
  visits = appointments;
}

function openHome() {
  redraw = () => drawHome(contract, visits, { several, reload, say });
  redraw();
  if (shown() !== "home") show("home");
}

async function openList(mine) {
  contract = null;
  const { listContracts } = await part("./my-list.js");
  const list = await listContracts();
  if (mine !== round) return;
  several = !list.only;
  if (list.only) return replace(`#${list.only}`);
  redraw = list.draw;
  redraw();
  show("list");
}

async function openTask(mine, file, what) {
  const { open } = await part(`./${file}.js`);
  const place = find("task").cloneNode(); // a task's own: one that was left draws into nothing
  find("task").replaceWith(place);
  const { title, draw } = await open({ ...what, contract, visits, place, done, reload, say });
  if (mine !== round) return;
  redraw = () => {
    find("back").textContent = word("home.back");
    find("back").href = `#${contract?.contract_id ?? ""}`;
    find("task-title").textContent = word(title);
    keeping(place, draw);
  };
  redraw();
  show("task");
}

/** Comes after everything else, and only if it can. */
const foot = () => part("./wallet.js").then(({ showWallet }) => showWallet(), () => {});

/** A module that is loaded when it is needed, over the same network that may lose everything else (a TypeError). */
const part = (name) =>
  import(name).catch((problem) => {
    throw problem instanceof TypeError ? new Lost(name) : problem;
  });

/** Draws anew and puts back what was typed. */
function keeping(place, draw) {
  const typed = new Map([...place.querySelectorAll("[id]")].map((input) => [input.id, [input.value, input.checked]]));
  draw();
  for (const input of place.querySelectorAll("input, select, textarea")) {
    if (typed.has(input.id)) [input.value, input.checked] = typed.get(input.id);
  }
}

/** A task is finished: home again, with the news read out. */
async function done(news) {
  round += 1;
  await load(contract).catch(() => {}); // what is done is done; the page looks again by itself
  if (!contract) return; // signed out meanwhile
  history.replaceState(null, "", `#${contract.contract_id}`);
  openHome();
  say(news);
}

function say(news) {
  find("news").textContent = news;
}

function replace(hash) {
  history.replaceState(null, "", hash);
  return route();
}

async function reload() {
  if (!contract) return;
  const before = JSON.stringify([contract, visits]);
  try {
    await load(contract);
    if (shown() !== "home" || JSON.stringify([contract, visits]) === before) return;
    const { id } = document.activeElement;
    redraw();
    if (id) find(id)?.focus();
  } catch (problem) {
    if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem; // what is on screen stays
  }
}

async function stop(problem, mine) {
  const refused = problem instanceof Refusal;
  if (!refused && !(problem instanceof Lost)) throw problem;
  if (mine !== round || problem.status === 401) return;
  const known = contract?.contract_id === here()[0];
  if (problem.status === 404 && !known && !OWN[here()[0]]) return openNone("gone");
  const { reason } = refused ? await part("./my-form.js") : {};
  redraw = () => {
    find("trouble-title").textContent = word(refused ? "refused.title" : "broken.title");
    find("trouble-lead").textContent = refused ? reason(problem) : word("broken.lead");
    find("trouble-back").href = known ? `#${contract.contract_id}` : "#";
  };
  redraw();
  show("trouble");
}

async function openNone(why) {
  const { drawNone } = await part("./my-list.js");
  redraw = () => drawNone(why);
  redraw();
  show("list");
}

async function enter() {
  const why = await signIn(find("user").value.trim(), find("password").value);
  if (why) return fail(find("sign-in-error"), why, why === "in.refused" ? find("password") : null);
  find("password").value = "";
  await route();
}

function leave(why) {
  signOut();
  contract = null;
  redraw = () => {};
  say("");
  find("sign-out").hidden = true;
  find("wallet").hidden = true;
  for (const place of ["home", "task", "list", "wallet"]) find(place).replaceWith(find(place).cloneNode());
  show("sign-in");
  if (why) fail(find("sign-in-error"), why);
}

speak(words, () => {
  clearFailure(find("sign-in-form"));
  say("");
  redraw();
  if (token()) foot();
});
submitting(find("sign-in-form"), find("sign-in-error"), enter);
find("sign-out").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname);
  leave();
});
find("again").addEventListener("click", route);
window.addEventListener("signed-out", () => token() && leave("in.ended"));
window.addEventListener("hashchange", () => {
  say("");
  route();
});
document.addEventListener("visibilitychange", () => !document.hidden && shown() === "home" && reload());
setInterval(() => !document.hidden && shown() === "home" && SOON.includes(contract?.state) && reload(), LOOK_AGAIN_MS);
await route();
