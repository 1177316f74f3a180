// The first fee: a coupon and points to choose from where there are some; priced and held by the service; then paid.

import { find, learn, shelf, word } from "./kit.js";
import { doing, foot } from "./my-form.js";
import { get, h, Refusal, send, timeOf, won } from "./my-kit.js";
import { cardForm, tokens } from "./my-card.js";
import { anything, askMeans, choosing, NONE, pointsRight, refusalOf, sumRows } from "./pay-with.js";
import { showWallet } from "./wallet.js";
import { words } from "./words-my-pay.js";

learn(words);

const MINUTE_MS = 60_000;
const TICK_MS = 10_000;
const tab = shelf("sessionStorage");

const pathOf = (checkout, rest = "") => `v1/checkouts/${encodeURIComponent(checkout.checkout_id)}${rest}`;

export async function open({ contract, place, done }) {
  const items = [{ kind: "contract_fee", ref: contract.contract_id }];
  const kept = `checkout.${contract.contract_id}`;
  const token = tokens();
  let chosen = NONE;
  let offered = null; // the discount that is left, once the service has said that it is not all
  let refused = ""; // the words for why what was chosen does not pay
  let checkout = await again();
  let means = await askMeans(contract.plan_id);
  if (!checkout && !anything(means)) await reserve();

  /** What was reserved in this tab before, so that its coupon is not waited for. */
  async function again() {
    const id = tab.read(kept);
    const found = id && (await get(pathOf({ checkout_id: id })).catch(nothing));
    if (found?.state !== "RESERVED") return null;
    if (Date.parse(found.expires_at) > Date.now()) return found;
    await giveBack(found);
    return null;
  }

  /** Its coupon and points are free at once, also when its time is over. */
  async function giveBack(reserved) {
    await send(pathOf(reserved, "/cancel")).catch((problem) => {
      if (problem.code === "BEING_PAID") throw problem;
      return nothing(problem);
    });
    tab.drop(kept);
  }

  async function reserve() {
    const least = offered && { least_discount: offered };
    checkout = await send("v1/checkouts", { order_id: contract.contract_id, items, ...chosen, ...least });
    tab.keep(kept, checkout.checkout_id);
  }

  /** Asks for the price of what is chosen. */
  async function price() {
    if (!pointsRight()) return;
    try {
      await reserve();
      refused = "";
    } catch (problem) {
      refused = problem instanceof Refusal ? refusalOf(problem.code) : "";
      if (!refused) throw problem;
      offered = problem.data.offered ?? null;
      means = offered ? { ...means, limit: { coupon_id: chosen.coupon_id, amount: offered } } : await askMeans(contract.plan_id);
      if (!means.coupons.some(({ coupon_id: id }) => id === chosen.coupon_id)) chosen = { ...chosen, coupon_id: null };
    }
    draw();
    find(checkout ? "priced" : "refused").focus();
  }

  async function letGo() {
    await giveBack(checkout);
    checkout = offered = null;
    means = await askMeans(contract.plan_id);
    draw();
    find("means").querySelector("input").focus();
  }

  async function pay(form) {
    const made = checkout.payable > 0 ? await token(form) : {};
    if (!made) return;
    const { state } = await capture(made.card_token ? { card_token: made.card_token } : {});
    form.reset();
    tab.drop(kept);
    await done(word(state === "CAPTURED" ? "pay.done" : "pay.soon"));
    showWallet();
  }

  async function capture(card) {
    try {
      return await send(pathOf(checkout, "/capture"), card);
    } catch (problem) {
      if (["RESERVATION_EXPIRED", "RESERVATION_CANCELLED"].includes(problem.code)) {
        await giveBack(checkout);
        await reserve(); // what is then shown is what the next press pays
        find("price").replaceWith(priced());
      }
      throw problem;
    }
  }

  function priced() {
    const { total, discount, points_used: points, payable } = checkout;
    return h(
      "section.panel",
      { id: "price", "aria-labelledby": "priced" },
      h("h2", { id: "priced", tabindex: "-1" }, word("pay.priced")),
      h("dl.bill", {}, sumRows({ total, discount, points, payable })),
      h("p.hint", { id: "left" }, left()),
      anything(means) || discount || points ? doing(h("form", { id: "again-form" }, foot(word("pay.again"), "link")), letGo) : "",
    );
  }

  function left() {
    const until = Date.parse(checkout.expires_at);
    const minutes = Math.ceil((until - Date.now()) / MINUTE_MS);
    return minutes > 0 ? word("pay.until", { minutes, when: timeOf(until) }) : word("pay.over");
  }

  function wish() {
    const banner = refused ? h("p.banner", { id: "refused", tabindex: "-1", role: "alert" }, word(refused, { amount: offered ? won(offered) : "" })) : "";
    const change = (now) => {
      if (now.coupon_id !== chosen.coupon_id) offered = null;
      chosen = now;
    };
    return doing(h("form.card", {}, banner, choosing(contract.monthly_fee, means, chosen, change), foot(word("pay.price"))), price);
  }

  function draw() {
    if (!checkout) return place.replaceChildren(wish());
    const free = () => doing(h("form.card", {}, h("p", {}, word("pay.free.lead")), foot(word("pay.free"))), pay);
    place.replaceChildren(priced(), checkout.payable > 0 ? cardForm(word("pay.lead"), word("pay.go", { amount: won(checkout.payable) }), pay) : free());
  }

  const timer = setInterval(() => {
    if (checkout && place.contains(find("left"))) find("left").textContent = left();
    else if (!place.contains(find("means"))) clearInterval(timer);
  }, TICK_MS);
  return { title: "pay.title", draw };
}

/** No answer is as good as none there. */
function nothing(problem) {
  if (!(problem instanceof Refusal)) throw problem;
  return null;
}
