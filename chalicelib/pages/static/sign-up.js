// The sign-up: which step comes when, and what each needs. Its views and words are fetched with it.

import { clearFailure, fail, find, learn, put, shown, translate, word } from "./kit.js";
import { draft, keep } from "./plans-draft.js";
import { askQuote } from "./quote.js";
import { token } from "./sign-in.js";
import { drawAccount, listenToAccount, showAccount } from "./sign-up-account.js";
import { complete, drawDrivers, listenToDrivers, showDrivers } from "./sign-up-drivers.js";
import { drawHandover, listenToHandover, showHandover } from "./sign-up-handover.js";
import { busy, drawPayment, enterCard, listenToPayment, resume, showReview } from "./sign-up-pay.js";
import { words } from "./sign-up-words.js";

const STEPS = ["account", "drivers", "handover", "review", "card"];
const ENTER = { account: showAccount, drivers: showDrivers, handover: showHandover, review: showReview, card: enterCard };

let ready = null;
let here = "";

/** `step` of the address, or the first one before it that is not done yet. */
export async function enterStep(step) {
  ready ??= prepare();
  await ready;
  if (busy()) return;
  if (draft.contract) {
    keep(draft.signed);
    await askQuote();
  }
  const to = draft.contract ? (token() ? "card" : "account") : allowed(step);
  if (to !== step) return location.replace(`#${to}`);
  const again = here === to && shown() !== "quote";
  here = to;
  drawWay();
  if (to === "card" && draft.contract) await resume(again);
  else await ENTER[to]({ again, say, go });
}

export function redraw() {
  if (!ready) return;
  for (const form of document.querySelectorAll("form")) clearFailure(form);
  drawWay();
  drawAccount();
  drawDrivers();
  drawHandover();
  drawPayment();
}

/** The step before this one; what was typed stays. */
export function stepBack() {
  const before = STEPS.filter((step) => step !== "account" || !token());
  const at = before.indexOf(here);
  location.hash = at > 0 ? before[at - 1] : "quote";
}

async function prepare() {
  const html = await (await fetch(new URL("sign-up.html", import.meta.url))).text();
  find("main").insertAdjacentHTML("beforeend", html);
  learn(words);
  translate(find("main"));
  listenToAccount({ go, say });
  listenToDrivers({ go, say });
  listenToHandover({ go, say });
  listenToPayment({ go, say });
}

function allowed(step) {
  const done = { account: token(), drivers: complete(), handover: draft.slot && draft.address, review: draft.agreed };
  const wanted = Math.max(0, STEPS.indexOf(step));
  const missing = STEPS.slice(0, wanted).find((each) => !done[each]);
  if (missing) return missing;
  return STEPS[wanted] === "account" && token() ? "drivers" : STEPS[wanted];
}

function go(step) {
  if (location.hash === `#${step}`) return enterStep(step);
  location.hash = step;
}

/** Goes to a step and says there what is wrong: at a field by its id, or at the form. */
async function say(step, place, name, input) {
  if (step === "account") keep({ back: here });
  here = "";
  history.pushState(null, "", `#${step}`); // no hashchange: the step is entered once
  await enterStep(step);
  fail(find(place), name, input && find(input));
}

function drawWay() {
  const at = STEPS.indexOf(here);
  put("progress", at < 0 ? "" : word("step.of", { n: at + 1, all: STEPS.length, name: word(`step.${here}`) }));
  for (const [n, dot] of [...find("track").children].entries()) dot.toggleAttribute("data-done", n <= at);
  find("back").hidden = Boolean(draft.contract);
}
