// What the rooms of operations share: figures, tables that a phone can show, and questions before what cannot be undone.

import { h, inSeoul, learn, Lost, word } from "./kit.js";
import { question } from "./dialog.js";
import { reason } from "./my-form.js";
import { Refusal } from "./my-kit.js";
import { words } from "./words-ops-refusals.js";

learn(words); // after those of a customer's forms, which say the same to somebody else

export { reason };

export const grouped = (number) => new Intl.NumberFormat("en").format(number);
export const won = (amount) => word("won", { amount: grouped(amount) });
export const momentOf = (time) => inSeoul(time, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

/** A table whose cells carry their column's head, which phones show beside them. `rows`: lists of texts or elements. */
export function table(label, heads, rows) {
  const cell = (inside, n) => h("td", { role: "cell", "data-head": heads[n] }, inside);
  return h(
    "div.scroll",
    { tabindex: "0", role: "group", "aria-label": label },
    h(
      "table",
      { role: "table" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => h("th", { scope: "col", role: "columnheader" }, head)))),
      h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, row.map(cell)))),
    ),
  );
}

export const facts = (pairs) => h("dl.pairs", {}, pairs.filter(Boolean).map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))));

export const panel = (id, title, ...inside) => h("section.panel", { "aria-labelledby": id }, h("h2", { id, tabindex: "-1" }, title), inside);

export const button = (name, click, kind = "secondary") => h(`button.${kind}`, { type: "button", click }, word(name));

/** Asks once more and for what is typed; `deed(text)` does it. What went wrong is said in the question itself. True when done. */
export function because(what, deed, { input = { type: "text", maxlength: "200", autocomplete: "off" }, hint } = {}) {
  return question({ title: `${what}.title`, lead: `${what}.lead`, go: `${what}.go`, label: `${what}.label`, hint }, async (form) => {
    const text = form.elements.answer.value.trim();
    return text ? tried(() => deed(text)) : "answer.missing";
  }, input);
}

/** Asks once more before `deed()`; `values` fill the gaps of the question. True when done. */
export function sure(what, values, deed) {
  return question({ title: `${what}.title`, lead: `${what}.lead`, go: `${what}.go`, values }, () => tried(deed));
}

/** "" when it was done, or why it was not. */
async function tried(deed) {
  try {
    await deed();
    return "";
  } catch (problem) {
    shrug(problem);
    return { text: reason(problem) };
  }
}

/** No answer, or none that helps: what is on screen stays. */
export function shrug(problem) {
  if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
  return null;
}

/** A field for many, one a line. */
export const area = (name, hint) =>
  h(
    "div.field",
    {},
    h("label", { for: name }, word(`field.${name}`)),
    h("p.hint", { id: `${name}-hint` }, hint),
    h("textarea", { id: name, name, rows: "5", spellcheck: "false", autocapitalize: "none", "aria-describedby": `${name}-hint ${name}-error` }),
    h("p.error", { id: `${name}-error` }),
  );

/** Each of them once, however they were parted. */
export const listed = (text) => [...new Set(text.split(/[\s,;]+/).filter(Boolean))];

/** A whole number of won as people type it; NaN for anything else. */
export const numberOf = (text) => (/^\d+$/.test(text.replace(/[\s,]/g, "")) ? Number(text.replace(/[\s,]/g, "")) : NaN);
