// The sponsor's page: sign in, then one's own campaigns, and the settlement of every month. #<period> is one month.

import { clearFailure, fail, find, inSeoul, Lost, put, show, shown, speak, submitting, word } from "./kit.js";
import { download } from "./csv.js";
import { reason } from "./my-form.js";
import { get, h, Refusal } from "./my-kit.js";
import { grouped, panel, table, won } from "./ops-kit.js";
import { signIn, signOut, token } from "./sign-in.js";
import { words as formWords } from "./words-my-form.js";
import { words as refusalWords } from "./words-ops-refusals.js";
import { words } from "./words-sponsor.js";

const SETTLEMENTS = "v1/sponsor/settlements";

let campaigns = [];
let periods = [];
let settlement = null; // the month that is open
let refused = null; // why there is nothing to show
let round = 0;

async function enter() {
  const why = await signIn(find("user").value.trim(), find("password").value);
  if (why) return fail(find("sign-in-error"), why, why === "in.refused" ? find("password") : null);
  find("password").value = "";
  await load();
}

function leave(why) {
  signOut();
  round += 1;
  campaigns = periods = [];
  settlement = null;
  find("sign-out").hidden = true;
  find("sponsor").replaceChildren();
  put("news", "");
  show("sign-in");
  if (why) fail(find("sign-in-error"), why);
}

async function load() {
  if (!token()) return leave();
  const mine = ++round;
  try {
    const [known, settled] = await Promise.all([get("v1/sponsor/campaigns"), get(SETTLEMENTS)]);
    if (mine !== round) return;
    ({ campaigns } = known);
    ({ periods } = settled);
    find("sign-out").hidden = false;
    await openPeriod(mine);
    if (mine === round) show("house");
  } catch (problem) {
    trouble(problem, mine);
  }
}

async function openPeriod(mine) {
  const wanted = location.hash.slice(1) || periods[0]?.period;
  settlement = wanted && periods.some(({ period }) => period === wanted) ? await get(`${SETTLEMENTS}/${encodeURIComponent(wanted)}`) : null;
  if (mine === round) draw();
}

function trouble(problem, mine) {
  if (mine !== round || problem.status === 401) return;
  if (problem.status === 403) return leave("in.forbidden");
  refused = problem;
  put("trouble-lead", reason(refused));
  show("trouble");
}

async function choose() {
  if (shown() !== "house") return;
  const mine = ++round;
  try {
    await openPeriod(mine);
    find("lines-title")?.focus();
  } catch (problem) {
    trouble(problem, mine);
  }
}

function draw() {
  find("sponsor").replaceChildren(
    panel("campaigns-title", word("campaigns.title"), campaigns.length ? table(word("campaigns.title"), heads("campaigns", "name", "since", "share"), campaigns.map(campaignRow)) : h("p.hint", {}, word("campaigns.none"))),
    panel("periods-title", word("periods.title"), periods.length ? h("nav.months", { "aria-label": word("periods.which") }, periods.map(month)) : h("p.hint", {}, word("periods.none"))),
    settlement ? lines() : "",
  );
}

const heads = (kind, ...names) => names.map((name) => word(`${kind}.${name}`));

const campaignRow = ({ name, created_at: since, sponsor_percent: percent }) => [name, inSeoul(since, { year: "numeric", month: "long", day: "numeric" }), `${percent}%`];

function month({ period, preliminary }) {
  const here = settlement?.period === period;
  return h("a.month", { href: `#${period}`, "aria-current": here && "true" }, period, preliminary ? h("small", {}, word("period.preliminary")) : "");
}

function lines() {
  const { period, preliminary, lines: all, sums } = settlement;
  const money = ({ count, captured, refunded, net, share }) => [grouped(count), won(captured), won(refunded), won(net), won(share)];
  const rows = all.map((line) => [nameOf(line.campaign_id), line.day, ...money(line)]);
  const total = [word("lines.total"), "", ...money(sums)];
  return panel(
    "lines-title",
    word("lines.title", { period }),
    h(preliminary ? "p.banner" : "p.calm", {}, word(preliminary ? "period.preliminary.more" : "period.final")),
    all.length ? h("dl.numbers.four", {}, ["share", "captured", "refunded", "net"].map((name) => h("div", {}, h("dt", {}, word(`lines.${name}`)), h("dd", {}, won(sums[name]))))) : "",
    all.length ? table(word("lines.title", { period }), heads("lines", "campaign", "day", "count", "captured", "refunded", "net", "share"), [...rows, total]) : h("p.hint", {}, word("lines.none")),
    h("p.hint", {}, word("period.late")),
    h("p.deeds", {}, h("button.secondary", { type: "button", click: take }, word("csv.go"))),
    h("p.error", { id: "csv-error", role: "alert" }),
  );
}

const nameOf = (id) => campaigns.find(({ campaign_id: each }) => each === id)?.name ?? id;

async function take() {
  const { period } = settlement;
  find("csv-error").textContent = "";
  try {
    await download(`settlement-${period}.csv`, (cursor) => `${SETTLEMENTS}/${encodeURIComponent(period)}?format=csv${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    put("news", word("csv.done", { period }));
  } catch (problem) {
    if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
    find("csv-error").textContent = reason(problem);
  }
}

speak({ ...formWords, ...refusalWords, ...words }, () => {
  clearFailure(find("sign-in-form"));
  if (shown() === "house") draw();
  if (shown() === "trouble") put("trouble-lead", reason(refused));
});
submitting(find("sign-in-form"), find("sign-in-error"), enter);
find("sign-out").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname);
  leave();
});
find("again").addEventListener("click", load);
window.addEventListener("signed-out", () => token() && leave("in.ended"));
window.addEventListener("hashchange", choose);
await load();
