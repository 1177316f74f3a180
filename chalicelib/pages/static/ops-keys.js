// A contract's smart keys for operations: how far each has come, sending it again, ending it; and stopping the car.

import { ago, ask, fail, find, h, inSeoul, put, submitting, word } from "./kit.js";
import { question } from "./dialog.js";
import { token } from "./sign-in.js";

const MOMENT = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const LIVE = "LIVE";

let leave = () => {};
let found = null; // {contract, keys, car, stop}

const keysOf = (contract) => `v1/ops/contracts/${encodeURIComponent(contract)}/smart-keys`;
const stopOf = (car) => `v1/ops/cars/${encodeURIComponent(car)}/stop`;

export function listenToFinding(out) {
  leave = out;
  submitting(find("find-form"), find("find-error"), async () => {
    put("found-news", "");
    const contract = find("contract").value.trim();
    if (!contract) return fail(find("find-error"), "find.missing", find("contract"));
    await look(contract);
  });
}

export function forgetFound() {
  found = null;
  find("find-form").reset();
  put("found-news", "");
  find("found").replaceChildren();
}

/** The answer, or null once it has been said why there is none. */
async function asked(method, path, options = {}) {
  const { status, wait, data } = await ask(method, path, { ...options, token: token() });
  if (status < 300) return data;
  if (status === 401) leave("in.ended");
  else if (status === 404) fail(find("find-error"), "find.unknown", find("contract"));
  else if (status === 429) fail(find("find-error"), "wait.more", null, wait);
  else find("find-error").textContent = word("find.refused", { code: data.code ?? status });
  return null;
}

async function look(contract) {
  const answer = await asked("GET", keysOf(contract));
  if (!answer) return;
  const keys = answer.smart_keys;
  const car = keys[0]?.car_id;
  found = { contract, keys, car, stop: car && (await asked("GET", stopOf(car))) };
  drawFound();
}

export function drawFound() {
  if (!found) return;
  const { keys, car, stop } = found;
  find("found").replaceChildren(keys.length ? h("ul.keys", {}, car && stop && carRow(car, stop), keys.map(row)) : h("p.hint", {}, word("find.none")));
}

const button = (name, click) => h("button.secondary", { type: "button", click }, word(name));

function carRow(car, { stopped, reason, by, at }) {
  const name = stopped ? "car.resume" : "car.stop";
  return h("li", {}, h("p", {}, h("b", {}, word("car.title", { car }))), h("p.hint", {}, stopped ? word("car.stopped", { reason, by, when: ago(at) }) : ""), h("div.pair", {}, button(name, () => turn(car, name))));
}

function row(grant) {
  const { grant_id: id, kind, state, reason, not_after: until, given_by: given, issuer, links, link_died: died } = grant;
  const about = [died && state === LIVE ? word("step.died") : state === LIVE ? word(`step.${stage(grant)}`) : word(`grant.${state}`), word("grant.until", { when: inSeoul(until, MOMENT) }), word("grant.links", { count: links })];
  return h(
    "li",
    { "data-grant": id },
    h("p", {}, h("b", {}, `${word(`kind.${kind}`)} ${kind === "driver" ? grant.holder : ""}`)),
    h("p", {}, about.join(" · ")),
    h("p.hint", {}, word("grant.why", { reason, by: given ?? issuer })),
    state === LIVE && h("div.pair", {}, kind !== "staff" && button("grant.again", () => again(id)), button("grant.end", () => end(id))),
  );
}

const stage = ({ unlocked_at: unlocked, opened_at: opened, sent_at: sent }) => (unlocked ? "unlocked" : opened ? "opened" : sent ? "sent" : "waiting");

async function done(name, values) {
  await look(found.contract);
  put("found-news", word(name, values));
}

async function again(id) {
  const { contract } = found;
  find("find-error").textContent = "";
  if (await asked("POST", `${keysOf(contract)}/${encodeURIComponent(id)}/link`, { key: crypto.randomUUID() })) await done("grant.again.done");
}

/** Asks why, and does it. `what` names its words; `deed(reason)` gives the answer, or null. */
function because(what, deed) {
  find("find-error").textContent = "";
  return question({ title: `${what}.title`, lead: `${what}.lead`, go: what, label: "reason.label" }, async (form) => {
    const reason = form.elements.answer.value.trim();
    if (!reason) return "reason.missing";
    const answer = await deed(reason);
    if (answer) await done(`${what}.done`, answer.certain_at && { when: inSeoul(answer.certain_at, MOMENT) });
    return null;
  }, { type: "text", maxlength: "200", autocomplete: "off" });
}

const end = (id) => because("grant.end", (reason) => asked("DELETE", `${keysOf(found.contract)}/${encodeURIComponent(id)}?reason=${encodeURIComponent(reason)}`));

function turn(car, name) {
  if (name === "car.stop") return because(name, (reason) => asked("POST", stopOf(car), { body: { reason } }));
  return because(name, (reason) => asked("DELETE", `${stopOf(car)}?reason=${encodeURIComponent(reason)}`));
}
