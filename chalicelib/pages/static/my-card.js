// The card: its number goes from here straight to the payment service, and we only ever see what stands for it.

import { ask, learn, Lost, word } from "./kit.js";
import { allRight, doing, field, foot } from "./my-form.js";
import { get, h, pathOf, Refusal, send } from "./my-kit.js";
import { settings } from "./sign-in.js";
import { words } from "./words-my-tasks.js";

learn(words);

const FIELDS = {
  number: { inputmode: "numeric", autocomplete: "cc-number", maxlength: "23" },
  expiry: { inputmode: "numeric", autocomplete: "cc-exp", maxlength: "7", placeholder: "MM/YY" },
  birth_or_business_no: { inputmode: "numeric", maxlength: "12" },
};

/** What the payment service's refusals are about. */
const ABOUT = { INVALID_CARD_NUMBER: "number", INVALID_CARD_EXPIRATION: "expiry", INVALID_BIRTH_DAY_FORMAT: "birth_or_business_no" };

const digits = (text) => text.replace(/\D/g, "");

export async function open({ contract, place, done }) {
  const { card } = await get(pathOf(contract, "/payments"));
  const token = tokens();

  async function go(form) {
    const made = await token(form);
    if (!made) return;
    const { card: fresh } = await send(pathOf(contract, "/payment-method"), { card_token: made.card_token });
    form.reset();
    await done(word("card.done", fresh));
  }

  function draw() {
    place.replaceChildren(card ? h("p.lead", {}, word("card.now", card)) : "", cardForm(word("card.lead"), word("card.go"), go));
  }
  return { title: "menu.card", draw };
}

export function cardForm(lead, button, go) {
  const inputs = Object.entries(FIELDS).map(([name, props]) => field(name, { ...props, hint: name === "birth_or_business_no" ? word("card.owner.hint") : null }));
  return doing(h("form.card", {}, h("p.hint", {}, lead), inputs, foot(button)), go);
}

/** Turns what is typed into a token, once for the same card: a lost answer later on costs no second one. */
export function tokens() {
  let last = null;
  return async function token(form) {
    const card = typed(form.elements);
    if (!allRight(form, [["number", /^\d{13,19}$/.test(card.number)], ["expiry", /^(0[1-9]|1[0-2])\/\d{2}$/.test(card.expiry)], ["birth_or_business_no", /^(\d{6}|\d{10})$/.test(card.birth_or_business_no)]])) return null;
    const of = JSON.stringify(card);
    if (last?.of !== of) last = { of, ...(await ofPayments(card)) };
    return last;
  };
}

function typed({ number, expiry, birth_or_business_no: owner }) {
  const [month, year] = [digits(expiry.value).slice(0, 2), digits(expiry.value).slice(-2)];
  return { number: digits(number.value), expiry: `${month}/${year}`, birth_or_business_no: digits(owner.value) };
}

/** Without our sign-in: the payment service is somebody else. */
async function ofPayments(card) {
  const { payments_url: base } = (await settings()) ?? {};
  if (!base) throw new Lost("config");
  const answer = await ask("POST", `${base.replace(/\/$/, "")}/v1/card-tokens`, { body: card, timeout: 12_000 });
  if (answer.status >= 500) throw new Lost("payments");
  if (answer.status >= 300) throw refused(answer);
  return answer.data;
}

/** In our own form of a problem, so that it stands at the field it is about. */
function refused({ status, wait, data }) {
  const name = ABOUT[data.code];
  return new Refusal({ status, wait, data: { code: "CARD_UNKNOWN", errors: name ? [{ pointer: `/${name}` }] : [] } });
}
