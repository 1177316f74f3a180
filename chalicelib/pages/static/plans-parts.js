// What the views of /plans are built from.

import { find, inSeoul, word } from "./kit.js";

export const won = (amount) => word("won", { amount: new Intl.NumberFormat("en").format(amount) });
export const perMonth = (amount) => word("per.month", { amount: won(amount) });

export const dayOf = (time) => inSeoul(time, { weekday: "long", month: "long", day: "numeric" });
export const shortDay = (time) => inSeoul(time, { month: "numeric", day: "numeric" });
export const weekday = (time) => inSeoul(time, { weekday: "short" });
export const timeOf = (time) => inSeoul(time, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** An element with a text, or with other elements in it. */
export function make(tag, ...inside) {
  const element = document.createElement(tag);
  element.append(...inside);
  return element;
}

/** One radio button per option {value, text, note, disabled}; the same options stay, so that the focus does too. */
export function drawChips(place, name, options, chosen) {
  const drawn = [...place.querySelectorAll("input")].map((input) => input.value);
  if (drawn.join() !== options.map(({ value }) => String(value)).join()) {
    place.replaceChildren(...options.map(({ value }) => chip(name, value)));
  }
  for (const [n, input] of place.querySelectorAll("input").entries()) {
    const { value, text, note = "", disabled = false } = options[n];
    Object.assign(input, { checked: value === chosen, disabled });
    input.nextElementSibling.textContent = text;
    input.nextElementSibling.nextElementSibling.textContent = note;
  }
}

function chip(name, value) {
  const part = find("chip").content.cloneNode(true);
  Object.assign(part.querySelector("input"), { id: `${name}-${value}`, name, value });
  return part;
}
