// The drivers: one to five people, kept with every key stroke, checked here first and by the service in the end.

import { clearFailure, fail, find, language, show, shown, translate, word } from "./kit.js";
import { draft, keep } from "./plans-draft.js";

export const FIELDS = ["name", "phone", "birth_date", "licence_no"];
const AUTOCOMPLETE = { name: "name", phone: "tel", birth_date: "bday" };
const MOST = 5;
const DRIVING_AGE = 18;

const digits = (text) => (text ?? "").normalize("NFKC").replace(/\D/g, "");
const plain = (text) => (text ?? "").normalize("NFKC").replace(/[\s./-]/g, "").toUpperCase();

export function showDrivers() {
  if (!draft.drivers.length) keep({ drivers: [{}] });
  drawDrivers();
  if (shown() !== "drivers") show("drivers");
}

export const complete = () => draft.drivers.length > 0 && !firstWrong();

/** The drivers as a contract names them. */
export function drivers() {
  return draft.drivers.map((driver) => ({
    name: driver.name.trim(),
    phone: driver.phone.trim(),
    birth_date: born(driver.birth_date),
    licence_no: driver.licence_no.trim(),
    language: language(),
  }));
}

export function listenToDrivers({ go }) {
  const form = find("drivers-form");
  form.addEventListener("input", ({ target }) => {
    const [, number, field] = target.id.split("-");
    keep({ drivers: draft.drivers.map((driver, n) => (n === Number(number) ? { ...driver, [field]: target.value } : driver)) });
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearFailure(form);
    const wrong = firstWrong();
    if (wrong) return fail(find(`${wrong.id}-error`), wrong.what, find(wrong.id));
    go("handover");
  });
  form.addEventListener("click", ({ target }) => {
    if (target.dataset.remove === undefined) return;
    keep({ drivers: draft.drivers.filter((_, n) => n !== Number(target.dataset.remove)) });
    drawDrivers();
    find("driver-add").focus();
  });
  find("driver-add").addEventListener("click", () => {
    keep({ drivers: [...draft.drivers, {}] });
    drawDrivers();
    find(`driver-${draft.drivers.length - 1}-name`).focus();
  });
}

export function drawDrivers() {
  if (!draft.drivers.length) return;
  find("drivers").replaceChildren(...draft.drivers.map(fieldset));
  find("driver-add").hidden = draft.drivers.length >= MOST;
}

function fieldset(driver, number) {
  const part = find("driver").content.cloneNode(true).firstElementChild;
  translate(part);
  part.querySelector("legend").textContent = number ? word("driver.other", { n: number + 1 }) : word("driver.you");
  for (const name of FIELDS) {
    const id = `driver-${number}-${name}`;
    const input = part.querySelector(`[name=${name}]`);
    Object.assign(input, { id, value: driver[name] ?? "", autocomplete: number ? "off" : (AUTOCOMPLETE[name] ?? "off") });
    input.setAttribute("aria-describedby", `${id}-error`);
    part.querySelector(`[data-for=${name}]`).htmlFor = id;
    part.querySelector(`[data-error=${name}]`).id = `${id}-error`;
  }
  const remove = part.querySelector("[data-remove]");
  remove.dataset.remove = number;
  remove.hidden = !number;
  remove.textContent = word("driver.remove", { n: number + 1 });
  return part;
}

function firstWrong() {
  const seen = new Set();
  for (const [number, driver] of draft.drivers.entries()) {
    for (const field of FIELDS) {
      const what = wrongAt(field, driver[field] ?? "", seen);
      if (what) return { id: `driver-${number}-${field}`, what };
    }
    seen.add(plain(driver.licence_no));
  }
  return null;
}

function wrongAt(field, text, seen) {
  if (field === "name") return text.trim() ? "" : "wrong.name";
  if (field === "phone") return /^010\d{8}$/.test(digits(text)) || /^\s*\+[\d\s().-]{7,}$/.test(text) ? "" : "wrong.phone";
  if (field === "birth_date") return wrongBirth(born(text));
  if (seen.has(plain(text))) return "wrong.twice";
  return /^[0-9A-Z가-힣]{5,20}$/.test(plain(text)) && digits(text).length >= 4 ? "" : "wrong.licence_no";
}

function wrongBirth(day) {
  if (!day) return "wrong.birth_date";
  const [year, month, date] = day.split("-").map(Number);
  const eighteen = Date.UTC(year + DRIVING_AGE, month - 1, date);
  return eighteen > Date.parse(draft.slot?.starts_at ?? new Date().toISOString()) ? "wrong.age" : "";
}

/** YYYY-MM-DD from eight digits in any spelling; "" when there is no such day. */
function born(text) {
  const number = digits(text);
  const day = `${number.slice(0, 4)}-${number.slice(4, 6)}-${number.slice(6)}`;
  const real = number.length === 8 && !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day);
  return real && number > "19000101" && Date.parse(day) < Date.now() ? day : "";
}
