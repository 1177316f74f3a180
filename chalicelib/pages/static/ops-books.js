// Reconciliation: what was compared when, what differed, and putting it right by a line in the ledger. #books/<run> is one run.

import { find, hasWord, learn, Lost, word } from "./kit.js";
import { doing, foot } from "./my-form.js";
import { get, h, Refusal, send } from "./my-kit.js";
import { because, button, grouped, momentOf, panel, table, won } from "./ops-kit.js";
import { words } from "./words-ops-books.js";
import "./ops-money.js";

const LOOK_MS = 1_500;
const OVER = "DONE";
const PATH = "v1/ops/reconciliations";

export async function open({ about: [run], place, say }) {
  learn(words);
  return run ? one(run, place, say) : all(place, say);
}

async function all(place, say) {
  const { reconciliations: runs } = await get(PATH);

  async function begin() {
    const { run_id: id } = await send(PATH, {});
    say(word("books.begun"));
    location.hash = `books/${encodeURIComponent(id)}`;
  }

  const row = ({ run_id: id, at, state, checked, differences, more }) => [h("a", { href: `#books/${encodeURIComponent(id)}` }, momentOf(at)), stateOf(state), grouped(checked), grouped(differences.length + more)];

  function draw() {
    const heads = ["at", "state", "checked", "differences"].map((name) => word(`books.${name}`));
    place.replaceChildren(
      h("p.lead", {}, word("books.lead")),
      doing(h("form.narrow-form", {}, foot(word("books.go"))), begin),
      panel("runs-title", word("books.runs"), runs.length ? table(word("books.runs"), heads, runs.map(row)) : h("p.hint", {}, word("books.none"))),
    );
  }
  return { title: () => word("books.title"), draw };
}

async function one(id, place, say) {
  const path = `${PATH}/${encodeURIComponent(id)}`;
  let run = await get(path);
  const repairs = new Map(); // how those stand that were asked for in this room; the service knows of all

  async function look() {
    run = await get(path).catch((problem) => {
      if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
      return run;
    });
    if (!place.isConnected) return;
    draw();
    if (run.state === OVER) say(result());
    watch();
  }

  function watch() {
    if (run.state !== OVER) setTimeout(() => place.isConnected && look(), LOOK_MS);
  }

  function result() {
    const { checked, differences, more } = run;
    return differences.length ? word("books.found", { count: grouped(differences.length + more) }) : word("books.clean", { checked: grouped(checked) });
  }

  const repair = (n) => async () => {
    const done = await because("do.repair", async (reason) => {
      const { state } = await send("v1/ops/repairs", { run_id: id, difference: n, reason });
      repairs.set(n, state);
    });
    if (!done) return;
    draw();
    say(word(repairs.get(n) === "DONE" ? "do.repair.done" : "do.repair.waits"));
    find("run-title").focus();
  };

  const row = ({ item, account, expected, found, amount }, n) => [item, account, said(expected), said(found), won(amount), repairOf(n)];

  const repairOf = (n) => (repairs.has(n) ? word(repairs.get(n) === "DONE" ? "difference.repaired" : "difference.proposed") : button("do.repair", repair(n)));

  function draw() {
    const { state, checked, differences, more, by } = run;
    const heads = ["item", "account", "expected", "found", "amount", "repair"].map((name) => word(`difference.${name}`));
    const over = state === OVER;
    const found = differences.length ? [h("p.error", {}, result()), h("p.hint", {}, word("books.second", { by })), table(word("books.differences"), heads, differences.map(row))] : over ? h("p.calm", {}, result()) : "";
    place.replaceChildren(
      h("p.back", {}, h("a.link", { href: "#books" }, word("books.title"))),
      panel("run-title", `${stateOf(state)} · ${word("books.checked")} ${grouped(checked)}`, h("div", { id: "run" }, over ? "" : h("progress", { "aria-label": word("books.begun") }), found)),
    );
  }

  watch();
  return { title: () => word("books.title"), draw };
}

const stateOf = (state) => (hasWord(`run.${state}`) ? word(`run.${state}`) : state);

/** A figure, or whatever else stands there. */
const said = (value) => (typeof value === "number" ? won(value) : String(value ?? "–"));
