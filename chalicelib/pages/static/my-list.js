// Several contracts to choose from, or none yet.

import { find, learn, word } from "./kit.js";
import { dateOf, get, h } from "./my-kit.js";
import "./my-more.js";
import { words } from "./words-my-list.js";

learn(words);

/** The caller's contracts: `only` names the one there is; otherwise `draw` lists them. */
export async function listContracts() {
  const found = [];
  let next = null;

  async function more() {
    const { contracts, cursor } = await get(next ? `v1/contracts?cursor=${encodeURIComponent(next)}` : "v1/contracts");
    found.push(...contracts);
    next = cursor;
  }

  function draw() {
    if (!found.length) return drawNone("none");
    find("list-title").textContent = word("list.title");
    find("list").replaceChildren(h("ul.rows", {}, found.map(row)), next ? moreButton() : "");
  }

  function moreButton() {
    const button = h("button.secondary", { type: "button", click: press }, word("list.more"));
    async function press() {
      const seen = found.length;
      button.disabled = true;
      await more().catch(() => {}); // the button stays, to be pressed again
      draw();
      find("list").querySelectorAll("a")[seen]?.focus();
    }
    return button;
  }

  await more();
  return { only: found.length === 1 && !next ? found[0].contract_id : null, draw };
}

function row({ contract_id: id, state, handover_at: at, car }) {
  const name = car ? `${car.model} ${car.plate}` : word("car.none");
  return h("li", {}, h("a", { href: `#${id}` }, h("b", {}, name), h("span.hint", {}, `${word(`short.${state}`)} · ${dateOf(at)}`)));
}

/** `why`: "none" to choose from, or "gone" when the address names none of ours. */
export function drawNone(why) {
  find("list-title").textContent = word(`${why}.title`);
  const way = why === "none" ? "plans" : "#";
  find("list").replaceChildren(h("p.lead", {}, word(`${why}.lead`)), h("a.button.main", { href: way }, word(`${why}.go`)));
}
