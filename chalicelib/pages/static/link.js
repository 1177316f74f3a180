// The one-time code of the link, from the address bar to the exchange, and nowhere else.
// It lives in this tab only; after the exchange a fingerprint stays, so that tapping the same text again opens the car.

import { shelf } from "./kit.js";

const tab = shelf("sessionStorage");
const phone = shelf("localStorage");
const CODE = /^[A-Za-z0-9_-]{16,128}$/;

/** The code of a whole link, or null. */
export function codeIn(link) {
  const code = link.split("#")[1] ?? "";
  return CODE.test(code) ? code : null;
}

/** Takes the code out of the address bar at once. Gives a code, "" for a broken one, or null. */
export function takeCode() {
  const fragment = location.hash.slice(1);
  if (fragment) history.replaceState(null, "", location.pathname + location.search);
  if (!fragment) return tab.read("code");
  if (!CODE.test(fragment)) return "";
  if (fragment !== tab.read("code")) tab.drop("salt");
  tab.keep("code", fragment);
  return fragment;
}

/** The same for the same code and digits in this tab, also after a reload: a lost answer can be asked for again. */
export async function exchangeKey(code, proof) {
  const salt = tab.read("salt") ?? crypto.randomUUID();
  tab.keep("salt", salt);
  return digest(`${salt}|${code}|${proof}`);
}

export async function forgetCode(code) {
  tab.drop("code");
  tab.drop("salt");
  phone.keep("opened", await digest(code));
}

export function forgetOpened() {
  phone.drop("opened");
}

export async function openedBefore(code) {
  return phone.read("opened") === (await digest(code));
}

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes.slice(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
