// Who may drive: named, checked, added with what it costs, and taken off.

import { find, learn, word } from "./kit.js";
import { allRight, choice, doing, field, foot, offering } from "./my-form.js";
import { h, pathOf, send, won } from "./my-kit.js";
import { words } from "./words-my-tasks.js";

learn(words);

const MOST = 5;

export async function open(task) {
  const { contract, place, done } = task;
  const { drivers, actions } = contract;
  const mayAdd = actions.includes("add_driver") && drivers.length < MOST;
  let language = "ko";
  const offer = offering(task, {
    path: "/drivers",
    place: () => find("offer"),
    describe: (_, { name }) => [[word("drivers.who"), name], [word("drivers.then"), word("drivers.checked.first")]],
    go: (answer) => word(answer.charge > 0 ? "drivers.go.charge" : "drivers.go", { amount: won(answer.charge) }),
    done: ({ verified }) => word(verified ? "drivers.done" : "drivers.done.soon"),
  });

  async function preview(form) {
    const text = (name) => form.elements[name].value.trim();
    const birth = birthOf(text("birth_date"));
    const right = allRight(form, [
      ["name", text("name")],
      ["phone", text("phone").replace(/\D/g, "").length >= 8],
      ["birth_date", birth],
      ["licence_no", text("licence_no").replace(/\W/g, "").length >= 5],
    ]);
    if (right) await offer.look({ name: text("name"), phone: text("phone"), birth_date: birth, licence_no: text("licence_no"), language });
  }

  function remove(number) {
    return async () => {
      await send(pathOf(contract, `/drivers/${number}`), {}, "DELETE").catch((problem) => {
        if (problem.status !== 404) throw problem; // gone already: an answer was lost
      });
      await done(word("drivers.removed"));
    };
  }

  function driver({ number, name, phone, licence_no: licence, verified }) {
    const removable = actions.includes("remove_driver") && number > 1;
    return h(
      "li.panel",
      {},
      h("b", {}, name),
      h("p.hint", {}, `${spoken(phone)} · ${licence}`),
      h("p", {}, word(verified ? "drivers.verified" : "drivers.pending")),
      removable && doing(h("form", { id: `remove-${number}` }, foot(word("drivers.remove", { name }), "secondary")), remove(number)),
    );
  }

  function adding() {
    const inputs = [
      field("name", { autocomplete: "name", maxlength: "80", input: offer.forget }),
      field("phone", { type: "tel", inputmode: "tel", maxlength: "20", input: offer.forget }),
      field("birth_date", { inputmode: "numeric", maxlength: "10", hint: word("drivers.birth.hint"), input: offer.forget }),
      field("licence_no", { autocapitalize: "characters", spellcheck: "false", maxlength: "40", input: offer.forget }),
      choice("language", word("drivers.language"), [{ value: "ko", text: "한국어" }, { value: "en", text: "English" }], language, (value) => ((language = value), offer.forget())),
    ];
    return [h("h2", {}, word("drivers.add")), doing(h("form.card", {}, inputs, foot(word("drivers.look"), "secondary")), preview), h("div", { id: "offer" })];
  }

  function draw() {
    place.replaceChildren(
      h("ul.plain", {}, drivers.map(driver)),
      ...(mayAdd ? adding() : [h("p.hint", {}, word("drivers.none.more"))]),
    );
    if (mayAdd) offer.draw();
  }
  return { title: "menu.drivers", draw };
}

/** +821012345678 as people in Korea say it. */
const spoken = (phone) => phone.replace(/^\+82(10)(\d{4})(\d{4})$/, "0$1-$2-$3");

/** YYYY-MM-DD from eight digits in any spelling; "" when there is no such day. */
function birthOf(text) {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})$/.exec(text.replace(/\D/g, "")) ?? [];
  const iso = `${year}-${month}-${day}`;
  const at = new Date(iso);
  return year && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(iso) ? iso : "";
}
