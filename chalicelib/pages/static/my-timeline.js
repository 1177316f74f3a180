// Everything that happened to a contract, newest first, in plain words. What has no words is not shown.

import { find, hasWord, learn, word } from "./kit.js";
import { doing, foot } from "./my-form.js";
import { dateOf, dayOf, get, h, momentOf, pathOf, timeOf, won } from "./my-kit.js";
import { words } from "./words-my-timeline.js";

learn(words);

const MONEY = ["amount", "monthly_fee", "refund", "charge", "parking_cost", "tariff_per_hour"];
const DAYS = ["period_from", "period_to", "ends_at"];

export async function open({ contract, place }) {
  const events = [];
  let next = null;

  async function more() {
    const { events: found, cursor } = await get(pathOf(contract, `/timeline${next ? `?cursor=${encodeURIComponent(next)}` : ""}`));
    events.push(...found);
    next = cursor;
  }

  async function press() {
    const seen = lines().length;
    await more();
    draw();
    find("events").querySelectorAll("li")[seen]?.focus();
  }

  const lines = () => events.map((event) => ({ at: event.at, text: textOf(event) })).filter(({ text }) => text);

  function draw() {
    const days = new Map();
    for (const { at, text } of lines()) days.set(dayOf(at), [...(days.get(dayOf(at)) ?? []), h("li", { tabindex: "-1" }, h("span.hint", {}, timeOf(at)), " ", text)]);
    const all = [...days].map(([day, rows]) => [h("h2", {}, day), h("ul.events", {}, rows)]);
    place.replaceChildren(
      h("div", { id: "events" }, all.length ? all : h("p.lead", {}, word("timeline.none"))),
      next ? doing(h("form", {}, foot(word("timeline.more"), "secondary")), press) : "",
    );
  }

  await more();
  return { title: "menu.timeline", draw };
}

/** The words for one fact: those of its variant where there are some, then those of its type; "" without any. */
export function textOf({ type, data }) {
  const { which, by, cause, why, fault, template, to_state: to, address_changed: moved } = data;
  const variants = [which && moved && `${which}.address`, which, by, cause, why, fault, template, to].filter(Boolean).map((each) => `t.${type}.${each}`);
  const name = [...variants, `t.${type}`].find(hasWord);
  return name ? word(name, filled(data)) : "";
}

function filled(data) {
  const known = Object.entries(data).map(([name, value]) => {
    if (MONEY.includes(name)) return [name, won(value)];
    if (DAYS.includes(name)) return [name, dateOf(value)];
    return [name, name === "at" || name.endsWith("_at") ? momentOf(value) : value];
  });
  return Object.fromEntries(known);
}
