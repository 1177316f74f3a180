// Campaigns: all of them, newest first; #campaigns/new makes one, #campaigns/<id> is one of them; #campaigns/people: who pays and who may use them.

import { hasWord, learn, word } from "./kit.js";
import { doing, foot } from "./my-form.js";
import { get, h } from "./my-kit.js";
import { won, grouped, table } from "./ops-kit.js";
import { words } from "./words-ops-campaigns.js";
import "./ops-money.js";

learn(words);

export async function open(room) {
  const [id] = room.about;
  if (id === "new") return (await import("./ops-campaign-new.js")).open(room);
  if (id === "people") return (await import("./ops-people.js")).open(room);
  if (id) return (await import("./ops-campaign.js")).open(room, id);
  const found = [];
  let next = null;

  async function more() {
    const page = await get(`v1/ops/campaigns${next ? `?cursor=${encodeURIComponent(next)}` : ""}`);
    found.push(...page.campaigns);
    next = page.next_cursor;
  }

  async function press() {
    const seen = found.length;
    await more();
    draw();
    room.place.querySelectorAll("tbody a")[seen]?.focus();
  }

  function row({ campaign_id: id, name, state, budget, captured, refunded, reserved, counts }) {
    const spent = captured - refunded;
    return [h("a", { href: `#campaigns/${encodeURIComponent(id)}` }, name), stateOf(state), won(budget), `${won(spent)} (${share(spent, budget)})`, won(reserved), grouped(counts.captured - counts.refunded)];
  }

  function draw() {
    const heads = ["name", "state", "budget", "spent", "reserved", "used"].map((name) => word(`campaigns.${name}`));
    room.place.replaceChildren(
      h("p.deeds", {}, h("a.button", { href: "#campaigns/new", id: "new" }, word("campaigns.new")), h("a.button", { href: "#campaigns/people" }, word("people.title"))),
      found.length ? h("section.panel", {}, table(word("campaigns.title"), heads, found.map(row))) : h("p.hint", {}, word("campaigns.none")),
      next ? doing(h("form", {}, foot(word("campaigns.more"), "secondary")), press) : "",
    );
  }

  await more();
  return { title: () => word("campaigns.title"), draw };
}

export const stateOf = (state) => (hasWord(`campaign.${state}`) ? word(`campaign.${state}`) : state);

const share = (part, whole) => `${whole ? Math.round((100 * part) / whole) : 0}%`;
