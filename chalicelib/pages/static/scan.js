// Scanning: which step, the tag, the label when packing; each scan goes through the outbox and comes back as a verdict.

import { clearFailure, fail, find, inSeoul, pause, put, shelf, show, shown, word } from "./kit.js";
import { acknowledge, add } from "./partner-outbox.js";
import { readCode } from "./scan-code.js";
import { alarm, drawVerdict, leaveVerdict, listenToVerdict, sentenceOf, tellVerdict, verdict, wakeSound } from "./scan-verdict.js";

const OUTWARD = ["planned", "cancelled", "intercepting", "wrong_key", "returning", "returned", "restocked", "lost", "written_off"];
const ENDED = ["cancelled", "written_off"];
/** Who makes which scan, and in which states its key must not go on although the scan was noted. */
export const STEPS = {
  pack: { who: ["packer"], stops: [...OUTWARD, "delivered", "unconfirmed", "verified", "wrong_address"] },
  handoff: { who: ["packer", "courier", "agent"], stops: OUTWARD },
  out_for_delivery: { who: ["courier", "agent"], stops: OUTWARD },
  delivered: { who: ["courier", "agent"], stops: [...OUTWARD, "wrong_address"] },
  attempt_failed: { who: ["courier", "agent"], stops: ENDED },
  recovered: { who: ["courier", "agent"], stops: ENDED },
  found: { who: ["packer", "courier", "agent"], stops: ENDED },
  received: { who: ["packer"], stops: ENDED },
  audited: { who: ["packer"], stops: ENDED },
};
const ANSWER_WITHIN_MS = 6_000;
const YES_STAYS_MS = 2_000;
const LAST = 5;

const phone = shelf("localStorage"); // a code opened by the camera app comes in a tab of its own
let steps = [];
let camera = null; // its module, where the browser reads codes
let watching = false;
let last = []; // {about, kind, at} of this visit
let tools = {}; // {who(), send()}

export function listenToScans(given) {
  tools = given;
  listenToVerdict(putAway);
  find("scan-form").addEventListener("submit", (event) => {
    event.preventDefault();
    wakeSound();
    check();
  });
  find("steps").addEventListener("change", ({ target }) => {
    phone.keep("step", target.value);
    drawScan();
  });
  for (const id of ["tag", "label"]) find(id).addEventListener("input", () => phone.keep(id, find(id).value));
  find("camera").addEventListener("click", () => (watching ? turnOff() : turnOn()));
}

/** The steps that somebody of these groups makes. */
export function meetScanner(groups) {
  steps = Object.keys(STEPS).filter((step) => STEPS[step].who.some((group) => groups.includes(group)));
  return steps.length > 0;
}

export async function openScans() {
  for (const id of ["tag", "label"]) find(id).value = phone.read(id) ?? "";
  drawScan();
  show("scan");
  if (camera === null) {
    const found = await import("./scan-camera.js").catch(() => null);
    camera = (await found?.readsCodes()) ? found : false;
  }
  drawScan();
}

export function closeScans() {
  if (watching) turnOff();
}

/** A code from the address, the camera or a field. */
export function takeCode(text) {
  const code = readCode(text);
  if (code?.tag) phone.keep("tag", code.tag);
  if (code?.label) phone.keep("label", code.label);
  return code;
}

