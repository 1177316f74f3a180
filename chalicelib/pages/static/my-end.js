// Ending a contract, and taking that back: what it comes to, and one button. No second question, nothing hidden.

import { find, learn, word } from "./kit.js";
import { doing, foot, offering, sums } from "./my-form.js";
import { h, momentOf, pathOf, send, won } from "./my-kit.js";
import { words as late } from "./words-my-late.js";
import { words } from "./words-my-tasks.js";

learn({ ...late, ...words });

export const open = (task) => (task.name === "cancel" ? cancel(task) : takeBack(task));

async function cancel(task) {
  const offer = offering(task, {
    path: "/cancel",
    place: () => find("offer"),
    describe: ({ state, effective_at: at }) => (at ? [[word(state === "cancelled" ? "cancel.now" : "cancel.then"), momentOf(at)]] : []),
    go: (answer) => word(`cancel.go.${sums(answer)}`, { amount: won(answer.charge || answer.refund) }),
    done: ({ state, effective_at: at }) => word(state === "cancelled" ? "cancel.done" : "cancel.done.then", { when: at && momentOf(at) }),
  });
  await offer.look({});

  function draw() {
    task.place.replaceChildren(h("p.lead", {}, word("cancel.lead")), h("div", { id: "offer" }));
    offer.draw();
  }
  return { title: "cancel.title", draw };
}

/** `uncancel` and `withdraw_swap`: nothing to pay, nothing to choose. */
async function takeBack({ name, contract, place, done }) {
  const path = { uncancel: "/uncancel", withdraw_swap: "/swap/withdraw" }[name];

  async function go() {
    await send(pathOf(contract, path));
    await done(word(`${name}.done`));
  }

  function draw() {
    place.replaceChildren(doing(h("form.card", {}, h("p", {}, word(`${name}.lead`)), foot(word(`${name}.go`))), go));
  }
  return { title: `menu.${name}`, draw };
}
