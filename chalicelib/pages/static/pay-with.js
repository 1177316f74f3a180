// What lowers a payment: one coupon and some points, chosen before it is priced. The sums here are a forecast; the service's own follow.

import { ask, find, h, learn, Lost, word } from "./kit.js";
import { appliesTo, conditionsOf, valueOf, worth } from "./coupons.js";
import { token } from "./sign-in.js";
import { words } from "./words-pay-with.js";

learn(words);
const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("pay-with.css", import.meta.url).href });

await new Promise((done) => {
  style.onload = style.onerror = done; // otherwise a coupon moves away under the finger
  document.head.append(style);
});

const NOTHING = { coupons: [], points: 0 };
export const NONE = { coupon_id: null, points: 0 };

const grouped = (number) => new Intl.NumberFormat("en").format(number);
const won = (amount) => word("won", { amount: grouped(amount) });

/** What this customer has to pay the first fee of a plan with; nothing when nobody says. `limit` {coupon_id, amount}: what is left for one of them, once the service has said so. */
export async function askMeans(plan) {
  const [box, purse] = await Promise.all(["v1/me/coupons", "v1/me/points"].map(asked));
  const coupons = (box?.coupons ?? []).filter((coupon) => coupon.why_not === null && appliesTo(coupon, "contract_fee", plan));
  return { coupons, points: purse?.balance ?? 0 };
}

async function asked(path) {
  try {
    const { status, data } = await ask("GET", path, { token: token() });
    return status === 200 ? data : null;
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    return null;
  }
}

export const anything = ({ coupons, points } = NOTHING) => coupons.length > 0 || points > 0;

/** {discount, points, payable} of an order of `total` paid with what is `chosen`. */
export function forecast(total, means, chosen) {
  const coupon = means.coupons.find(({ coupon_id: id }) => id === chosen.coupon_id);
  const most = coupon && means.limit?.coupon_id === coupon.coupon_id ? means.limit.amount : Infinity;
  const discount = coupon ? Math.min(worth(coupon, total), most) : 0;
  const points = Math.min(chosen.points, total - discount);
  return { total, discount, points, payable: total - discount - points };
}

/** The choice, with what it comes to; `onChange(chosen)` after every change that can be right. */
export function choosing(total, means, chosen, onChange) {
  let now = { ...chosen };
  const sums = h("dl.bill", { "aria-live": "polite" });

  function change(what) {
    now = { ...now, ...what };
    sums.replaceChildren(...sumRows(forecast(total, means, now)));
    onChange(now);
  }

  function coupon(one, n) {
    const off = one ? worth(one, total) : 0;
    const [name, note] = one ? [`${one.name} · ${valueOf(one)}`, off ? conditionsOf(one).join(" · ") : word("means.coupon.less")] : [word("means.coupon.none"), ""];
    const id = one?.coupon_id ?? null;
    const input = h("input", { type: "radio", name: "coupon", id: `coupon-${n}`, value: id ?? "", checked: id === now.coupon_id, disabled: Boolean(one) && off === 0, change: () => change({ coupon_id: id }) });
    return h("label.chip", { for: `coupon-${n}` }, input, h("span", {}, name), note ? h("small", {}, note) : "");
  }

  function points() {
    const error = h("p.error", { id: "points-error", role: "alert" });
    const about = { "aria-describedby": "points-hint points-error", value: now.points || "", input: typed };
    const input = h("input", { id: "points", name: "points", type: "text", inputmode: "numeric", autocomplete: "off", maxlength: "9", ...about });
    function typed() {
      const wish = wished(input.value);
      const right = wish <= means.points;
      error.textContent = right ? "" : word("means.points.wrong", { points: grouped(means.points) });
      if (right) input.removeAttribute("aria-invalid");
      else input.setAttribute("aria-invalid", "true");
      if (right) change({ points: wish });
    }
    function all() {
      input.value = Math.min(means.points, forecast(total, means, { ...now, points: 0 }).payable);
      typed();
    }
    const hint = h("p.hint", { id: "points-hint" }, word("means.points.have", { points: grouped(means.points) }));
    return h("div.field", {}, h("label", { for: "points" }, word("means.points")), hint, h("div.beside", {}, input, h("button.secondary", { type: "button", click: all }, word("means.points.all"))), error);
  }

  sums.append(...sumRows(forecast(total, means, now)));
  return h(
    "fieldset.means",
    { id: "means" },
    h("legend", {}, word("means.title")),
    means.coupons.length ? h("div", { role: "radiogroup", "aria-label": word("means.coupon") }, h("div.chips", {}, [null, ...means.coupons].map(coupon))) : "",
    means.points ? points() : "",
    sums,
  );
}

/** Whether the points that stand there can be used; where they cannot, it is said at their place. */
export function pointsRight() {
  const input = find("points");
  input?.dispatchEvent(new Event("input"));
  if (!input?.hasAttribute("aria-invalid")) return true;
  input.focus();
  return false;
}

const wished = (text) => (/^\d*$/.test(digits(text)) ? Number(digits(text)) : Infinity);
const digits = (text) => text.normalize("NFKC").replace(/[\s,]/g, "");

/** The rows of a bill: what is ordered, what lowers it, what the card pays. */
export function sumRows({ total, discount, points, payable }) {
  const row = (name, text, kind = "div") => h(kind, {}, h("dt", {}, word(name)), h("dd", {}, text));
  return [
    row("means.total", won(total)),
    discount ? row("means.discount", `−${won(discount)}`) : null,
    points ? row("means.used", `−${won(points)}`) : null,
    row("means.payable", won(payable), "div.total"),
  ].filter(Boolean);
}

/** Why what was chosen does not pay, as the name of words; "" when it is about something else. */
export function refusalOf(code) {
  if (code === "BUDGET_SHORT") return "means.offered";
  if (["NOT_ENOUGH_POINTS", "TOO_MANY_POINTS"].includes(code)) return "means.points.gone";
  if (code === "TOO_LITTLE_FOR_A_CARD") return "means.little";
  if (code === "TOO_MANY_HOLDS") return "means.holds";
  return GONE.includes(code) ? "means.gone" : "";
}

const GONE = [
  ...["UNKNOWN_COUPON", "COUPON_USED", "COUPON_VOID", "CAMPAIGN_NOT_OPEN", "CAMPAIGN_CLOSED", "CAMPAIGN_PAUSED", "BUDGET_EXHAUSTED"],
  ...["ORDER_TOO_SMALL", "NOTHING_TO_DISCOUNT", "USER_LIMIT_REACHED"],
];

