// Who pays for campaigns and who may use them: sponsors, their people, groups of customers. None of them is listed; each answer says what is so now.

import { word } from "./kit.js";
import { allRight, doing, field, foot } from "./my-form.js";
import { h, send } from "./my-kit.js";
import { area, grouped, listed, panel } from "./ops-kit.js";

const ID = { maxlength: "64", spellcheck: "false", autocapitalize: "none" };
const MOST_MEMBERS = 1_000;
const NAME = /^[\w.-]{1,64}$/;
const CUSTOMER = /^[\w.:@+-]{1,64}$/;

export async function open({ place, say }) {
  const typed = (form, name) => form.elements[name].value.trim();

  async function addSponsor(form) {
    const [id, name] = ["sponsor", "sponsor_name"].map((each) => typed(form, each));
    if (!allRight(form, [["sponsor", NAME.test(id)], ["sponsor_name", name !== ""]])) return;
    await send("v1/ops/sponsors", { sponsor_id: id, name });
    form.reset();
    say(word("sponsor.done", { name, id }));
  }

  async function addPerson(form) {
    const [id, subject] = ["employer", "subject"].map((each) => typed(form, each));
    if (!allRight(form, [["employer", NAME.test(id)], ["subject", /^[\w.-]{1,128}$/.test(subject)]])) return;
    await send(`v1/ops/sponsors/${encodeURIComponent(id)}/people`, { subject });
    form.reset();
    say(word("person.done", { id, subject }));
  }

  async function changeGroup(form) {
    const group = typed(form, "group");
    const [add, remove] = ["add", "remove"].map((each) => listed(typed(form, each)));
    const fit = (some) => some.length <= MOST_MEMBERS && some.every((each) => CUSTOMER.test(each));
    const somebody = add.length + remove.length > 0;
    if (!allRight(form, [["group", NAME.test(group)], ["add", somebody && fit(add)], ["remove", fit(remove) && !remove.some((each) => add.includes(each))]])) return;
    const { added, removed } = await send(`v1/ops/groups/${encodeURIComponent(group)}/members`, { add, remove });
    form.reset();
    say(word("group.done", { group, added: grouped(added), removed: grouped(removed) }));
  }

  function draw() {
    place.replaceChildren(
      h("p.back", {}, h("a.link", { href: "#campaigns" }, word("campaigns.title"))),
      panel("sponsor-title", word("sponsor.title"), doing(h("form.line", {}, field("sponsor", { ...ID, hint: word("sponsor.hint") }), field("sponsor_name", { maxlength: "80", hint: word("sponsor.name.hint") }), foot(word("sponsor.go"))), addSponsor)),
      panel("person-title", word("person.title"), h("p.hint", {}, word("person.lead")), doing(h("form.line", {}, field("employer", ID), field("subject", { ...ID, maxlength: "128" }), foot(word("person.go"), "secondary")), addPerson)),
      panel("group-title", word("group.title"), h("p.hint", {}, word("group.lead")), doing(h("form", { id: "group-form" }, field("group", ID), h("div.pair", {}, area("add", word("group.hint")), area("remove", word("group.hint"))), foot(word("group.go"), "secondary")), changeGroup)),
    );
  }
  return { title: () => word("people.title"), draw };
}
