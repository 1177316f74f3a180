// One campaign: its budget as a sum that adds up, what it spent day by day, its codes, and everything that can be done to it.

import { find, Lost, word } from "./kit.js";
import { conditionsOf, valueOf } from "./coupons.js";
import { get, h, Refusal, send } from "./my-kit.js";
import { chart } from "./ops-chart.js";
import { stateOf } from "./ops-campaigns.js";
import { codesOf } from "./ops-codes.js";
import { because, button, facts, grouped, momentOf, numberOf, panel, shrug, won } from "./ops-kit.js";

const REFRESH_MS = 10_000;
const AMOUNT = { input: { type: "text", inputmode: "numeric", autocomplete: "off", maxlength: "15" } };

export async function open({ place, say }, id) {
  const path = `v1/ops/campaigns/${encodeURIComponent(id)}`;
  let campaign = await get(path);
  let spend = await get(`${path}/spend`).catch(shrug);
  let undo = null; // {deed}: what takes the last change back
  const ids = new Map(); // what was sent and never answered -> its id
  const codes = await codesOf(path, { place, say, changed: () => look().catch(shrug) });

  async function look() {
    [campaign, spend] = await Promise.all([get(path), get(`${path}/spend`).catch(shrug)]);
    redrawFigures();
  }

  /** Only a look counts the coupons; what was counted last stays beside what has changed. */
  function withCounts(fresh) {
    const { issued, registered } = campaign.counts;
    return { ...fresh, counts: { ...fresh.counts, issued: fresh.counts.issued ?? issued, registered: fresh.counts.registered ?? registered } };
  }

  /** Does it, says it, and offers the way back where there is one. */
  async function change(name, deed, back = null) {
    campaign = withCounts(await deed());
    if (!place.isConnected) return;
    undo = back;
    draw();
    say(word(`do.${name}.done`, { budget: won(campaign.budget), name: campaign.name }));
    find(back ? "undo" : "room-title").focus();
  }

  const flip = (name) => change(name, () => send(`${path}/${name}`), { deed: () => flip(name === "pause" ? "resume" : "pause") });

  /** Pressed again after a lost answer it is the same change: its id stays until there is an answer. */
  async function resize(name, amount, undoing = false) {
    const other = name === "top-up" ? "cut" : "top-up";
    const back = undoing ? null : { deed: () => resize(other, amount, true) };
    const deed = `${name} ${amount}`;
    if (!ids.has(deed)) ids.set(deed, crypto.randomUUID());
    const about = name === "top-up" ? { top_up_id: ids.get(deed) } : { cut_id: ids.get(deed) };
    try {
      await change(name, () => send(`${path}/${name}`, { amount, ...about }), back);
      ids.delete(deed);
    } catch (problem) {
      if (!(problem instanceof Lost)) ids.delete(deed);
      throw problem;
    }
  }

  const ask = (name) => () =>
    because(`do.${name}`, async (text) => {
      const amount = numberOf(text);
      if (!(amount > 0)) throw new Refusal({ status: 400, data: { code: "AMOUNT_WRONG" } });
      await resize(name, amount);
    }, AMOUNT);

  const close = () => because("do.close", (reason) => change("close", () => send(`${path}/close`, { reason })));

  /** A press that says at its place what went wrong. */
  const pressing = (deed) => async () => {
    try {
      await deed();
    } catch (problem) {
      if (!(problem instanceof Refusal || problem instanceof Lost)) throw problem;
      const { reason } = await import("./my-form.js");
      find("do-error").textContent = reason(problem);
    }
  };

  function figures() {
    const { budget, available, reserved, captured, refunded } = campaign;
    const adds = budget === available + reserved + captured - refunded;
    const values = Object.fromEntries(Object.entries({ budget, available, reserved, captured, refunded }).map(([name, amount]) => [name, won(amount)]));
    const figure = (name, amount, kind = "div") => h(kind, {}, h("dt", {}, word(`sum.${name}`)), h("dd", {}, won(amount)));
    return [
      h("dl.numbers.four", {}, figure("budget", budget), figure("available", available, "div.good"), figure("reserved", reserved), figure("spent", captured - refunded, "div.warn")),
      bar([["spent", captured - refunded], ["reserved", reserved], ["available", available]]),
      h(adds ? "p.hint" : "p.error", { id: "budget-sum" }, word(adds ? "sum.adds" : "sum.wrong", values)),
      counts(campaign.counts),
    ];
  }

  const bar = (parts) => h("div.bar", { "aria-hidden": "true" }, parts.map(([name, amount]) => grow(h("span", { "data-part": name }), amount)));

  function counts(all) {
    const pairs = ["issued", "registered", "reserved", "captured", "refunded", "left"].map((name) => all[name] != null && [word(`count.${name}`), grouped(all[name])]);
    return facts(pairs);
  }

  function terms() {
    const { min_order, per_user_limit: each, count_limit: count, opens_at: from, closes_at: until, at_the_edge: edge, reserve_at: when, sponsor_id: sponsor, sponsor_percent: percent, download, scope, created_at: made } = campaign;
    return facts([
      [word("terms.value"), [valueOf(campaign), ...conditionsOf({ min_order })].join(" · ")],
      [word("terms.period"), `${from ? momentOf(from) : "…"} – ${until ? momentOf(until) : "…"}`],
      [word("terms.each"), each ? grouped(each) : word("terms.no.limit")],
      [word("terms.count"), count ? grouped(count) : word("terms.no.limit")],
      [word("terms.scope"), scopeOf(scope)],
      [word("terms.edge"), word(`new.edge.${edge}`)],
      [word("terms.reserve"), word(`new.reserve.${when}`)],
      [word("terms.download"), word(download ? "yes" : "no")],
      sponsor && [word("terms.sponsor"), `${sponsor} · ${percent}%`],
      made && [word("terms.made"), momentOf(made)],
      [word("terms.id"), h("code", {}, campaign.campaign_id)],
    ]);
  }

  function deeds() {
    const { state } = campaign;
    if (state === "CLOSED") return "";
    const paused = state === "PAUSED";
    return h(
      "div.deeds",
      {},
      button(`do.${paused ? "resume" : "pause"}`, pressing(() => flip(paused ? "resume" : "pause"))),
      button("do.top-up", ask("top-up")),
      button("do.cut", ask("cut")),
      h("button.secondary.danger", { type: "button", click: close }, word("do.close")),
      undo ? h("button.link", { id: "undo", type: "button", click: pressing(undo.deed) }, word("do.undo")) : "",
      h("p.error", { id: "do-error", role: "alert" }),
    );
  }

  const spending = () => (spend?.days.length ? chart(spend.days, campaign.budget) : h("p.hint", {}, word("chart.none")));

  function redrawFigures() {
    if (!place.contains(find("figures"))) return;
    find("figures").replaceChildren(...figures());
    const read = find("spend").querySelector("details[open]") || find("spend").contains(document.activeElement);
    if (!read) find("spend").replaceChildren(spending());
    find("state").textContent = stateOf(campaign.state);
  }

  function draw() {
    place.replaceChildren(
      h("p.back", {}, h("a.link", { href: "#campaigns" }, word("campaigns.title"))),
      panel("figures-title", word("sum.title"), h("p.state", { id: "state", "data-state": campaign.state }, stateOf(campaign.state)), h("div", { id: "figures" }, figures()), deeds()),
      panel("spend-title", word("chart.title"), h("div", { id: "spend" }, spending())),
      ...codes.draw(campaign).filter(Boolean),
      panel("terms-title", word("terms.title"), campaign.description ? h("p", {}, campaign.description) : "", terms()),
    );
  }

  const timer = setInterval(() => {
    if (!place.contains(find("figures"))) return clearInterval(timer);
    if (!document.hidden) look().catch(shrug);
  }, REFRESH_MS);
  return { title: () => campaign.name, draw };
}

const grow = (part, amount) => {
  part.style.flexGrow = Math.max(amount, 0);
  return part;
};

function scopeOf(scope) {
  if (scope === "all") return word("new.scope.all");
  const { kinds, plans, groups } = scope;
  const said = [...kinds.map((kind) => word(`new.scope.${kind}`)), ...plans, ...groups.map((group) => word("terms.group", { group }))];
  return said.join(", ") || word("new.scope.all");
}
