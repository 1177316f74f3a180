// Points of ours into a partner's: asked for once, then looked after until the partner has said how it ended.

import { find, hasWord, language, learn, Lost, pause, word } from "./kit.js";
import { allRight, choice, doing, field, foot } from "./my-form.js";
import { get, h, Refusal, send } from "./my-kit.js";
import { words } from "./words-my-points.js";

learn(words);

const LOOK_MS = 1_500;
const PATIENCE_MS = 30_000;

const grouped = (number) => new Intl.NumberFormat("en").format(number);

/** `news(text)`: told how it ended, when everything is to be read anew. */
export function conversion({ partners, balance, news }) {
  async function go(form) {
    const { partner, account } = form.elements;
    const points = wished();
    if (!allRight(form, [["account", /^[\w-]{4,40}$/.test(account.value.trim())], ["amount", points > 0 && points <= balance && points % chosen().takes === 0]])) return;
    const made = await send("v1/me/points/conversions", { partner: partner.value, account: account.value.trim(), points });
    form.querySelector(".slow").textContent = word("convert.pending");
    await news(word(outcome(await ended(made)), { points: grouped(points) }));
    find("convert-title")?.focus();
  }

  const nameOf = (partner) => partner[`name_${language()}`];
  const chosen = () => partners.find(({ partner }) => partner === form.elements.partner.value);
  const wished = () => Number(form.elements.amount.value.replace(/[\s,]/g, "")) || 0;

  /** What comes of it, before it is pressed. */
  function foresee() {
    const { takes, gives } = chosen();
    const right = wished() > 0 && wished() % takes === 0;
    becomes.textContent = right ? word("convert.gives", { name: nameOf(chosen()), gives: grouped((wished() / takes) * gives) }) : "";
  }

  const becomes = h("p.hint", { role: "status" });
  const options = partners.map((each) => ({ value: each.partner, text: nameOf(each), note: word("convert.rate", each) }));
  const form = h(
    "form.card",
    { id: "convert" },
    h("div.tall", {}, choice("partner", word("convert.partner"), options, partners[0].partner, foresee)),
    field("account", { maxlength: "40", spellcheck: "false", autocapitalize: "none" }),
    field("amount", { inputmode: "numeric", maxlength: "9", input: foresee }),
    becomes,
    foot(word("convert.go"), "secondary"),
  );
  return [h("h2", { id: "convert-title", tabindex: "-1" }, word("convert.title")), doing(form, go)];
}

/** The words for how it ended, or that it has not. */
function outcome({ state, reason }) {
  const why = `convert.refused.${reason}`;
  if (state === "REFUSED") return hasWord(why) ? why : "convert.refused";
  return state === "DONE" ? "convert.done" : "convert.long";
}

/** Looked at until it has ended, or for as long as anybody watches. */
async function ended(made) {
  const path = `v1/me/points/conversions/${encodeURIComponent(made.conversion_id)}`;
  let now = made;
  for (let waited = 0; now.state === "PENDING" && waited < PATIENCE_MS; waited += LOOK_MS) {
    await pause(LOOK_MS);
    now = await get(path).catch((problem) => {
      if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
      return now;
    });
  }
  return now;
}
