// Review, card, and what follows: contract, licence check, payment. Each deed has one key, so a lost answer is asked for again.
// The card's number goes to the payment company and to nobody else; its token lives in this page's memory only.

import { ask, fail, find, hasWord, Lost, pause, put, show, shown, submitting, word } from "./kit.js";
import { anything, askMeans, choosing, forecast, NONE, pointsRight, refusalOf } from "./pay-with.js";
import { draft, forgetDraft, keep, keyFor, UNSIGNED } from "./plans-draft.js";
import { make, won } from "./plans-parts.js";
import { chosenPlan, chosenQuote, drawQuote } from "./quote.js";
import { settings, signOut, token } from "./sign-in.js";
import { drivers, FIELDS } from "./sign-up-drivers.js";
import { slotText } from "./sign-up-handover.js";

const TRIES = 3;
const FIRST_LOOK_MS = 700;
const SLOWEST_LOOK_MS = 5_000;
const LONG_MS = 12_000;
const STAGES = ["card", "licence", "pay"];
const UNPAID = ["applied", "awaiting_payment"];
const OVER = ["expired", "cancelled", "terminated", "closed"];
const UNREADABLE = {
  INVALID_CARD_EXPIRATION: ["expiry", "card.expiry.shape"],
  INVALID_BIRTH_DAY_FORMAT: ["holder", "card.holder.shape"],
};
const NO_SLOT = ["/handover/at", "HANDOVER_OUT_OF_REACH", "SLOT_FULL", "SLOT_TAKEN", "NO_SUCH_SLOT"];

let card = null; // {token, brand, last4, key} of the card typed last
let stage = ""; // what is going on; "" while nothing is
let news = ""; // what the card view says first
let refusal = ""; // the bank's reason, in one word
let end = null; // {name, code} of an application that came to nothing
let paid = null; // what the last view says
let means = null; // coupons and points to pay with, once they were asked for
let offered = 0; // the discount that is left, when it is not all
let way = {};

class SignedOut extends Error {}

export const busy = () => stage !== "";

export function listenToPayment({ go, say }) {
  way = { go, say };
  find("agree").addEventListener("change", ({ target }) => keep({ agreed: target.checked }));
  find("review-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!draft.agreed) return fail(find("agree-error"), "review.agree.missing", find("agree"));
    find("agree-error").textContent = "";
    go("card");
  });
  submitting(find("card-form"), find("card-error"), pay);
  find("card-other").addEventListener("click", () => {
    forgetCard();
    find("number").focus();
  });
  find("correct").addEventListener("click", applyAgain);
}

export function showReview() {
  find("agree").checked = draft.agreed;
  drawReview();
  if (shown() !== "review") show("review");
}

/** The card's step, with the coupon and the points there are. */
export async function enterCard() {
  means ??= await askMeans(draft.plan);
  showCard();
}

function showCard(name = "", why = "") {
  news = name;
  refusal = why ?? "";
  stage = "";
  drawMeans();
  drawCard();
  if (shown() !== "card") show("card");
}

function drawMeans() {
  const total = chosenQuote()?.first_payment;
  if (!total || !anything(means ?? undefined)) return find("means-place").replaceChildren();
  const choose = (chosen) => {
    const least = chosen.coupon_id === draft.means?.coupon_id ? draft.least : undefined;
    keep({ means: chosen, least, payable: undefined });
    drawCard();
  };
  find("means-place").replaceChildren(choosing(total, means, draft.means ?? NONE, choose));
}

export function drawPayment() {
  if (shown() === "review") drawReview();
  drawMeans();
  drawCard();
  if (stage) drawStage();
  if (end) drawEnd();
  if (paid) drawDone();
}

function drawReview() {
  const plan = chosenPlan();
  const quote = chosenQuote();
  const people = draft.drivers.map(({ name, licence_no: no }) => make("div", `${name} · ${no.slice(0, 2)}••••${no.slice(-2)}`));
  find("review").replaceChildren(
    fact("review.car", [`${plan.name} · ${word("term", { months: draft.months })}`], "quote"),
    fact("review.drivers", people, "drivers"),
    fact("review.when", [draft.slot ? slotText(draft.slot) : ""], "handover"),
    fact("review.where", [draft.address], "handover"),
  );
  const row = (name, amount) => make("div", make("dt", name), make("dd", won(amount)));
  find("review-money").replaceChildren(
    row(word("quote.first"), quote.first_payment),
    row(word("quote.monthly"), quote.monthly_fee),
    row(word("quote.total", { months: draft.months }), quote.total),
  );
  put("agree-text", word("review.agree", { amount: won(quote.monthly_fee) }));
}

