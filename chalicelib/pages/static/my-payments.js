// What was paid, what comes next, and the time that was not charged.

import { hasWord, learn, word } from "./kit.js";
import { lineName } from "./my-form.js";
import { dateOf, get, h, momentOf, pathOf, won } from "./my-kit.js";
import { words } from "./words-my-look.js";

learn(words);

export async function open({ contract, place }) {
  const { billing, card, next_charge_at: next, balance, charges, gaps } = await get(pathOf(contract, "/payments"));

  function standing() {
    const facts = [
      card && [word("payments.card"), word("card.name", card)],
      next && [word("payments.next"), dateOf(next)],
      balance !== 0 && [word(balance < 0 ? "payments.owed" : "payments.yours"), won(Math.abs(balance))],
    ].filter(Boolean);
    return h(
      "section.panel",
      {},
      h("p", {}, word(`bill.${billing}`)),
      h("dl.facts", {}, facts.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))),
      contract.actions.includes("payment_method") && h("a.button", { href: `#${contract.contract_id}/card` }, word("menu.card")),
    );
  }

  function charge({ what, at, amount, state }) {
    const name = `charge.${state}`;
    return h("li", {}, h("span", {}, lineName(what), h("span.hint", {}, `${dateOf(at)} · ${word(hasWord(name) ? name : "charge.open")}`)), h("b", {}, amount < 0 ? word("payments.back", { amount: won(-amount) }) : won(amount)));
  }

  function gap({ from_at: from, to_at: to }) {
    return h("li", {}, to ? word("gap.closed", { from: momentOf(from), to: momentOf(to) }) : word("gap.open", { from: momentOf(from) }));
  }

  function draw() {
    place.replaceChildren(
      standing(),
      h("h2", {}, word("payments.title")),
      charges.length ? h("ul.rows.money", {}, charges.toReversed().map(charge)) : h("p.hint", {}, word("payments.none")),
      ...(gaps.length ? [h("h2", {}, word("gap.title")), h("p.hint", {}, word("gap.lead")), h("ul.rows", {}, gaps.map(gap))] : []),
    );
  }
  return { title: "menu.payments", draw };
}
