// Another car: because something is wrong with this one, or because another would suit better.

import { learn, word } from "./kit.js";
import { choice, doing, foot } from "./my-form.js";
import { h, pathOf, send } from "./my-kit.js";
import { words } from "./words-my-tasks.js";

learn(words);

export async function open({ contract, place, done }) {
  let reason = null;

  async function go(form) {
    if (!reason) return (form.querySelector(".whole").textContent = word("swap.missing"));
    await send(pathOf(contract, "/swap"), { reason });
    await done(word("swap.done"));
  }

  function draw() {
    const options = ["defect", "preference"].map((value) => ({ value, text: word(`swap.${value}`), note: word(`swap.${value}.more`) }));
    const form = h("form.card.tall", {}, choice("reason", word("swap.why"), options, reason, (value) => (reason = value)), foot(word("swap.go")));
    place.replaceChildren(h("p.lead", {}, word("swap.lead")), doing(form, go));
  }
  return { title: "menu.swap", draw };
}
