// Day, slot and address of the handover.

import { ask, clearFailure, fail, find, Lost, put, show, shown, word } from "./kit.js";
import { draft, keep } from "./plans-draft.js";
import { dayOf, drawChips, shortDay, timeOf, weekday } from "./plans-parts.js";
import { drawQuote } from "./quote.js";

const DAYS_AHEAD = 14;
const DAY_MS = 86_400_000;
const SEOUL_MS = 9 * 3_600_000; // ahead of UTC

let slots = null; // of draft.day; null while nobody knows

const slotTimes = ({ starts_at: from, ends_at: to }) => word("range", { from: timeOf(from), to: timeOf(to) });

/** "Thursday, 26 November, 10:00–12:00" */
export const slotText = (slot) => word("moment", { day: dayOf(slot.starts_at), time: slotTimes(slot) });

export async function showHandover() {
  find("address").value = draft.address;
  if (!days().includes(draft.day)) keep({ day: days()[0], slot: null });
  if (shown() !== "handover") show("handover");
  await look();
}

export function listenToHandover({ go }) {
  const form = find("handover-form");
  find("address").addEventListener("input", ({ target }) => keep({ address: target.value }));
  find("slots-again").addEventListener("click", look);
  find("days").addEventListener("change", ({ target }) => pickDay(target.value));
  find("slots").addEventListener("change", ({ target }) => pickSlot(target.value));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearFailure(form);
    if (!draft.slot) return fail(find("slot-error"), "handover.choose", form.querySelector("#slots input:enabled") ?? form.querySelector("#days input:checked"));
    if (!draft.address.trim()) return fail(find("address-error"), "wrong.address", find("address"));
    go("review");
  });
}

export function drawHandover() {
  if (shown() !== "handover") return;
  drawChips(find("days"), "day", days().map(dayOption), draft.day);
  const free = slots?.some((slot) => slot.free);
  put("slots-say", slots ? (free ? "" : word("handover.none")) : word("handover.loading"));
  drawChips(find("slots"), "slot", free ? slots.map(slotOption) : [], draft.slot?.starts_at);
}

/** From tomorrow on, in Seoul. */
const days = () =>
  Array.from({ length: DAYS_AHEAD }, (_, n) => new Date(Date.now() + SEOUL_MS + (n + 1) * DAY_MS).toISOString().slice(0, 10));

function dayOption(day) {
  const noon = `${day}T12:00:00+09:00`;
  return { value: day, text: shortDay(noon), note: weekday(noon) };
}

const slotOption = (slot) => ({
  value: slot.starts_at,
  text: slotTimes(slot),
  note: slot.free ? "" : word("handover.full"),
  disabled: !slot.free,
});

function pickDay(day) {
  keep({ day, slot: null });
  drawQuote();
  look();
}

function pickSlot(startsAt) {
  keep({ slot: slots.find((slot) => slot.starts_at === startsAt) });
  find("slot-error").textContent = "";
  drawQuote();
}

async function look() {
  const { day } = draft;
  slots = null;
  find("slot-error").textContent = "";
  find("slots-again").hidden = true;
  drawHandover();
  try {
    const { status, data } = await ask("GET", `v1/slots?which=handover&day=${day}`);
    if (draft.day !== day) return;
    if (status !== 200) return noSlots();
    slots = data.slots;
    if (draft.slot && !slots.some(({ starts_at: at, free }) => at === draft.slot.starts_at && free)) keep({ slot: null });
    drawHandover();
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    if (draft.day === day) noSlots();
  }
}

function noSlots() {
  put("slots-say", "");
  fail(find("slot-error"), "lost");
  find("slots-again").hidden = false;
}
