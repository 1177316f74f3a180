// Renewing: for how long, at which fee, until when, one button.

import { find, learn, word } from "./kit.js";
import { choice, doing, foot, offering, sums } from "./my-form.js";
import { dateOf, get, h, won } from "./my-kit.js";
import { words } from "./words-my-tasks.js";

learn(words);

export async function open(task) {
  const { plans } = await get("v1/plans");
  const terms = plans.find((plan) => plan.plan_id === task.contract.plan_id)?.terms ?? [];
  let months = null;
  const offer = offering(task, {
    path: "/renew",
    place: () => find("offer"),
    describe: ({ ends_at: end, monthly_fee: fee }) => [
      task.contract.ends_at && [word("renew.before"), dateOf(task.contract.ends_at)],
      [word("renew.after"), dateOf(end)],
      [word("renew.fee"), won(fee)],
    ].filter(Boolean),
    go: (answer) => word(`renew.go.${sums(answer) === "charge" ? "charge" : "free"}`, { amount: won(answer.charge) }),
    done: ({ ends_at: end }) => word("renew.done", { date: dateOf(end) }),
  });

  function pick(value) {
    months = value;
    offer.forget();
  }

  async function preview(form) {
    if (!months) return (form.querySelector(".whole").textContent = word("renew.missing"));
    await offer.look({ months: Number(months) });
  }

  function draw() {
    const options = terms.map((term) => ({ value: String(term.months), text: word("renew.months", { months: term.months }), note: word("renew.monthly", { fee: won(term.monthly_fee) }) }));
    const form = h("form.card", {}, choice("months", word("renew.how.long"), options, months, pick), foot(word("renew.look"), "secondary"));
    task.place.replaceChildren(doing(form, preview), h("div", { id: "offer" }));
    offer.draw();
  }
  return { title: "menu.renew", draw };
}
