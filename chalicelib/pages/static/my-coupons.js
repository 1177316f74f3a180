// My coupons: those there are, a code to register, and what may be had for the asking.

import { find, hasWord, learn, Lost, word } from "./kit.js";
import { conditionsOf, valueOf } from "./coupons.js";
import { allRight, doing, field, foot } from "./my-form.js";
import { get, h, Refusal, send } from "./my-kit.js";
import { showWallet } from "./wallet.js";
import { words } from "./words-my-coupons.js";

learn(words);

const LATER = ["not_yet", "paused"];
const CODE = { autocapitalize: "characters", spellcheck: "false", maxlength: "64", enterkeyhint: "done" };

export async function open({ place, say }) {
  let box = [];
  let next = null;
  let offers = [];
  await Promise.all([begin(), seek()]);

  async function begin() {
    ({ coupons: box, next_cursor: next } = await get("v1/me/coupons"));
  }

  /** Without an answer nothing is offered. */
  async function seek() {
    const { campaigns = [] } = await get("v1/me/campaigns").catch(shrug);
    offers = campaigns;
  }

  async function more() {
    const seen = box.length;
    const found = await get(`v1/me/coupons?cursor=${encodeURIComponent(next)}`);
    box.push(...found.coupons);
    next = found.next_cursor;
    draw();
    find(`coupon-${box[seen]?.coupon_id}`)?.focus();
  }

  async function register(form) {
    const code = typed(form.elements.code.value);
    if (!allRight(form, [["code", code !== ""]])) return;
    const made = await send("v1/me/coupons", { code }).catch(tooOften(form));
    if (!made) return;
    form.reset();
    await met(made, "coupons.done");
  }

  const take = (offer) => async () => {
    const made = await send(`v1/me/campaigns/${encodeURIComponent(offer.campaign_id)}/coupon`);
    await met(made, made.status === 200 ? "coupons.known" : "coupons.done");
  };

  /** A coupon that is here now is shown, whatever becomes of asking anew. */
  async function met(made, news) {
    await Promise.all([begin(), seek()]).catch((problem) => {
      shrug(problem);
      if (!box.some(({ coupon_id: id }) => id === made.coupon_id)) box.unshift(made);
    });
    draw();
    find(`coupon-${made.coupon_id}`)?.focus();
    say(word(news, made));
    showWallet();
  }

  function draw() {
    const all = { usable: [], later: [], over: [] };
    for (const coupon of box) all[kindOf(coupon)].push(coupon);
    place.replaceChildren(
      h("p.lead", {}, word("coupons.how")),
      doing(h("form.card", { id: "register" }, h("h2", {}, word("coupons.register")), field("code", { hint: word("coupons.code.hint"), ...CODE }), foot(word("coupons.go"))), register),
      ...(offers.length ? [h("h2", {}, word("coupons.offers")), h("ul.plain.tickets", {}, offers.map(offered))] : []),
      h("h2", {}, word("coupons.usable", { count: `${all.usable.length}${next ? "+" : ""}` })),
      all.usable.length ? h("ul.plain.tickets", {}, all.usable.map(ticket)) : h("p.hint", {}, word("coupons.none")),
      ...(all.later.length ? [h("h2", {}, word("coupons.later")), h("ul.plain.tickets", {}, all.later.map(ticket))] : []),
      all.over.length ? h("details.over", {}, h("summary", {}, word("coupons.over", { count: `${all.over.length}${next ? "+" : ""}` })), h("ul.plain.tickets", {}, all.over.map(ticket))) : "",
      next ? doing(h("form", {}, foot(word("coupons.more"), "secondary")), more) : "",
    );
  }

  function offered(offer) {
    const button = h("form", { "aria-label": word("coupons.get.label", offer) }, foot(word("coupons.get"), "secondary"));
    return h("li.panel.ticket", {}, about(offer), offer.mine ? h("p.hint", {}, word("coupons.mine")) : doing(button, take(offer)));
  }
  return { title: "coupons.title", draw };
}

const kindOf = ({ why_not: why }) => (why === null ? "usable" : LATER.includes(why) ? "later" : "over");

const about = (coupon) => [h("b", {}, valueOf(coupon)), h("span", {}, coupon.name), coupon.description ? h("p", {}, coupon.description) : "", h("p.hint", {}, conditionsOf(coupon).join(" · "))];

function ticket(coupon) {
  const how = coupon.why_not ?? "usable";
  const name = `coupons.is.${how}`;
  return h("li.panel.ticket", { id: `coupon-${coupon.coupon_id}`, tabindex: "-1", "data-is": how }, about(coupon), h("p.stamp", {}, word(hasWord(name) ? name : "coupons.is.expired")));
}

/** As it was printed or as it was heard: the service reads the rest as forgivingly. */
const typed = (text) => text.normalize("NFKC").replace(/[\s\-‐-―]/g, "").toUpperCase();

const tooOften = (form) => (problem) => {
  if (problem.status !== 429) throw problem;
  const seconds = problem.wait || 60;
  const short = seconds < 90;
  form.querySelector(".whole").textContent = short ? word("coupons.wait.short", { seconds }) : word("coupons.wait", { minutes: Math.ceil(seconds / 60) });
  return null;
};

/** What is on screen stays. */
function shrug(problem) {
  if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
  return {};
}