function fact(name, values, step) {
  const link = Object.assign(make("a", word("review.change")), { href: `#${step}`, className: "link" });
  link.setAttribute("aria-label", word("review.change.label", { what: word(name) }));
  return make("div", make("dt", word(name)), make("dd", ...values), make("dd", link));
}

function drawCard() {
  find("card-news").hidden = !news;
  const why = hasWord(`declined.${refusal}`) ? ` ${word(`declined.${refusal}`)}` : "";
  put("card-news", news ? word(news, { amount: won(offered || amount()) }) + why : "");
  put("card-go", word("card.go", { amount: won(amount()) }));
  put("summary-first", `${word("quote.first")} ${won(amount())}`);
  find("card-fields").hidden = Boolean(card);
  find("card-known").hidden = find("card-other").hidden = !card;
  if (card) put("card-known", word("card.known", card));
}

const amount = () => draft.payable ?? (means ? forecast(chosenQuote()?.first_payment ?? 0, means, draft.means ?? NONE).payable : chosenQuote()?.first_payment) ?? 0;

function forgetCard() {
  card = null;
  drawCard();
}

/** From the typed card to the paid contract; every step that is done already is not done again. */
async function pay(form) {
  if (!pointsRight()) return;
  const typed = card ? null : typedCard();
  if (!card && !typed) return;
  const failed = await working(async () => {
    drawStage("card");
    if (typed) await tokenOf(typed);
    form.reset();
    await signAndPay();
  });
  offered = failed?.offered ?? 0;
  if (failed?.means) showCard(failed.name);
  else if (failed) fail(find(failed.place ?? "card-error"), failed.name, failed.input && find(failed.input), failed.seconds);
}

/** Runs `work` behind the view that says so. Gives what went wrong and belongs to the card's form. */
async function working(work) {
  stage = "card";
  put("working-more", "");
  show("working");
  try {
    await work();
  } catch (problem) {
    if (problem instanceof Trouble) return back(problem);
    if (problem instanceof Lost) return back({ name: "lost.safe" });
    if (!(problem instanceof SignedOut)) throw problem;
    stage = "";
    signOut();
    await way.say("account", "account-error", "account.ended", "password");
  } finally {
    stage = "";
  }
}

function back(problem) {
  showCard();
  return problem;
}

/** What somebody can put right at the card's form. */
class Trouble extends Error {
  constructor(name, more = {}) {
    super(name);
    Object.assign(this, { name, ...more });
  }
}

/** The three inputs, or null when one of them cannot be right. */
function typedCard() {
  const digits = (id) => find(id).value.normalize("NFKC").replace(/\D/g, "");
  const [number, expiry, holder] = [digits("number"), digits("expiry"), digits("holder")];
  const wrong = (id, name) => fail(find(`${id}-error`), name, find(id));
  if (!/^\d{13,19}$/.test(number)) return wrong("number", "card.number.shape");
  const [month, year] = [expiry.slice(0, 2), expiry.slice(-2)];
  if (![4, 6].includes(expiry.length) || month < "01" || month > "12") return wrong("expiry", "card.expiry.shape");
  if (new Date(2000 + Number(year), Number(month)) <= new Date()) return wrong("expiry", "card.expiry.past");
  if (![6, 10].includes(holder.length)) return wrong("holder", "card.holder.shape");
  return { number, expiry: `${month}/${year}`, birth_or_business_no: holder };
}

async function tokenOf(typed) {
  const known = await settings();
  if (!known) throw new Lost("v1/config");
  const { status, wait, data } = await ask("POST", `${known.payments_url}/v1/card-tokens`, { body: typed, timeout: 15_000 });
  if (status === 429) throw new Trouble("wait", { seconds: wait });
  if (status >= 500) throw new Lost("card-tokens");
  if (status >= 300) throw wrongCard(data.code);
  card = { token: data.card_token, brand: data.brand, last4: data.last4, key: crypto.randomUUID() };
}

/** The payment company's words for what it cannot read. */
function wrongCard(code) {
  const [input, name] = UNREADABLE[code] ?? ["number", "card.refused"];
  return new Trouble(name, { place: `${input}-error`, input });
}

async function signAndPay() {
  drawStage("licence");
  if (!draft.contract && !(await sign())) return;
  if (!(await verified())) return;
  drawStage("pay");
  const checkout = await reserve();
  if (checkout.state === "CAPTURED" || checkout.state === "CAPTURING") return settled(checkout);
  const expected = amount();
  keep({ checkout: checkout.checkout_id, payable: checkout.payable });
  if (checkout.payable !== expected) return showCard("card.changed");
  await capture(checkout);
}

