// The plans page: cards, a quote, and a sign-up that is fetched when somebody begins one. The address's #part says where.

import { ask, find, learn, Lost, put, shelf, show, shown, speak, word } from "./kit.js";
import { choose, draft } from "./plans-draft.js";
import { make, perMonth, won } from "./plans-parts.js";
import { askQuote, chosenPlan, drawQuote, drawTerms, meetPlans, showQuote } from "./quote.js";
import { words } from "./words-plans.js";

const FACTS = ["car_class", "example", "seats", "luggage", "fuel"];

let plans = [];
let signUp = null; // its module, once it is needed

async function load() {
  try {
    const { status, data } = await ask("GET", "v1/plans");
    if (status !== 200) return show("trouble");
    plans = data.plans;
    meetPlans(plans);
    draw();
    await enter();
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    if (!plans.length) show("trouble");
  }
}

/** Shows what the address names, as far as the choices made allow. */
async function enter() {
  const where = location.hash.slice(1);
  const step = where && chosenPlan() ? where : "plans";
  document.body.dataset.side = !["plans", "quote"].includes(step);
  find("way").hidden = ["plans", "quote"].includes(step);
  foot();
  if (step === "plans") return shown() === "plans" || show("plans");
  if (step === "quote") return showQuote();
  await begin(step);
}

/** For who is signed in: what there is to pay with, and only if it can be had. */
function foot() {
  if (shelf("sessionStorage").read("token")) import("./wallet.js").then(({ showWallet }) => showWallet(), () => {});
}

async function begin(step) {
  try {
    signUp ??= await import("./sign-up.js");
    if (await askQuote()) return await signUp.enterStep(step);
  } catch (problem) {
    signUp = null;
    if (!(problem instanceof TypeError || problem instanceof Lost)) throw problem;
  }
  location.hash = "quote";
  find("quote-lost").hidden = false;
}

function draw() {
  if (!plans.length) return;
  const offered = [...new Set(plans.flatMap((plan) => plan.terms.map(({ months }) => months)))].sort((a, b) => a - b);
  drawTerms(find("terms"), "term", offered);
  find("cards").replaceChildren(...plans.map(card));
  drawQuote();
}

function card(plan) {
  const item = find("card").content.cloneNode(true).firstElementChild;
  const fee = plan.terms.find(({ months }) => months === draft.months)?.monthly_fee;
  item.dataset.plan = plan.plan_id;
  item.querySelector("h2").textContent = plan.name;
  item.querySelector(".for").textContent = plan.good_for ?? "";
  for (const fact of FACTS) drawFact(item.querySelector(`[data-fact=${fact}]`), fact, plan[fact]);
  item.querySelector(".price").textContent = fee ? perMonth(fee) : word("plan.none");
  const button = item.querySelector("button");
  button.hidden = !fee;
  button.textContent = word("plan.choose");
  button.setAttribute("aria-label", word("plan.choose.label", { name: plan.name, amount: won(fee ?? 0) }));
  return item;
}

function drawFact(row, fact, value) {
  row.hidden = value === undefined || value === null || value === "";
  row.firstElementChild.textContent = word(fact === "car_class" ? "plan.class" : `plan.${fact}`);
  row.lastElementChild.textContent = fact === "seats" ? word("plan.seats.n", { n: value }) : (value ?? "");
}

/** The guide's texts come with the first section that is opened. */
async function openGuide({ target }) {
  if (!target.open) return;
  const place = target.querySelector("div");
  try {
    learn((await import("./plans-guide.js")).guide);
    const said = word(`${target.dataset.guide}.text`).split("\n");
    place.replaceChildren(...said.map((text) => make("p", text)));
  } catch (problem) {
    if (!(problem instanceof TypeError)) throw problem;
    place.textContent = word("lost");
  }
}

function listen() {
  for (const id of ["terms", "quote-terms"]) {
    find(id).addEventListener("change", ({ target }) => {
      choose({ months: Number(target.value) });
      draw();
      if (id === "quote-terms") askQuote();
    });
  }
  find("cards").addEventListener("click", ({ target }) => {
    const plan = target.closest("button")?.closest("[data-plan]");
    if (!plan) return;
    choose({ plan: plan.dataset.plan });
    location.hash = "quote";
  });
  find("start").addEventListener("click", () => (location.hash = "account"));
  find("back").addEventListener("click", () => signUp?.stepBack());
  find("again").addEventListener("click", load);
  find("quote-again").addEventListener("click", askQuote);
  find("guide").addEventListener("toggle", openGuide, true);
  window.addEventListener("hashchange", enter);
}

speak(words, async () => {
  signUp?.redraw();
  for (const open of document.querySelectorAll("#guide [open]")) openGuide({ target: open });
  await load();
});
listen();
put("boot-text", word("boot"));
await load();
