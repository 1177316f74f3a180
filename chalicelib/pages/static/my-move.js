// Another time or place for the handover or the return: a day, a slot, what it costs, one button.

import { find, language, learn, word } from "./kit.js";
import { visitOf } from "./my-home.js";
import { choice, doing, foot, offering, reason } from "./my-form.js";
import { get, h, momentOf, slotOf, timeOf, won } from "./my-kit.js";
import { words } from "./words-my-tasks.js";

learn(words);

const DAYS = 8;
const MORE_DAYS = 8;
const DAY_MS = 86_400_000;
const KEEP = "keep";

/** YYYY-MM-DD in Seoul, so many days from now. */
const seoulDay = (days) => new Date(Date.now() + 9 * 3_600_000 + days * DAY_MS).toISOString().slice(0, 10);

const chipDay = (day) =>
  new Intl.DateTimeFormat(language() === "ko" ? "ko-KR" : "en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" }).format(new Date(day));

export async function open(task) {
  const which = task.about === "return" ? "return" : "handover";
  const now = standing(task, which);
  let days = DAYS;
  let day = now.at ? KEEP : null;
  let slot = null; // the beginning of the chosen one
  let slots = []; // of the chosen day
  let trouble = null;
  const offer = offering(task, {
    path: "/reschedule",
    place: () => find("offer"),
    describe: ({ slot: then, at }, { address }) => [
      now.at && [word("move.before"), slotOf(now)],
      [word("move.after"), slotOf({ slot: then, at })],
      [word("move.where"), address ?? now.address],
    ].filter(Boolean),
    go: (answer) => word(answer.charge > 0 ? "move.go.charge" : "move.go", { amount: won(answer.charge) }),
    refused: full,
    done: ({ slot: then, at }) => word(`move.done.${which}`, { when: slotOf({ slot: then, at }) }),
  });

  const addressNow = () => find("address").value.trim();

  async function pick(value) {
    day = value;
    slot = null;
    slots = [];
    trouble = null;
    offer.forget();
    drawSlots(value !== KEEP);
    if (value === KEEP) return;
    try {
      const answer = await get(`v1/slots?which=${which}&day=${value}`);
      if (day === value) slots = answer.slots;
    } catch (problem) {
      if (day === value) trouble = reason(problem);
    }
    if (day === value) drawSlots(false);
  }

  /** Somebody was faster: what is still free, with the reason beside it. */
  async function full({ code }) {
    if (code !== "SLOT_FULL" || day === KEEP) return;
    await pick(day);
    trouble = word("problem.SLOT_FULL");
    drawSlots(false);
    document.querySelector("#day :checked")?.focus();
  }

  function drawSlots(loading) {
    const free = slots.filter((each) => each.free);
    const say = loading ? "move.loading" : !trouble && day && day !== KEEP && !free.length ? "move.full" : null;
    const chips = slots.map(({ starts_at: from, ends_at: to, free: left }) => ({
      value: from,
      text: word("range", { from: timeOf(from), to: timeOf(to) }),
      note: left ? null : word("move.taken"),
      disabled: !left,
    }));
    find("slots").replaceChildren(
      h("p.hint", { role: "status" }, say ? word(say) : ""),
      h("p.error", { role: "alert" }, trouble ?? ""),
      free.length ? choice("slot", word("move.slot"), chips, slot, (value) => ((slot = value), offer.forget())) : "",
    );
  }

  function draw() {
    const chips = Array.from({ length: days }, (_, index) => seoulDay(index + 1)).map((value) => ({ value, text: chipDay(value) }));
    if (now.at) chips.unshift({ value: KEEP, text: word("move.keep"), note: slotOf(now) });
    const form = h(
      "form.card",
      {},
      choice("day", word("move.day"), chips, day, pick),
      h("button.link", { type: "button", id: "more-days", click: later }, word("move.later")),
      h("div", { id: "slots" }),
      h("label", { for: "address" }, word(`move.address.${which}`)),
      h("textarea", { id: "address", name: "address", rows: "2", maxlength: "200", autocomplete: "street-address", "aria-describedby": "address-error", input: offer.forget }, now.address ?? ""),
      h("p.error", { id: "address-error" }),
      foot(word("move.look"), "secondary"),
    );
    task.place.replaceChildren(
      now.free_until && Date.parse(now.free_until) > Date.now() ? h("p.lead", {}, word("move.free", { when: momentOf(now.free_until) })) : "",
      doing(form, preview),
      h("div", { id: "offer" }),
    );
    drawSlots(false);
    offer.draw();
  }

  function later() {
    days += MORE_DAYS;
    const typed = find("address").value;
    draw();
    find("address").value = typed;
    find(`day-${seoulDay(days - MORE_DAYS + 1)}`).focus();
  }

  /** Only what changes is sent: the address goes along when it is another one. */
  async function preview(form) {
    const whole = form.querySelector(".whole");
    const at = day === KEEP ? now.at : slot;
    if (!at) return (whole.textContent = word(day ? "move.slot.missing" : "move.day.missing"));
    const address = addressNow() === (now.address ?? "").trim() ? undefined : addressNow();
    if (day === KEEP && !address) return (whole.textContent = word("move.same"));
    await offer.look({ which, at, address }).catch((problem) => {
      full(problem);
      throw problem;
    });
  }

  return { title: `move.title.${which}`, draw };
}

/** The appointment as it is agreed now; before there is one, what the contract says. */
function standing({ contract, visits }, which) {
  const planned = which === "handover" ? contract.handover : contract.return;
  return visitOf(visits, which) ?? { at: null, ...planned };
}
