// The quote of one plan for one term, and the summary that goes along with the sign-up.

import { ask, find, Lost, put, show, shown, word } from "./kit.js";
import { draft, keep } from "./plans-draft.js";
import { dayOf, drawChips, make, perMonth, timeOf, won } from "./plans-parts.js";

const quotes = new Map();

let plans = [];

export function meetPlans(list) {
  plans = list;
}

export const chosenPlan = () => plans.find((plan) => plan.plan_id === draft.plan);
export const chosenQuote = () => quotes.get(`${draft.plan}|${draft.months}`);

/** One button per term. */
export function drawTerms(place, name, offered) {
  drawChips(place, name, offered.map((months) => ({ value: months, text: word("term", { months }) })), draft.months);
}

export async function showQuote() {
  const plan = chosenPlan();
  const offered = plan.terms.map(({ months }) => months);
  if (!offered.includes(draft.months)) keep({ months: offered[0] });
  if (shown() !== "quote") show("quote");
  drawQuote();
  await askQuote();
}

/** Asks for the quote unless it is known; `true` when there is one. */
export async function askQuote() {
  const about = `${draft.plan}|${draft.months}`;
  if (!quotes.has(about)) {
    find("quote").setAttribute("aria-busy", "true");
    try {
      const { status, data } = await ask("POST", "v1/quotes", { body: { plan_id: draft.plan, months: draft.months } });
      if (status === 200 || status === 201) quotes.set(about, data);
    } catch (problem) {
      if (!(problem instanceof Lost)) throw problem;
    }
    find("quote").removeAttribute("aria-busy");
  }
  drawQuote();
  find("quote-lost").hidden = find("quote-again").hidden = quotes.has(about);
  return quotes.has(about);
}

export function drawQuote() {
  const plan = chosenPlan();
  if (!plan) return;
  const quote = chosenQuote();
  const fee = quote?.monthly_fee ?? plan.terms.find(({ months }) => months === draft.months)?.monthly_fee;
  put("quote-title", plan.name);
  put("quote-for", plan.good_for ?? "");
  drawTerms(find("quote-terms"), "quote-term", plan.terms.map(({ months }) => months));
  put("quote-monthly", fee ? won(fee) : "");
  put("quote-first", quote ? won(quote.first_payment) : "…");
  put("quote-total-name", word("quote.total", { months: draft.months }));
  put("quote-total", quote ? won(quote.total) : "…");
  for (const place of document.querySelectorAll("[data-rules]")) place.replaceChildren(...rules(quote));
  find("start").disabled = !quote;
  drawSummary(plan, quote, fee);
}

/** The rules of cancelling, as sentences. */
function rules(quote) {
  if (!quote) return [];
  const { free_until_hours: hours, late_percent: late, early_end_percent: early } = quote.cancel;
  const said = [word("quote.free", { hours }), word("quote.late", { percent: late }), word("quote.early", { percent: early }), word("quote.ours")];
  return said.map((text) => make("li", text));
}

function drawSummary(plan, quote, fee) {
  put("summary-what", `${plan.name} · ${word("term", { months: draft.months })}`);
  put("summary-monthly", fee ? perMonth(fee) : "");
  put("summary-first", quote ? `${word("quote.first")} ${won(quote.first_payment)}` : "");
  put("summary-when", draft.slot ? `${dayOf(draft.slot.starts_at)} ${timeOf(draft.slot.starts_at)}` : "");
}
