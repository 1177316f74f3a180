// The jobs of today and tomorrow, each with what may be done now as big buttons.

import { ask, fail, find, hasWord, inSeoul, Lost, pause, put, shelf, show, word } from "./kit.js";
import { judge } from "./scan.js";
import { token } from "./sign-in.js";

const ASK_FIRST = ["handover_ok", "access_failed", "missed_customer", "returned"];
const WITH_PLACE = ["arrived", "access_failed"];
const PLACE_WITHIN_MS = 4_000;
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY = { weekday: "short", day: "numeric" };

const tab = shelf("sessionStorage"); // addresses do not outlive the tab
let list = JSON.parse(tab.read("jobs") ?? "null"); // {at, jobs}
let stale = false;
let kept = []; // what of these jobs waits in the outbox
let tools = {}; // {who(), ended(), forbidden()}

export function listenToJobs(given) {
  tools = given;
  find("jobs-again").addEventListener("click", fetchJobs);
}

export async function openJobs() {
  show("jobs");
  drawJobs();
  await fetchJobs();
}

export function forgetJobs() {
  list = null;
  tab.drop("jobs");
}

export function meetWaiting(entries) {
  kept = entries.filter(({ about, refusal }) => about.act && !refusal);
  drawJobs();
}

async function fetchJobs() {
  if (!token()) return drawJobs((stale = true));
  try {
    const { status, data } = await ask("GET", "v1/partner/jobs", { token: token() });
    if (status === 401) return tools.ended();
    if (status === 403) return tools.forbidden();
    stale = status !== 200;
    if (!stale) {
      list = { at: new Date().toISOString(), jobs: data.jobs };
      tab.keep("jobs", JSON.stringify(list));
    }
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    stale = true;
  }
  drawJobs();
}

export function drawJobs() {
  const when = list ? inSeoul(list.at, CLOCK) : "";
  put("jobs-say", word(list ? (stale ? "jobs.stale" : list.jobs.length ? "jobs.fresh" : "jobs.none") : stale ? "jobs.lost" : "boot", { when }));
  find("jobs").replaceChildren(...(list?.jobs ?? []).map(card));
}

function card(job) {
  const item = find("job").content.cloneNode(true).firstElementChild;
  const say = (place, text) => (item.querySelector(place).textContent = text ?? "");
  const { starts_at: from, ends_at: to } = job.slot ?? {};
  const state = hasWord(`state.${job.state}`) ? word(`state.${job.state}`) : job.state;
  say("h2", from ? `${inSeoul(from, CLOCK)}–${inSeoul(to, CLOCK)} · ${inSeoul(from, DAY)}` : word(`job.${job.which}`));
  say(".state", `${word(`job.${job.which}`)} · ${state}`);
  item.querySelector(".state").dataset.state = job.state;
  say(".address", job.address);
  say(".car-of", job.car ? `${job.car.plate} · ${job.car.model}` : word("job.no.car"));
  say(".note", job.note);
  const waiting = kept.filter(({ about }) => about.appointment === job.appointment_id).map(({ about }) => word(`act.${about.act}`));
  say(".kept", waiting.length ? word("job.kept", { what: waiting.join(", ") }) : "");
  item.querySelector(".does").append(...job.actions.filter((act) => hasWord(`act.${act}`)).map((act) => button(job, act, item)));
  return item;
}

function button(job, act, item) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: "primary", textContent: word(`act.${act}`) });
  made.dataset.act = act;
  made.addEventListener("click", () => (ASK_FIRST.includes(act) ? makeSure(job, act, item, made) : tell(job, act)));
  return made;
}

/** A second question before what cannot be taken back; with the parking fee where a car stands locked out. */
function makeSure(job, act, item, pressed) {
  const form = item.querySelector(".sure");
  const fee = form.querySelector("input");
  const [yes, no] = form.querySelectorAll("button");
  const withFee = act === "access_failed";
  item.querySelector(".does").hidden = true;
  form.hidden = false;
  fee.id = `fee-${job.appointment_id}`;
  form.querySelector("label").htmlFor = fee.id;
  form.querySelector("label").textContent = word("fee.label");
  form.querySelector(".fee").hidden = !withFee;
  form.querySelector(".ask").textContent = word(`sure.${act}`);
  form.querySelector(".error").textContent = "";
  yes.textContent = word("sure.yes", { what: word(`act.${act}`) });
  no.textContent = word("sure.no");
  (withFee ? fee : yes).focus();
  no.onclick = () => {
    form.hidden = true;
    item.querySelector(".does").hidden = false;
    pressed.focus();
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    const amount = fee.value.replace(/[\s,]/g, "");
    if (withFee && !/^\d{1,6}$/.test(amount)) return fail(form.querySelector(".error"), "fee.shape", fee);
    tell(job, act, withFee ? { tariff_per_hour: Number(amount) } : {});
  };
}

async function tell(job, act, more = {}) {
  const at = new Date().toISOString();
  const position = WITH_PLACE.includes(act) ? await place() : null;
  await judge({
    who: tools.who(),
    at,
    path: `v1/appointments/${encodeURIComponent(job.appointment_id)}/events`,
    body: { event: act, occurred_at: at, ...(position && { position }), ...more },
    about: { act, appointment: job.appointment_id, plate: job.car?.plate ?? job.address },
  });
}

/** Where this phone is; null when it does not say so within some seconds. */
function place() {
  const found = new Promise((done) => {
    const here = ({ coords }) => done({ lat: coords.latitude, lon: coords.longitude });
    if (navigator.geolocation) navigator.geolocation.getCurrentPosition(here, () => done(null), { timeout: PLACE_WITHIN_MS, maximumAge: 60_000 });
    else done(null);
  });
  return Promise.race([found, pause(PLACE_WITHIN_MS).then(() => null)]);
}
