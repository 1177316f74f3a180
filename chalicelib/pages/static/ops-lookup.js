// Every attempt and every refusal about one code, coupon, customer, order or checkout.

import { find, hasWord, learn, word } from "./kit.js";
import { choice, doing, field, foot, allRight } from "./my-form.js";
import { get, h, send } from "./my-kit.js";
import { facts, grouped, momentOf, numberOf, panel, shrug, sure, table, won } from "./ops-kit.js";
import { words } from "./words-ops-books.js";
import "./ops-money.js";

const BY = ["code", "coupon_id", "customer_id", "order_id", "checkout_id"];

const MOST_POINTS = 1_000_000;
const NUMBER = { inputmode: "numeric", maxlength: "9" };

export async function open({ place, say }) {
  learn(words);
  let found = null;
  let path = "";

  /** A code is in no address: it is money to whoever reads it there. */
  async function look(form) {
    const by = form.elements.by.value;
    const value = form.elements.sought.value.trim();
    if (!allRight(form, [["sought", value !== ""]])) return;
    found = null;
    drawFound();
    path = `v1/ops/lookup?${by}=${encodeURIComponent(value)}`;
    const answer = await get(path);
    found = { ...answer, customer: by === "customer_id" ? value : answer.attempts[0]?.customer_id };
    drawFound();
    find("found-title")?.focus();
  }

  function drawFound() {
    find("found-money")?.replaceChildren(...(found ? all(found, granting) : []));
  }

  /** The form is not busy while somebody thinks it over. */
  function grant(form) {
    const [points, reason] = [numberOf(form.elements.points.value), form.elements.reason.value.trim()];
    if (!allRight(form, [["points", points >= 1 && points <= MOST_POINTS], ["reason", reason !== ""]])) return;
    give(found.customer, points, reason);
  }

  /** What is given cannot be taken back: asked once more, with the name and the number. */
  async function give(customer, points, reason) {
    let made = null;
    const ask = async () => (made = await send("v1/ops/points/grants", { customer_id: customer, points, reason }));
    if (await sure("do.grant", { customer, points: grouped(points) }, ask)) await told(customer, made);
  }

  /** What a colleague asked for, said once more by whoever approves it. */
  async function approve(form) {
    const { customer } = found;
    const [grant, points] = [form.elements.grant_id.value.trim(), numberOf(form.elements.approved.value)];
    if (!allRight(form, [["grant_id", grant !== ""], ["approved", points >= 1 && points <= MOST_POINTS]])) return;
    await told(customer, await send(`v1/ops/points/grants/${encodeURIComponent(grant)}/approve`, { customer_id: customer, points }));
  }

  async function told(customer, { state, points, grant_id: grant }) {
    found = { ...((await get(path).catch(shrug)) ?? found), customer };
    drawFound();
    say(word(state === "ASKED" ? "do.grant.waits" : "do.grant.done", { customer, points: grouped(points), grant }));
    find("points-title")?.focus();
  }

  const granting = () =>
    h(
      "details",
      {},
      h("summary", {}, word("grant.open")),
      doing(h("form", { id: "grant" }, h("div.pair", {}, field("points", { ...NUMBER, hint: word("grant.hint") }), field("reason", { maxlength: "200", hint: word("grant.reason.hint") })), foot(word("grant.go"), "secondary")), grant),
      h("h3", {}, word("approve.title")),
      h("p.hint", {}, word("approve.hint")),
      doing(h("form", { id: "approve" }, h("div.pair", {}, field("grant_id", { maxlength: "128", spellcheck: "false", autocapitalize: "none" }), field("approved", NUMBER)), foot(word("approve.go"), "secondary")), approve),
    );

  function draw() {
    const options = BY.map((value) => ({ value, text: word(`lookup.by.${value}`) }));
    const form = h("form", { id: "lookup" }, choice("by", word("lookup.by"), options, "code"), field("sought", { maxlength: "128", spellcheck: "false", autocapitalize: "none" }), foot(word("lookup.go")));
    place.replaceChildren(h("p.lead", {}, word("lookup.lead")), h("section.panel", {}, doing(form, look)), h("div", { id: "found-money" }));
    drawFound();
  }
  return { title: () => word("lookup.title"), draw };
}

function all({ coupons, attempts, refusals, looked, points }, granting) {
  if (!coupons.length && !attempts.length && !refusals.length && !points) return [panel("found-title", word("lookup.none"))];
  const heads = (...names) => names.map((name) => word(`lookup.${name}`));
  return [
    coupons.length ? panel("found-title", word("lookup.coupons"), table(word("lookup.coupons"), heads("coupons", "state", "owner", "used"), coupons.map(couponRow))) : "",
    points ? panel("points-title", word("lookup.points"), h("p", {}, word("lookup.points.is", { balance: grouped(points.balance), held: grouped(points.held), debt: grouped(points.debt) })), granting()) : "",
    panel(coupons.length ? "attempts-title" : "found-title", word("lookup.attempts"), attempts.length ? h("ul.plain.attempts", {}, attempts.map(attempt)) : h("p.hint", {}, word("lookup.none"))),
    panel("refusals-title", word("lookup.refusals"), refusals.length ? table(word("lookup.refusals"), heads("at", "reason", "order"), refusals.map(refusalRow)) : h("p.calm", {}, word("lookup.refusals.none")), h("p.hint", {}, word(looked.complete ? "lookup.since" : "lookup.part", { when: momentOf(looked.since) }))),
  ].filter(Boolean);
}

/** A coupon's id begins with its campaign's. */
const couponRow = ({ coupon_id: id, state, customer_id: customer, used_by: by }) => [h("a", { href: `#campaigns/${encodeURIComponent(id.split(".")[0])}` }, id), named("coupon.is", state), customer ?? "", by ?? ""];

const named = (kind, state) => (hasWord(`${kind}.${state}`) ? word(`${kind}.${state}`) : state);

const refusalRow = ({ at, code, order_id: order, coupon_id: coupon }) => [momentOf(at), hasWord(`refusal.${code}`) ? `${word(`refusal.${code}`)} (${code})` : code, order ?? coupon ?? ""];

function attempt({ checkout_id: id, order_id: order, customer_id: customer, coupon_id: coupon, state, reserved_at: at, entries }) {
  return h(
    "li",
    {},
    h("p", {}, h("b", {}, named("checkout", state)), " · ", momentOf(at)),
    facts([[word("lookup.by.checkout_id"), id], [word("lookup.by.order_id"), order], [word("lookup.by.customer_id"), customer], coupon && [word("lookup.by.coupon_id"), coupon]]),
    entries.length ? h("details", {}, h("summary", {}, word("lookup.entries", { count: entries.length })), lines(entries)) : "",
  );
}

function lines(entries) {
  const heads = ["at", "cause", "what", "account", "amount"].map((name) => word(name === "at" ? "lookup.at" : `entry.${name}`));
  const rows = entries.flatMap(({ at, cause, what, legs }) => legs.map(({ account, amount }, n) => [n ? "" : momentOf(at), n ? "" : cause, n ? "" : what, account, won(amount)]));
  return table(word("lookup.attempts"), heads, rows);
}