/** True when there is a contract; otherwise somebody has been told what to change. */
async function sign() {
  const application = {
    plan_id: draft.plan,
    months: draft.months,
    handover: { at: draft.slot.starts_at, address: draft.address.trim() },
    drivers: drivers(),
  };
  // The key stands for the application: the same one with another card is still the same contract.
  const key = keyFor("sign", application);
  const answer = await request("POST", "v1/contracts", { body: { ...application, card_token: card.token }, key });
  if (answer.status < 300) signed(answer.data);
  else if (answer.data.code === "KEY_REUSED") await adopt();
  else await refused(answer);
  return Boolean(draft.contract);
}

const signed = ({ contract_id: contract }) => keep({ contract, signed: { plan: draft.plan, months: draft.months } });

/** The contract that was signed by a request whose answer never came, with a card that is forgotten. */
async function adopt() {
  const { data } = await request("GET", "v1/contracts?limit=5");
  const ours = ({ state, plan_id: plan, months }) => UNPAID.includes(state) && plan === draft.plan && months === draft.months;
  const found = data.contracts?.find(ours);
  if (found) return signed(found);
  keep({ keys: {} });
  throw new Lost("v1/contracts");
}

async function refused({ data }) {
  const pointer = data.errors?.[0]?.pointer ?? "";
  const [, number, field] = pointer.match(/^\/drivers\/(\d+)\/(\w+)$/) ?? [];
  const at = (step, ...what) => {
    stage = "";
    return way.say(step, ...what);
  };
  if (FIELDS.includes(field)) return at("drivers", `driver-${number}-${field}-error`, `wrong.${field}`, `driver-${number}-${field}`);
  if (data.code === "DRIVER_TOO_YOUNG") return at("drivers", "drivers-error", "wrong.age");
  if (pointer === "/handover/address") return at("handover", "address-error", "wrong.address", "address");
  if (NO_SLOT.includes(pointer) || NO_SLOT.includes(data.code)) {
    keep({ slot: null });
    return at("handover", "slot-error", "handover.taken");
  }
  if (data.code?.startsWith("CARD_") || pointer === "/card_token") {
    card = null;
    throw new Trouble("card.refused", { place: "number-error", input: "number" });
  }
  finish("refused", data.code);
}

/** Waits for the licence check; true when the contract waits for its payment. */
async function verified() {
  for await (const { status, data } of looks(`v1/contracts/${encodeURIComponent(draft.contract)}`)) {
    if (status === 404 || OVER.includes(data.state)) return finish("over");
    if (data.state === "awaiting_payment") return true;
    if (data.state === "rejected") return finish("rejected", data.why);
    if (data.state && data.state !== "applied") return done();
  }
}

/** `ended`: the one that ran out, for which this stands in. */
async function reserve(ended = null) {
  if (ended) {
    await letGo(ended);
    keep({ keys: { ...draft.keys, checkout: undefined } });
  }
  const least = draft.least && { least_discount: draft.least };
  const body = { order_id: draft.contract, items: [{ kind: "contract_fee", ref: draft.contract }], ...draft.means, ...least };
  if (!ended && draft.checkout && draft.keys.checkout?.about !== JSON.stringify(body)) await letGo(draft.checkout);
  const { status, data } = await request("POST", "v1/checkouts", { body, key: keyFor("checkout", body) });
  if (status >= 300) await reconsider(data);
  const { data: now } = await request("GET", checkoutPath(data.checkout_id));
  const checkout = { ...data, ...now };
  const over = checkout.state === "RESERVED" ? Date.parse(checkout.expires_at) < Date.now() : !["CAPTURING", "CAPTURED"].includes(checkout.state);
  return over && !ended ? reserve(checkout.checkout_id) : checkout;
}

/** Gives its coupon and points back at once; where that is not possible any more, the next answer says so. */
async function letGo(id) {
  await request("POST", `${checkoutPath(id)}/cancel`, { body: {}, key: `cancel-${id}` });
  keep({ checkout: undefined });
}

/** The choice as it stands after a refusal, back at the form. */
async function reconsider({ code, offered: left }) {
  const name = refusalOf(code);
  if (!name) throw new Trouble("lost.safe");
  const { coupon_id: coupon, points } = draft.means ?? NONE;
  means = left ? { ...means, limit: { coupon_id: coupon, amount: left } } : await askMeans(draft.plan);
  const still = means.coupons.some(({ coupon_id: id }) => id === coupon);
  keep({ least: left, payable: undefined, means: { coupon_id: still ? coupon : null, points: Math.min(points, means.points) } });
  throw new Trouble(name, { means: true, offered: left });
}

