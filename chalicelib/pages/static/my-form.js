// Forms of /my: busy once at a time, errors at their place, money before the deed.

import { clearFailure, hasWord, learn, Lost, word } from "./kit.js";
import { h, pathOf, Refusal, send, won } from "./my-kit.js";
import "./my-more.js";
import { words } from "./words-my-form.js";

const SLOW_MS = 4_000;
const OTHER = "problem.other"; // a page for staff says what the service calls it

learn(words);

/** Runs `work` on submit, once at a time; says when it is slow, and at the right place what went wrong. */
export function doing(form, work) {
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy") === "true") return;
    clearFailure(form);
    form.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => (form.querySelector(".slow").textContent = word("slow")), SLOW_MS);
    try {
      await work(form);
    } catch (problem) {
      explain(form, problem);
    } finally {
      clearTimeout(slow);
      form.querySelector(".slow").textContent = "";
      form.removeAttribute("aria-busy");
    }
  });
  return form;
}

/** The end of every form: what is wrong, what takes long, and its one button. */
export function foot(text, kind = "primary") {
  return [
    h("p.error.whole", { role: "alert" }),
    h("p.slow.hint", { role: "status" }),
    h(`button.${kind}`, { type: "submit" }, h("span.spinner", { "aria-hidden": "true" }), h("span", {}, text)),
  ];
}

function explain(form, problem) {
  const fields = problem instanceof Refusal ? (problem.data.errors ?? []) : [];
  const named = ({ pointer }) => (pointer ?? "").split("/").map((name) => form.elements.namedItem(name)).findLast((input) => input?.id);
  const wrong = fields.map(named).filter(Boolean);
  for (const input of wrong) blame(form, input);
  if (!wrong.length) form.querySelector(".whole").textContent = reason(problem);
  else wrong[0].focus();
}

/** Marks one input as wrong, in the words of its field. */
export function blame(form, input, name = `wrong.${input.name}`) {
  input.setAttribute("aria-invalid", "true");
  form.querySelector(`#${input.id}-error`).textContent = word(hasWord(name) ? name : "wrong");
}

/** Finds what cannot be right before it is sent: `checks` are [name, whether it is right]. */
export function allRight(form, checks) {
  const wrong = checks.filter(([, right]) => !right).map(([name]) => form.elements[name]);
  for (const input of wrong) blame(form, input);
  wrong[0]?.focus();
  return wrong.length === 0;
}

/** Why something did not happen, and what to do next. A fault of the page itself is not explained away. */
export function reason(problem) {
  if (problem instanceof Lost) return word("lost");
  if (!(problem instanceof Refusal)) throw problem;
  if (problem.status === 429) return word("wait", { seconds: problem.wait || 60 });
  if (hasWord(`problem.${problem.code}`)) return word(`problem.${problem.code}`, figures(problem.data));
  if (hasWord(OTHER)) return word(OTHER, { code: problem.code, title: problem.data.title ?? "" });
  return word({ 400: "wrong", 404: "problem.NOT_FOUND", 409: "problem.CHANGED" }[problem.status] ?? "problem.REFUSED");
}

const figures = (data) => Object.fromEntries(Object.entries(data).map(([name, value]) => [name, typeof value === "number" ? new Intl.NumberFormat("en").format(value) : value]));

/** A label, its hint, an input, and the place for its error; all read together. */
export function field(name, { hint, ...props } = {}) {
  const about = [hint && `${name}-hint`, `${name}-error`].filter(Boolean).join(" ");
  return h(
    "div.field",
    {},
    h("label", { for: name }, word(`field.${name}`)),
    hint && h("p.hint", { id: `${name}-hint` }, hint),
    h("input", { id: name, name, type: "text", autocomplete: "off", required: true, "aria-describedby": about, ...props }),
    h("p.error", { id: `${name}-error` }),
  );
}

/** One of several. `options`: {value, text, note, disabled}. */
export function choice(name, legend, options, chosen, onChange) {
  const one = ({ value, text, note, disabled }) => {
    const id = `${name}-${value}`.replace(/[^\w-]/g, "_");
    const props = { id, name, value, type: "radio", checked: value === chosen, disabled, change: () => onChange?.(value) };
    return h("label.chip", { for: id }, h("input", props), h("span", {}, text), note && h("small", {}, note));
  };
  return h("fieldset", { id: name }, h("legend", {}, legend), h("div.chips", {}, options.map(one)));
}

const signed = (amount) => `${amount < 0 ? "−" : amount > 0 ? "+" : ""}${won(Math.abs(amount))}`;

/** The lines of a change as the customer sees them (+ comes back, − is owed), and what they come to. */
export function bill({ refund, charge, lines }) {
  if (!lines.length) return h("p.bill.free", {}, word("bill.free"));
  const row = ({ what, amount }) => h("div", {}, h("dt", {}, lineName(what)), h("dd", {}, signed(amount)));
  const total = (name, amount) => h("div.total", {}, h("dt", {}, word(name)), h("dd", {}, won(amount)));
  return h("dl.bill", {}, lines.map(row), charge > 0 ? total("bill.charge", charge) : total("bill.refund", refund));
}

/** Which of the three kinds of money a change is: the words of its button. */
export const sums = ({ refund, charge }) => (charge > 0 ? "charge" : refund > 0 ? "refund" : "free");

export const lineName = (what) => (hasWord(`line.${what}`) ? word(`line.${what}`) : what);

/**
 * A change whose money is shown before the one button that makes it. `look(body)` previews and draws; what is then
 * confirmed is exactly that, by its quote. `describe(answer, body)`: what changes, `go(answer)`: the button's words,
 * `refused(problem)`: told of a refusal before it is explained. `forget()` when something else is chosen.
 */
export function offering(task, { path, describe, go, done, place, refused = () => {} }) {
  let offer = null;
  let wish = 0; // the newest: an answer to an older one is not shown

  async function look(body, why = "") {
    const mine = ++wish;
    const answer = await send(`${pathOf(task.contract, path)}?preview=true`, body);
    if (mine !== wish) return;
    offer = { body, answer, why };
    draw();
    place()?.querySelector("h2").focus();
  }

  async function commit() {
    const { body, answer } = offer;
    try {
      const made = await send(pathOf(task.contract, path), answer.quote ? { ...body, quote: answer.quote } : body);
      await task.done(done(made));
    } catch (problem) {
      if (problem.code === "PREVIEW_EXPIRED") return look(body, word("offer.again"));
      refused(problem);
      throw problem;
    }
  }

  function draw() {
    if (!offer) return place()?.replaceChildren();
    const { body, answer, why } = offer;
    const form = h(
      "form.card.offer",
      {},
      h("h2", { tabindex: "-1" }, word("offer.title")),
      why && h("p.banner", {}, why),
      h("dl.facts", {}, describe(answer, body).map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))),
      bill(answer),
      foot(go(answer)),
    );
    place()?.replaceChildren(doing(form, commit));
  }

  const forget = () => {
    wish += 1;
    offer = null;
    draw();
  };
  return { look, draw, forget };
}
