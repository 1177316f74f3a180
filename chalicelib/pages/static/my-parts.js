// Where the key is, step by step, and when we meet.

import { find, hasWord, learn, word } from "./kit.js";
import { h, momentOf, pathOf, send, slotOf, won } from "./my-kit.js";
import "./my-more.js";
import { words } from "./words-my-parts.js";

learn(words);

const STEPS = ["packed", "sent", "close", "delivered", "verified"];
/** How many steps are done, in each state of the shipment. */
const DONE = {
  planned: 0,
  packed: 1,
  handed_to_carrier: 2,
  in_transit: 2,
  intercepting: 2,
  exception: 2,
  stalled: 2,
  out_for_delivery: 3,
  attempt_failed: 3,
  delivered: 4,
  unconfirmed: 4,
  wrong_key: 4,
  wrong_address: 3,
  lost: 2,
  verified: 5,
};
const BAD = ["wrong_key", "wrong_address", "lost", "stalled", "exception", "unconfirmed", "attempt_failed"];
/** Where the customer may have the key in hand, whatever the carrier says; and where we ask whether it came at all. */
const HERE = Object.keys(DONE).filter((state) => !["planned", "verified"].includes(state));
const ASKED = ["delivered", "unconfirmed"];
/** Appointments that are not well through our own fault. */
const OURS = ["at_risk", "locked_out", "missed_partner"];

export function drawParts(place, contract, visits, tools) {
  const open = visits.filter(({ state }) => hasWord(`visit.${state}`) || state.startsWith("missed") || state === "locked_out");
  place.replaceChildren(
    ...[contract.key && key(contract), (open.length || mayReturn(contract, open)) && appointments(contract, open, tools)].filter(Boolean),
  );
}

function key({ contract_id: id, key: { state, tracking } }) {
  const under = (task) => `#${id}/${task}`;
  return h(
    "section.panel",
    { "aria-labelledby": "key-title" },
    h("h2", { id: "key-title" }, word("key.title")),
    h(BAD.includes(state) ? "p.banner" : "p", {}, word(`key.${state}`)),
    state in DONE && state !== "verified" && way(DONE[state]),
    tracking && state !== "verified" && h("p.hint", {}, `${word("key.tracking")} `, h("b", {}, tracking)),
    HERE.includes(state) && h(ASKED.includes(state) ? "a.button.main" : "a.button", { href: under("key"), id: "go-key" }, word("go.key")),
    ASKED.includes(state) && h("a.button", { href: under("key/missing"), id: "go-missing" }, word("go.missing")),
  );
}

function way(done) {
  const step = (name, index) =>
    h(
      "li",
      { "data-done": index < done, "aria-current": index === done && "step" },
      word(`step.${name}`),
      index < done && h("span.unseen", {}, ` (${word("key.done")})`),
    );
  return h("ol.way", {}, STEPS.map(step));
}

const mayReturn = ({ actions }, visits) => actions.includes("reschedule_return") && !visits.some(({ which }) => which === "return");

function appointments(contract, visits, tools) {
  return h(
    "section.panel",
    { "aria-labelledby": "visit-title" },
    h("h2", { id: "visit-title" }, word("visit.title")),
    visits.map((visit) => appointment(contract, visit, tools)),
    mayReturn(contract, visits) && h("a.button.main", { href: `#${contract.contract_id}/move/return` }, word("visit.return.choose")),
  );
}

function appointment(contract, visit, tools) {
  const { which, state, address, actions } = visit;
  const movable = actions.includes("reschedule");
  return h(
    "div.visit",
    {},
    h("h3", {}, word(`visit.${which}`)),
    h("p.when", {}, slotOf(visit)),
    h("p", {}, address),
    hasWord(`visit.${state}`) && h("p.hint", {}, word(`visit.${state}`)),
    actions.includes("confirm") && confirmation(contract, visit, tools),
    movable && h("a.button", { href: `#${contract.contract_id}/move/${which}`, id: `move-${which}` }, word("visit.move")),
    movable && h("p.hint", {}, price(visit)),
  );
}

/** What moving costs; it is free while the fault is ours. */
function price({ state, free_until: free, late_fee: fee }) {
  if (OURS.includes(state)) return word("visit.free");
  if (state !== "missed_customer" && Date.parse(free) > Date.now()) return word("visit.free_until", { when: momentOf(free) });
  return word("visit.late_fee", { fee: won(fee) });
}

/** One press. The form's own words are loaded with it. */
function confirmation(contract, { appointment_id: id, which }, { reload, say }) {
  const form = h("form", { id: `confirm-${which}` });
  import("./my-form.js").then(({ doing, foot }) => {
    form.append(...foot(word("visit.confirm")).flat());
    doing(form, async () => {
      await send(pathOf(contract, `/appointments/${encodeURIComponent(id)}/confirm`));
      await reload();
      find("home-title").focus();
      say(word("visit.confirmed.now"));
    });
  });
  return form;
}
