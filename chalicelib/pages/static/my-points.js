// My points: what there is, what runs out soon, every movement; birthday, conversion to a partner's, and news about offers.

import { find, hasWord, language, learn, Lost, word } from "./kit.js";
import { allRight, doing, field, foot } from "./my-form.js";
import { dateOf, get, h, momentOf, Refusal, send } from "./my-kit.js";
import { conversion } from "./my-convert.js";
import { showWallet } from "./wallet.js";
import { words } from "./words-my-points.js";

learn(words);

const grouped = (number) => new Intl.NumberFormat("en").format(number);
const SOON_MS = 30 * 86_400_000;
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export async function open({ place, say }) {
  let purse = null;
  let entries = [];
  let next = null;
  let consents = null; // null where nobody says: then nothing is asked
  let partners = [];
  let editing = false;
  await Promise.all([look(), rest()]);

  async function look() {
    const [fresh, page] = await Promise.all([get("v1/me/points"), get("v1/me/points/entries")]);
    purse = fresh;
    entries = page.entries;
    next = page.next_cursor;
  }

  async function rest() {
    const [asked, known] = await Promise.all([get("v1/me/consents").catch(shrug), get("v1/me/points/partners").catch(shrug)]);
    consents = asked;
    partners = known?.partners ?? [];
  }

  async function more() {
    const seen = entries.length;
    const page = await get(`v1/me/points/entries?cursor=${encodeURIComponent(next)}`);
    entries.push(...page.entries);
    next = page.next_cursor;
    draw();
    find("entries").children[seen]?.focus();
  }

  /** After something was done: the newest of all, and what was said of it. */
  async function news(text) {
    await look().catch(shrug);
    draw();
    say(text);
    showWallet();
  }

  async function keepBirthday(form) {
    const [month, day] = ["month", "day"].map((name) => Number(form.elements[name].value));
    if (!allRight(form, [["month", DAYS[month - 1] > 0], ["day", day >= 1 && day <= (DAYS[month - 1] ?? 31)]])) return;
    await send("v1/me/birthday", { month, day }, "PUT");
    editing = false;
    await news(word("birthday.done"));
  }

  async function keepConsents(form) {
    const { marketing, night } = form.elements;
    const wish = { marketing: marketing.checked, night: marketing.checked && night.checked };
    try {
      consents = await send("v1/me/consents", wish, "PUT");
    } catch (problem) {
      [marketing.checked, night.checked] = [consents.marketing, consents.night]; // as it still is
      throw problem;
    }
    const { id } = document.activeElement;
    find("consents").replaceWith(consentForm());
    find(id)?.focus();
    say(word("consents.saved"));
  }

  function balance() {
    const { balance: points, held, debt, expiring } = purse;
    const soon = expiring.filter(({ expires_at: at }) => Date.parse(at) <= Date.now() + SOON_MS);
    const later = expiring.slice(soon.length);
    return h(
      "section.panel",
      { "aria-labelledby": "balance" },
      h("h2.hint", { id: "balance" }, word("points.balance")),
      h("p.figure", {}, word("points.n", { points: grouped(points) })),
      held ? h("p.hint", {}, word("points.held", { points: grouped(held) })) : "",
      debt ? h("p.banner", {}, word("points.debt", { points: grouped(debt) })) : "",
      soon.length ? [h("h3", {}, word("points.expiring")), h("ul.rows.money", {}, soon.map(lot))] : "",
      later.length ? h("details.over", {}, h("summary", {}, word("points.later")), h("ul.rows.money", {}, later.map(lot))) : "",
      h("p.hint", {}, word("points.how")),
    );
  }

  const lot = ({ points, expires_at: at }) => h("li", {}, h("span", {}, word("points.until", { when: dateOf(Date.parse(at) - 1) })), h("b", {}, word("points.n", { points: grouped(points) })));

  function entry({ at, what, points, balance_after: left, debt }) {
    const name = `entries.${what}`;
    const about = [momentOf(at), word("entries.left", { points: grouped(left) }), debt ? word(debt > 0 ? "entries.owed" : "entries.paid", { points: grouped(Math.abs(debt)) }) : ""];
    return h("li", { tabindex: "-1" }, h("span", {}, word(hasWord(name) ? name : "entries.other"), h("span.hint", {}, about.filter(Boolean).join(" · "))), h("b", {}, `${points > 0 ? "+" : points < 0 ? "−" : ""}${grouped(Math.abs(points))}`));
  }

  function birthday() {
    const { birthday: known } = purse;
    const title = h("h2", {}, word("birthday.title"));
    if (known && !editing) return [title, h("p", {}, dayInYear(known), " ", h("button.link", { type: "button", click: change }, word("birthday.change")))];
    const numbers = ["month", "day"].map((name) => field(name, { inputmode: "numeric", maxlength: "2", value: known?.[name] }));
    return [title, doing(h("form.card", { id: "birthday" }, h("p.hint", {}, word("birthday.lead")), h("div.pair", {}, numbers), foot(word("birthday.go"), "secondary")), keepBirthday)];
  }

  function change() {
    editing = true;
    draw();
    find("month").focus();
  }

  /** Each tick is kept at once. */
  function consentForm() {
    const { marketing, night, given_at: given, confirm_by: confirm } = consents;
    const tick = (name, checked, disabled) => h("p.check", {}, h("input", { id: name, name, type: "checkbox", checked, disabled, change: () => form.requestSubmit() }), h("label", { for: name }, word(`consents.${name}`)));
    const form = doing(
      h(
        "form.card",
        { id: "consents" },
        h("p.hint", {}, word("consents.lead")),
        tick("marketing", marketing),
        tick("night", night, !marketing),
        marketing && given ? h("p.hint", {}, word("consents.given", { when: dateOf(given) }), " ", confirm ? word("consents.confirm", { when: dateOf(confirm) }) : "") : "",
        h("p.error.whole", { role: "alert" }),
        h("p.slow.hint", { role: "status" }),
      ),
      keepConsents,
    );
    return form;
  }

  function draw() {
    place.replaceChildren(
      balance(),
      h("h2", {}, word("entries.title")),
      entries.length ? h("ul.rows.money", { id: "entries" }, entries.map(entry)) : h("p.hint", {}, word("entries.none")),
      next ? doing(h("form", {}, foot(word("entries.more"), "secondary")), more) : "",
      ...(partners.length ? conversion({ partners, balance: purse.balance, news }) : []),
      ...birthday(),
      ...(consents ? [h("h2", {}, word("consents.title")), consentForm()] : []),
    );
  }
  return { title: "points.title", draw };
}

/** "29 February" */
const dayInYear = ({ month, day }) => new Intl.DateTimeFormat(language() === "ko" ? "ko-KR" : "en-GB", { timeZone: "UTC", month: "long", day: "numeric" }).format(Date.UTC(2024, month - 1, day));

/** What is on screen stays. */
function shrug(problem) {
  if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
  return null;
}