export function drawScan() {
  drawVerdict();
  if (shown() === "verdict") return;
  if (find("steps").dataset.of !== steps.join()) drawSteps();
  for (const input of find("steps").querySelectorAll("input")) {
    input.checked = input.value === step();
    input.nextElementSibling.textContent = word(`step.${input.value}`);
  }
  for (const part of document.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(step());
  find("camera").hidden = !camera;
  find("no-camera").hidden = camera !== false;
  put("camera", word(watching ? "camera.off" : "camera.on"));
  find("finder").hidden = !watching;
  put("finder-say", word(step() === "pack" && find("tag").value ? "camera.next" : "camera.tag"));
  find("last-none").hidden = last.length > 0;
  find("last").replaceChildren(...last.map(lastLine));
}

function drawSteps() {
  find("steps").dataset.of = steps.join();
  find("steps").replaceChildren(
    ...steps.map((name) => {
      const chip = find("chip").content.cloneNode(true);
      Object.assign(chip.querySelector("input"), { id: `step-${name}`, value: name });
      return chip;
    }),
  );
}

const step = () => (steps.includes(phone.read("step")) ? phone.read("step") : steps[0]);

function lastLine({ about, kind, at }) {
  const line = document.createElement("li");
  line.dataset.verdict = kind;
  const mark = document.createElement("b");
  mark.textContent = `${{ yes: "✓", no: "✕", kept: "…" }[kind]} ${word(`last.${kind}`)}`;
  line.append(mark, ` ${aboutText(about)} · ${inSeoul(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })}`);
  return line;
}

export const aboutText = ({ step: name, act, tag, plate }) => (name ? `${word(`step.${name}`)} · ${tag}` : `${word(`act.${act}`)} · ${plate}`);

/** Reads both fields; gives the scan, or says what is missing. */
function filledIn() {
  clearFailure(find("scan-form"));
  const code = readCode(find("tag").value);
  const label = readCode(find("label").value);
  const packing = step() === "pack";
  if (!code) return fail(find("tag-error"), "scan.tag.shape", find("tag"));
  if (code.label) return fail(find("tag-error"), "scan.tag.is.label", find("tag"));
  if (packing && !label) return fail(find("label-error"), "scan.label.shape", find("label"));
  if (packing && label.tag) return fail(find("label-error"), "scan.label.is.tag", find("label"));
  return { event: step(), key_tag: code.tag, label_hash: packing ? label.label : "" };
}

async function check() {
  const scan = filledIn();
  if (!scan) return;
  const at = new Date().toISOString();
  const number = find("tracking").value.trim();
  const waybill = number && ["pack", "handoff"].includes(scan.event) ? { carrier: find("carrier").value, tracking_number: number } : {};
  const about = { step: scan.event, tag: scan.key_tag, stops: STEPS[scan.event].stops };
  for (const id of ["tag", "label", "tracking"]) find(id).value = "";
  for (const id of ["tag", "label"]) phone.drop(id);
  await judge({ who: tools.who(), at, path: "v1/scans", body: { ...scan, occurred_at: at, ...waybill }, about });
}

/** Keeps the deed, sends it, and shows what is known of it after some seconds. */
export async function judge(entry) {
  const waiting = { kind: "checking", what: { name: "checking.do" }, about: aboutText(entry.about) };
  tellVerdict(waiting);
  waiting.id = await add(entry);
  await Promise.race([tools.send(), pause(navigator.onLine ? ANSWER_WITHIN_MS : 0)]);
  if (verdict() !== waiting) return;
  note({ ...entry, id: waiting.id }, "kept");
  const scan = Boolean(entry.about.step);
  tellVerdict({ ...waiting, kind: "kept", what: { name: scan ? "kept.do" : "kept.visit" }, go: scan ? "go.next" : "go.on" });
}

/** What the service said of a deed. True when the screen shows it: then it is seen. */
export function hearAnswer(entry, answer, code) {
  const kind = code ? "no" : "yes";
  const seen = verdict()?.id === entry.id;
  note(entry, kind);
  if (!seen) {
    if (code) alarm("no");
    drawScan();
    return false;
  }
  const scan = Boolean(entry.about.step);
  const good = entry.about.step === "pack" ? "yes.pack" : "yes.do";
  tellVerdict({
    kind,
    id: entry.id,
    what: code ? sentenceOf({ code, state: answer.data.state }) : { name: good },
    about: [aboutText(entry.about), answer.data.message].filter(Boolean).join(" — "),
    go: code ? (scan ? "go.aside" : "go.understood") : scan ? "go.next" : "go.on",
  });
  if (kind === "yes" && watching) setTimeout(() => verdict()?.id === entry.id && leaveVerdict(), YES_STAYS_MS);
  return true;
}

function note(entry, kind) {
  last = [{ id: entry.id, about: entry.about, kind, at: entry.at }, ...last.filter(({ id }) => id !== entry.id)].slice(0, LAST);
}

async function putAway({ kind, id, go }) {
  if (kind === "no") await acknowledge(id);
  if (go === "go.on" || go === "go.understood") return tools.home();
  show("scan");
  drawScan();
  if (!watching) find("tag").focus();
}

async function turnOn() {
  wakeSound();
  watching = true;
  drawScan();
  try {
    await camera.watch(find("video"), sawCode);
  } catch {
    watching = false;
    drawScan();
    put("no-camera", word("camera.denied"));
    find("no-camera").hidden = false;
  }
}

function turnOff() {
  watching = false;
  camera.stopWatching(find("video"));
  drawScan();
}

/** The camera fills the fields, and checks when nothing is missing. The next tag puts a yes away. True: taken. */
function sawCode(text) {
  const code = readCode(text);
  if (verdict()?.kind === "yes" && code?.tag) leaveVerdict();
  if (!code || shown() !== "scan") return false;
  takeCode(text);
  const id = code.tag ? "tag" : "label";
  find(id).value = code[id];
  navigator.vibrate?.(30);
  clearFailure(find("scan-form"));
  drawScan();
  if (step() !== "pack" ? code.tag : find("tag").value && find("label").value) check();
  else if (step() !== "pack") fail(find("tag-error"), "scan.tag.is.label");
  return true;
}
