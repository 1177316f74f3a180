// The smart key of a signed-in customer or driver: the car itself, who else can open it, and sharing it.

import { find, inSeoul, learn, Lost, word } from "./kit.js";
import { drawCar, forgetCar, meetCar, placeCar } from "./car.js";
import { question } from "./dialog.js";
import { choice, doing, foot } from "./my-form.js";
import { get, h, pathOf, Refusal, send } from "./my-kit.js";
import { ownerOf, signIn, token } from "./sign-in.js";
import { words as carWords } from "./words-car.js";
import { words } from "./words-my-smartkey.js";
import "./my-car.js";

learn({ ...carWords, ...words });

const REFRESH_MS = 20_000;
const DAY_MS = 86_400_000;
const LIVE = "LIVE";
const TO_THE_SECOND = { hour: "numeric", minute: "2-digit", second: "2-digit" };

export async function open({ contract, place }) {
  const path = pathOf(contract, "/smart-keys");
  let known = await get(path);
  forgetCar();

  const mine = () => known.car && known.smart_keys.find((key) => key.mine && key.state === LIVE);

  const door = {
    path: pathOf(contract, "/commands"),
    token,
    refresh: () => look().catch(shrug),
    prove,
  };

  async function look() {
    known = await get(path);
    if (!place.contains(find("smart-keys"))) return;
    if (Boolean(mine()) !== Boolean(find("my-car"))) return draw();
    meet();
    drawKeys();
  }

  function meet() {
    const { actions, not_after, uses_left } = mine() ?? {};
    if (actions) meetCar({ car: known.car, actions, not_after, uses_left });
  }

  function draw() {
    place.replaceChildren(mine() ? h("div", { id: "my-car" }) : none(), h("div", { id: "smart-keys" }));
    if (mine()) placeCar(find("my-car"), door, "h2");
    meet();
    drawCar();
    drawKeys();
  }

  const none = () => h("div", {}, h("p.lead", {}, word(known.car ? "keys.none" : "keys.no.car")), h("a.button", { href: "k" }, word("keys.link")));

  /** `said`: what has just been done, for the eye and the ear. */
  function drawKeys(said = "") {
    const current = find("smart-keys");
    if (!said && current.contains(document.activeElement)) return; // nobody loses what they are doing
    const [live, over] = [true, false].map((wanted) => known.smart_keys.filter(({ state }) => (state === LIVE) === wanted));
    const news = h("p.news", { role: "status" });
    current.replaceChildren(
      h("h2", { id: "keys-title", tabindex: "-1" }, word("keys.title")),
      news,
      h("ul.plain", {}, live.map(row)),
      over.length ? h("details.over", {}, h("summary", {}, word("keys.over", { count: over.length })), h("ul.plain", {}, over.map(row))) : "",
      ...sharing(),
    );
    if (!said) return;
    news.textContent = said;
    find("keys-title").focus();
  }

  function row(key) {
    const { grant_id: id, kind, name, mine: own, state, not_after: until } = key;
    const about = [word(`keys.state.${state === LIVE ? stage(key) : state}`), state === LIVE && word("keys.until", { when: inSeoul(until) })];
    const shared = kind === "driver" && !own;
    return h(
      "li.panel",
      { "data-grant": id },
      h("b", {}, own ? word("keys.mine") : name || word(`keys.kind.${kind}`)),
      h("p.hint", {}, about.filter(Boolean).join(" · ")),
      state === LIVE && h("div.pair", {}, press(own ? "keys.again.mine" : "keys.again", again(key)), shared && press("keys.end", end(key))),
    );
  }

  const press = (name, deed) => doing(h("form", {}, foot(word(name), "secondary")), deed);

  const again = ({ grant_id: id, name, mine: own }) => async () => {
    await send(`${path}/${encodeURIComponent(id)}/link`);
    await news(word(own ? "keys.again.mine.done" : "keys.again.done", { name: name ?? "" }));
  };

  const end = ({ grant_id: id, name }) => async () => {
    const sure = await question({ title: "keys.end.title", lead: "keys.end.lead", go: "keys.end" }, async () => "");
    if (!sure) return;
    const { certain_at: at } = await send(`${path}/${encodeURIComponent(id)}`, {}, "DELETE");
    await news(word("keys.end.done", { name: name ?? "", when: inSeoul(at, TO_THE_SECOND) }));
  };

  async function news(said) {
    await get(path).then((fresh) => (known = fresh), shrug); // what is done is done
    drawKeys(said);
  }

  function sharing() {
    if (!mine() || !known.drivers.length) return [];
    const has = (number) => known.smart_keys.some(({ holder, state }) => holder === String(number) && state === LIVE);
    const drivers = known.drivers.map(({ number, name, verified }) => {
      const note = has(number) ? "share.has" : verified ? "" : "share.unverified";
      return { value: String(number), text: name, note: note && word(note), disabled: Boolean(note) };
    });
    const free = drivers.find(({ disabled }) => !disabled);
    const title = h("h2", {}, word("share.title"));
    if (!free) return [title, h("ul.plain", {}, drivers.map(({ text, note }) => h("li.hint", {}, `${text} · ${note}`)))];
    const spans = ["day", "week", "all"].map((value) => ({ value, text: word(`share.${value}`) }));
    const form = h(
      "form.card",
      { id: "share" },
      h("p.hint", {}, word("share.lead")),
      choice("driver", word("share.who"), drivers, free.value),
      h("div.tall", {}, choice("span", word("share.how.long"), spans, "day")),
      foot(word("share.go")),
    );
    return [title, doing(form, share)];
  }

  async function share(form) {
    const days = { day: 1, week: 7 }[form.elements.span.value];
    const holder = form.elements.driver.value;
    const until = Math.min(Date.parse(mine().not_after), days ? Date.now() + days * DAY_MS : Infinity);
    const made = await send(path, { holder, not_after: new Date(until).toISOString() });
    const { name } = known.drivers.find(({ number }) => String(number) === holder);
    await news(word("share.done", { name, when: inSeoul(made.not_after) }));
  }

  const timer = setInterval(() => {
    if (!place.contains(find("smart-keys"))) return clearInterval(timer);
    if (!document.hidden) door.refresh();
  }, REFRESH_MS);
  return { title: "menu.smartkey", draw };
}

/** What is on screen stays. */
function shrug(problem) {
  if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
}

/** How far a key has come. */
const stage = ({ unlocked_at: unlocked, opened_at: opened, sent_at: sent }) => (unlocked ? "unlocked" : opened ? "opened" : sent ? "sent" : "waiting");

/** Signing in once more. True when it was right. */
function prove() {
  const { name } = ownerOf(token());
  const input = { type: "password", autocomplete: "current-password" };
  return question({ title: "again.title", lead: "again.lead", go: "in.go", label: "in.password" }, (form) => signIn(name, form.elements.answer.value), input);
}
