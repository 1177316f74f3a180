// A coupon in words, and what it is worth: a forecast, for the service alone prices.

import { inSeoul, learn, word } from "./kit.js";
import { words } from "./words-coupons.js";

learn(words);

const DAY = { month: "long", day: "numeric" };
const MOMENT = { ...DAY, hour: "numeric", minute: "2-digit" };
const DAY_MS = 86_400_000;
const SEOUL_MS = 9 * 3_600_000;

const won = (amount) => word("won", { amount: new Intl.NumberFormat("en").format(amount) });

/** "10% off, at most ₩20,000" */
export function valueOf({ kind, value, max_discount: most }) {
  if (kind === "fixed") return word("coupon.fixed", { amount: won(value) });
  return most ? word("coupon.percent.most", { value, amount: won(most) }) : word("coupon.percent", { value });
}

/** The last day of a period that ends with a day, as people say it; the last minute of any other. */
export function lastOf(end) {
  const time = Date.parse(end);
  const left = DAY_MS - ((time + SEOUL_MS) % DAY_MS);
  return inSeoul(time - 1, left === DAY_MS || left <= 60_000 ? DAY : MOMENT);
}

/** Its conditions, one sentence each. */
export function conditionsOf({ min_order: least, opens_at: from, closes_at: until, plans }, now = Date.now()) {
  return [
    least ? word("coupon.least", { amount: won(least) }) : "",
    plans?.length ? word("coupon.plans", { plans: plans.join(", ") }) : "",
    from && Date.parse(from) > now ? word("coupon.from", { when: inSeoul(from, MOMENT) }) : "",
    until ? word("coupon.until", { when: lastOf(until) }) : "",
  ].filter(Boolean);
}

/** Whether it may pay for what is `kind` on a plan; nothing named means everything. */
export const appliesTo = ({ kinds, plans }, kind, plan) => (!kinds.length || kinds.includes(kind)) && (!plans.length || plans.includes(plan));

/** What it takes off an order of `total`; 0 where it does not apply. */
export function worth({ kind, value, max_discount: most, min_order: least }, total) {
  if (total < (least ?? 0)) return 0;
  const off = kind === "fixed" ? value : Math.floor((total * value) / 100);
  return Math.min(off, most ?? off, total);
}
