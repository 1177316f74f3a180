// A new campaign: every term with a sensible one to begin with, checked before it is sent, and what a coupon is then worth.

import { find, word } from "./kit.js";
import { valueOf, worth } from "./coupons.js";
import { allRight, choice, doing, field, foot } from "./my-form.js";
import { h, send } from "./my-kit.js";
import { numberOf, won } from "./ops-kit.js";

const DAY_MS = 86_400_000;
const MONEY = { inputmode: "numeric", maxlength: "15" };
const EXAMPLE = 400_000;

export async function open({ place }) {
  const now = Date.now();

  function draw() {
    const form = doing(
      h(
        "form.card.terms",
        { id: "new-campaign" },
        field("name", { maxlength: "80" }),
        choice("kind", word("new.kind"), ["fixed", "percent"].map((value) => ({ value, text: word(`new.kind.${value}`) })), "fixed", preview),
        h("div.pair", {}, field("value", { ...MONEY, hint: word("new.value.hint") }), field("max_discount", { ...MONEY, required: false, hint: word("new.max.hint") })),
        h("div.pair", {}, field("budget", { ...MONEY, value: "3,000,000", hint: word("new.budget.hint") }), field("count_limit", { ...MONEY, required: false, hint: word("new.none") })),
        h("div.pair", {}, field("min_order", { ...MONEY, required: false, hint: word("new.none") }), field("per_user_limit", { ...MONEY, value: "1", required: false, hint: word("new.none") })),
        h("div.pair", {}, field("opens_at", { type: "datetime-local", value: inputOf(now), required: false }), field("closes_at", { type: "datetime-local", value: `${inputOf(now + 30 * DAY_MS).slice(0, 10)}T23:59`, required: false })),
        choice("scope", word("new.scope"), ["all", "contract_fee", "service"].map((value) => ({ value, text: word(`new.scope.${value}`) })), "all"),
        h("div.pair", {}, field("plans", { required: false, hint: word("new.plans.hint") }), field("groups", { required: false, hint: word("new.groups.hint") })),
        choice("at_the_edge", word("new.edge"), ["reject", "partial"].map((value) => ({ value, text: word(`new.edge.${value}`), note: word(`new.edge.${value}.note`) })), "reject"),
        choice("reserve_at", word("new.reserve"), ["redeem", "issue"].map((value) => ({ value, text: word(`new.reserve.${value}`), note: word(`new.reserve.${value}.note`) })), "redeem"),
        h("p.check", {}, h("input", { id: "download", name: "download", type: "checkbox" }), h("label", { for: "download" }, word("new.download"))),
        h("div.pair", {}, field("sponsor_id", { required: false, hint: word("new.sponsor.hint"), maxlength: "64" }), field("sponsor_percent", { ...MONEY, value: "100", required: false, hint: word("new.percent.hint") })),
        field("description", { required: false, maxlength: "500" }),
        h("section.worth", { "aria-labelledby": "worth-title" }, h("h2", { id: "worth-title" }, word("new.worth")), field("example", { ...MONEY, value: "400,000" }), h("p", { id: "worth", role: "status" })),
        foot(word("new.go")),
      ),
      make,
    );
    form.addEventListener("input", preview);
    place.replaceChildren(h("p.back", {}, h("a.link", { href: "#campaigns" }, word("campaigns.title"))), form);
    preview();
  }

  async function make(form) {
    const asked = termsOf(form);
    if (!allRight(form, checks(asked, form))) return;
    const { campaign_id: id } = await send("v1/ops/campaigns", asked);
    location.hash = `campaigns/${encodeURIComponent(id)}`;
  }
  return { title: () => word("campaigns.new"), draw };
}

/** What one coupon takes off an example order, as the form stands. */
function preview() {
  const form = find("new-campaign");
  const { kind, value, max_discount, min_order } = termsOf(form);
  const total = numberOf(form.elements.example.value) || EXAMPLE;
  find("max_discount").closest(".field").hidden = kind === "fixed";
  if (!(value > 0)) return (find("worth").textContent = word("new.worth.none"));
  const off = worth({ kind, value, max_discount, min_order }, total);
  const budget = numberOf(form.elements.budget.value);
  const about = { total: won(total), off: won(off), left: won(total - off), value: valueOf({ kind, value, max_discount }), times: off ? Math.floor(budget / off) : 0 };
  find("worth").textContent = word(off ? "new.worth.is" : "new.worth.too.small", about);
}

/** As the service reads it; what is left empty is left out. */
function termsOf(form) {
  const text = (name) => form.elements[name].value.trim();
  const list = (name) => text(name).split(",").map((each) => each.trim()).filter(Boolean);
  const kind = text("kind");
  const kinds = text("scope") === "all" ? [] : [text("scope")];
  const [plans, groups] = [list("plans"), list("groups")];
  const given = {
    name: text("name"),
    kind,
    value: numberOf(text("value")),
    max_discount: kind === "percent" && text("max_discount") ? numberOf(text("max_discount")) : null,
    budget: numberOf(text("budget")),
    ...Object.fromEntries(["count_limit", "min_order", "per_user_limit"].map((name) => [name, text(name) ? numberOf(text(name)) : null])),
    opens_at: momentOf(text("opens_at")),
    closes_at: momentOf(text("closes_at")),
    scope: kinds.length || plans.length || groups.length ? { ...(kinds.length && { kinds }), ...(plans.length && { plans }), ...(groups.length && { groups }) } : "all",
    at_the_edge: text("at_the_edge"),
    reserve_at: text("reserve_at"),
    download: form.elements.download.checked,
    sponsor_id: text("sponsor_id") || null,
    sponsor_percent: text("sponsor_id") ? numberOf(text("sponsor_percent")) : null,
    description: text("description") || null,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function checks(asked, form) {
  const positive = (number) => number === undefined || number > 0;
  const most = asked.kind === "percent" ? 100 : asked.budget;
  return [
    ["name", Boolean(asked.name)],
    ["value", asked.value > 0 && asked.value <= most],
    ["max_discount", positive(asked.max_discount)],
    ["budget", asked.budget > 0],
    ["count_limit", positive(asked.count_limit)],
    ["min_order", asked.min_order === undefined || asked.min_order >= 0],
    ["per_user_limit", positive(asked.per_user_limit)],
    ["closes_at", !asked.closes_at || !asked.opens_at || asked.closes_at > asked.opens_at],
    ["sponsor_percent", !asked.sponsor_id || (asked.sponsor_percent >= 1 && asked.sponsor_percent <= 100)],
  ].filter(([name]) => form.elements[name]);
}

/** The clock of an input is the one on a wall in Seoul. */
const inputOf = (time) => new Date(time + 9 * 3_600_000).toISOString().slice(0, 16);
const momentOf = (text) => (text ? `${text}:00+09:00` : null);
