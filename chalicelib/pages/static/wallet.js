// The foot of a customer's page: points and usable coupons, asked for once the page itself stands. Without an answer it stays away.

import { ask, find, h, inSeoul, learn, Lost, word } from "./kit.js";
import { token } from "./sign-in.js";
import { words } from "./words-wallet.js";

learn(words);
document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("wallet.css", import.meta.url).href }));

/** Asks anew; what is on screen stays until there is an answer. */
export async function showWallet() {
  const owner = token();
  const answer = owner && (await ask("GET", "v1/me/wallet", { token: owner }).catch(stayAway));
  if (owner !== token()) return;
  draw(answer?.status === 200 ? answer.data : null);
}

function draw(wallet) {
  const place = find("wallet");
  place.hidden = !wallet;
  if (!wallet) return place.replaceChildren();
  const { points, coupons, expiring_soon: soon } = wallet;
  place.replaceChildren(
    h("nav", { "aria-label": word("wallet.label") }, entry("points", word("wallet.points.n", { points: grouped(points) })), entry("coupons", word("wallet.coupons.n", { count: coupons }))),
    soon ? h("p.hint", {}, word("wallet.soon", { points: grouped(soon.points), when: inSeoul(Date.parse(soon.at) - 1, { month: "long", day: "numeric" }) })) : "",
  );
}

const entry = (name, text) => h("a", { href: `my#${name}` }, h("span", {}, word(`wallet.${name}`)), " ", h("b", {}, text));

const grouped = (number) => new Intl.NumberFormat("en").format(number);

function stayAway(problem) {
  if (!(problem instanceof Lost)) throw problem;
  return null;
}