async function capture(checkout, again = false) {
  const key = `${card.key}-${checkout.checkout_id}`;
  const { status, data } = await request("POST", `${checkoutPath(checkout.checkout_id)}/capture`, { body: { card_token: card.token }, key });
  if (status < 300) return settled({ ...checkout, ...data, state: data.state ?? "CAPTURING" });
  if (data.code === "CARD_DECLINED") return declined(data.reason);
  const { data: now } = await request("GET", checkoutPath(checkout.checkout_id));
  if (["CAPTURING", "CAPTURED"].includes(now.state)) return settled({ ...checkout, ...now });
  if (again) return finish("refused", data.code);
  return capture(await reserve(checkout.checkout_id), true);
}

const checkoutPath = (id) => `v1/checkouts/${encodeURIComponent(id)}`;

/** Paid, or until the bank has said so. */
async function settled(checkout) {
  if (checkout.state === "CAPTURED") return done();
  drawStage("pay");
  put("working-more", word("working.bank"));
  for await (const { data } of looks(checkoutPath(checkout.checkout_id))) {
    if (data.state === "CAPTURED") return done();
    if (data.state && data.state !== "CAPTURING") return declined(data.declined);
  }
}

function declined(why) {
  card = null;
  showCard("card.declined", why);
  find("number").focus();
}

/** Comes back to a contract that was signed before. */
export async function resume(again) {
  if (again && ["card", "rejected", "done"].includes(shown())) return;
  const failed = await working(async () => {
    drawStage("licence");
    means ??= await askMeans(draft.plan);
    if (!(await verified())) return;
    if (draft.checkout) {
      const { data } = await request("GET", checkoutPath(draft.checkout));
      if (["CAPTURING", "CAPTURED"].includes(data.state)) return settled({ ...data, checkout_id: draft.checkout });
    }
    showCard("card.resume");
  });
  if (failed) fail(find("card-error"), failed.name);
}

/** One look after the other, slower and slower; what is not answered is asked again. */
async function* looks(path) {
  const began = performance.now();
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 1.4, SLOWEST_LOOK_MS)) {
    const answer = await ask("GET", path, { token: token() }).catch((problem) => {
      if (!(problem instanceof Lost)) throw problem;
      return null;
    });
    if (answer?.status === 401) throw new SignedOut();
    if (answer && answer.status < 500) yield answer;
    if (performance.now() - began > LONG_MS && !find("working-more").textContent) put("working-more", word("working.long"));
    await pause(wait);
  }
}

/** Asked again under the same key while nothing is known of it. */
async function request(method, path, { body, key } = {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await ask(method, path, { body, key, token: token(), timeout: 15_000 });
      if (answer.status === 401) throw new SignedOut();
      if (answer.status === 429) throw new Trouble("wait", { seconds: answer.wait });
      if (answer.status < 500) return answer;
    } catch (problem) {
      if (!(problem instanceof Lost)) throw problem;
    }
    if (tries === TRIES) throw new Lost(path);
    await pause(300 * 2 ** tries);
  }
}

function drawStage(name = stage) {
  if (name !== stage) put("working-more", "");
  stage = name;
  const at = STAGES.indexOf(name);
  for (const [n, item] of [...find("stages").children].entries()) {
    item.dataset.is = n < at ? "done" : n === at ? "now" : "later";
    item.ariaCurrent = n === at ? "step" : null;
  }
  put("working-say", word(`working.${name}.say`));
}

/** The application came to nothing; gives false. A refusal that is no end leaves the contract as it is. */
function finish(name, code) {
  if (name !== "refused") keep(UNSIGNED);
  end = { name, code: code ?? "" };
  drawEnd();
  show("rejected");
  return false;
}

function drawEnd() {
  const { name, code } = end;
  put("rejected-title", word(`${name}.title`));
  put("rejected-why", hasWord(`why.${code}`) ? word(`why.${code}`) : word(`${name}.why`, { code }));
  put("rejected-next", word(`${name}.next`));
  put("correct", word(`${name}.go`));
}

/** On with everything that was typed. */
function applyAgain() {
  const { name } = end;
  end = null;
  if (draft.contract) return showCard("card.resume");
  way.go({ rejected: "drivers", over: "handover", refused: "review" }[name]);
}

function done() {
  paid = { amount: amount(), contract: draft.contract, slot: draft.slot };
  card = null;
  forgetDraft();
  document.body.dataset.side = false;
  find("way").hidden = true;
  drawQuote();
  drawDone();
  history.replaceState(null, "", location.pathname + location.search);
  show("done");
  return false;
}

function drawDone() {
  put("done-lead", word("done.lead", { amount: won(paid.amount), contract: paid.contract }));
  put("done-day", word("done.day", { when: slotText(paid.slot) }));
}
