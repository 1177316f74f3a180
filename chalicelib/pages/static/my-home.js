// The contract at a glance: what is wrong and the way out of it, what comes next, and everything that can be done.

import { find, hasWord, word } from "./kit.js";
import { dateOf, h, slotOf, won } from "./my-kit.js";

const ENDED = ["cancelled", "closed", "expired", "rejected", "terminated"];
const BEFORE = ["confirmed", "preparing", "at_risk", "ready"];
const BACK = ["return_scheduled", "return_overdue"];
const OVER = ["handed_over", "cancelled"];
const OPENABLE = ["preparing", "at_risk", "ready", "active", "swap_pending", "cancel_scheduled", "return_scheduled"];
const SEEN = { en_route: "on_the_way", waiting: "here" };

/** Not of one contract. */
const OWN = ["coupons", "points"];

/** Every entry of the menu: its task, and the action that allows it (none: it only shows something). */
const MENU = [
  ["renew", "renew"],
  ["swap", "swap"],
  ["card", "payment_method"],
  ["drivers"],
  ["payments"],
  ["coupons"],
  ["points"],
  ["documents"],
  ["parking"],
  ["timeline"],
  ["uncancel", "uncancel"],
  ["withdraw_swap", "withdraw_swap"],
  ["cancel", "cancel"],
];

export const visitOf = (visits, which) => visits.findLast((visit) => visit.which === which && !OVER.includes(visit.state));

/** `tools`: `several` contracts, `reload`, `say`. */
export function drawHome(contract, visits, tools) {
  const to = (task) => `#${contract.contract_id}/${task}`;
  const parts = h("div.parts", { id: "parts" });
  find("home").replaceChildren(
    h(
      "div.columns",
      {},
      h("div", {}, heading(contract), worries(contract, visits, to), glance(contract, visits, to), parts),
      h("div", {}, menu(contract, to), h("p.hint.zone", {}, word("zone")), tools.several && h("p", {}, h("a.link", { href: "#" }, word("list.back")))),
    ),
  );
  drawParts(parts, contract, visits, tools);
}

/** Where the key is and when we meet: loaded after the first view. */
async function drawParts(place, contract, visits, tools) {
  const loaded = await import("./my-parts.js").catch(() => null); // without them the glance still stands
  loaded?.drawParts(place, contract, visits, tools);
}

function heading({ car, state }) {
  const none = word(ENDED.includes(state) ? "title" : "car.none");
  const title = car ? [h("span.model", {}, car.model), " ", h("span.plate", {}, car.plate)] : none;
  return h("h1.which", { id: "home-title", tabindex: "-1" }, title);
}

/** What went wrong, worst first: [what, its way out]. */
function troubles({ state, billing, actions }, visits) {
  const visit = visits.findLast(({ state: each }) => !OVER.includes(each));
  const found = [];
  if (visit?.state === "locked_out") found.push(["locked_out", "smartkey"]);
  else if (state === "at_risk") found.push(["at_risk", "smartkey"]);
  if (billing === "blocked") found.push(["blocked", actions.includes("payment_method") && "card"]);
  if (billing === "past_due") found.push(["billing", actions.includes("payment_method") && "card"]);
  if (["missed_partner", "missed_customer"].includes(visit?.state)) found.push([visit.state, `move/${visit.which}`]);
  if (state === "return_overdue") found.push(["overdue", actions.includes("reschedule_return") && "move/return"]);
  return found;
}

/** Whether words are needed that the first view does not have. */
export const speechless = (contract, visits) =>
  !hasWord(`say.${contract.state}`) || troubles(contract, visits).some(([name]) => !hasWord(`worry.${name}`));

function worries(contract, visits, to) {
  return troubles(contract, visits).map(([name, way]) =>
    h(
      "section.worry",
      { "aria-labelledby": `worry-${name}` },
      h("h2", { id: `worry-${name}` }, word(`worry.${name}`)),
      h("p", {}, word(`worry.${name}.more`)),
      way && h("a.button", { href: to(way) }, word(`go.${way.split("/")[0]}`)),
    ),
  );
}

function glance(contract, visits, to) {
  const { state, billing, months, monthly_fee: fee, actions, why } = contract;
  const ended = ENDED.includes(state);
  const end = [`next.${state}.${why}`, `next.${state}`, "next.ended"].find(hasWord);
  const [say, next, values] = ended ? [`say.${state}`, end, {}] : headline(contract, visits);
  return h(
    "section.panel",
    { "aria-labelledby": "glance" },
    h("h2.say", { id: "glance" }, word(say, values)),
    h("p", {}, word(next, values)),
    actions.includes("pay") && h("a.button.main", { href: to("pay") }, word("menu.pay")),
    ended && h("a.button", { href: "plans" }, word("ended.go")),
    h("p.hint", {}, word("months", { months, fee: won(fee) })),
    !ended && h("p.hint", {}, word(`bill.${billing}`)),
  );
}

/** The words for how it stands, for what comes next, and what they are filled in with. */
function headline({ state, handover, return: back, ends_at: end }, visits) {
  const which = BEFORE.includes(state) ? "handover" : BACK.includes(state) ? "return" : null;
  const visit = which && visitOf(visits, which);
  const at = visit ?? (which === "return" ? back : handover);
  const values = { when: at ? slotOf(at) : "", date: end ? dateOf(end) : "" };
  const seen = SEEN[visit?.state];
  if (seen && which === "handover") return [`say.${seen}`, `next.${seen}`, values];
  return [variant(state, at, end), `next.${state}`, values];
}

/** Other words while a date is not known. */
function variant(state, at, end) {
  if (state === "active" && end) return "say.active_until";
  if (state === "cancel_scheduled" && !end) return "say.cancel_scheduled_soon";
  if (state === "return_scheduled" && !at) return "say.return_open";
  return `say.${state}`;
}

function menu({ actions, state }, to) {
  const allowed = MENU.filter(([, action]) => !action || actions.includes(action));
  const entry = (href, name) => h("li", {}, h("a", { href, id: `menu-${name}` }, word(`menu.${name}`)));
  return h(
    "nav.panel.menu",
    { "aria-labelledby": "menu-title" },
    h("h2", { id: "menu-title" }, word("menu.title")),
    h("ul", {}, OPENABLE.includes(state) && entry(to("smartkey"), "smartkey"), allowed.map(([task]) => entry(OWN.includes(task) ? `#${task}` : to(task), task))),
  );
}
