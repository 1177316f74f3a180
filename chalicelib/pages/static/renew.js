// Asking for a new link, by the phone number of the contract and the same proof.

import { ask, fail, find, shelf, show, shown, submitting, word } from "./kit.js";

const tab = shelf("sessionStorage");
let why = "none";

export const digits = (text) => text.replace(/\D/g, "");

/** A birth date of six or eight digits, or the last four of a licence. */
export const isProof = (text) => [4, 6, 8].includes(text.length);

export function renew(reason) {
  why = reason;
  drawRenewal();
  if (shown() !== "renew") show("renew");
}

export function drawRenewal() {
  find("renew-why").textContent = word(`renew.${why}`);
}

export function listenToRenewal() {
  submitting(find("renew-form"), find("renew-error"), request);
  for (const button of document.querySelectorAll("[data-go=renew]")) button.addEventListener("click", () => renew("asked"));
}

/** The answer is the same whether or not anybody has this number, so the page says no more than that. */
async function request(form) {
  const place = find("renew-error");
  const phone = international(find("phone").value);
  if (!phone) return fail(place, "renew.phone.shape", find("phone"));
  const proof = digits(find("renew-proof").value);
  if (!isProof(proof)) return fail(place, "proof.shape", find("renew-proof"));
  const key = tab.read("asking") ?? crypto.randomUUID();
  tab.keep("asking", key);
  const { status, wait } = await ask("POST", "v1/smart-key/links", { body: { phone, proof }, key, timeout: 12_000 });
  if (status >= 500) return fail(place, "lost");
  tab.drop("asking");
  if (status === 429) return fail(place, "wait.more", null, wait);
  form.reset();
  show("asked");
}

/** E.164, as contracts hold it: 010 1234 5678 is +821012345678. */
function international(text) {
  const number = digits(text);
  if (/^010\d{8}$/.test(number)) return `+82${number.slice(1)}`;
  return /^\s*\+/.test(text) && number.length >= 8 ? `+${number}` : null;
}
