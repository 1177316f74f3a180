// A question that stands before everything else until it is answered or closed.

import { fail, h, submitting, translate, word } from "./kit.js";

/**
 * `answered(form)`: does what is asked; gives the name of the words that say why not, or {text}, "" when done, or null to close.
 * `labels`: names of words {title, lead, go, label, hint}; without `label` nothing is typed. `values`: for the gaps in `lead`. True when it was done.
 */
export function question({ title, lead, go, label, hint, values }, answered, input = {}) {
  const typed = label && [
    h("label", { for: "answer", "data-t": label }),
    hint && h("p.hint", { id: "answer-hint", "data-t": hint }),
    h("input", { id: "answer", name: "answer", required: true, "aria-describedby": `${hint ? "answer-hint " : ""}answer-error`, ...input }),
  ];
  const error = h("p.error", { id: "answer-error", role: "alert" });
  const form = h(
    "form",
    { novalidate: true },
    h("h2", { id: "question", "data-t": title }),
    h("p.lead", { "data-t": lead }),
    typed,
    error,
    h("button.primary", { type: "submit" }, h("span.spinner", { "aria-hidden": "true" }), h("span", { "data-t": go })),
    h("button.secondary", { type: "button", "data-t": "dialog.close", click: () => dialog.close() }),
  );
  const dialog = h("dialog", { "aria-labelledby": "question" }, form);
  submitting(form, error, async () => {
    const why = await answered(form);
    if (why === "" || why === null) return dialog.close(why === "" ? "done" : "");
    if (why.text) error.textContent = why.text;
    else fail(error, why.name ?? why, form.elements.answer, why.seconds);
  });
  translate(dialog);
  if (values) dialog.querySelector(".lead").textContent = word(lead, values);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "done");
    }),
  );
}
