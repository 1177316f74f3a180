// The codes of a campaign: issuing a batch and watching it grow, the file when it is done, and coupons straight into boxes.

import { find, hasWord, Lost, word } from "./kit.js";
import { download } from "./csv.js";
import { allRight, doing, field, foot, reason } from "./my-form.js";
import { get, h, Refusal, send } from "./my-kit.js";
import { area, because, grouped, listed, numberOf, panel, shrug, table } from "./ops-kit.js";

const LOOK_MS = 1_500;
const OVER = ["DONE", "VOID"];
const MOST = 100_000;
const MOST_TARGETS = 1_000;

/** `path`: of the campaign. `changed()`: told when a batch is done, for its counts are others then. */
export async function codesOf(path, { place: room, say, changed }) {
  let batches = (await get(`${path}/batches`).catch(shrug))?.batches ?? [];
  let timer = null;

  const going = () => batches.some(({ state }) => !OVER.includes(state));

  async function look() {
    const before = going();
    batches = (await get(`${path}/batches`).catch(shrug))?.batches ?? batches;
    if (!room.isConnected) return;
    redraw();
    if (before && !going()) {
      say(word("codes.ready"));
      changed();
    }
  }

  /** As long as a batch grows, and its list is on screen. */
  function watch() {
    clearTimeout(timer);
    if (!going()) return;
    timer = setTimeout(async () => {
      if (!room.isConnected) return;
      await look();
      watch();
    }, LOOK_MS);
  }

  async function issue(form) {
    const count = numberOf(form.elements.count.value);
    const batch = form.elements.batch_id.value.trim();
    if (!allRight(form, [["batch_id", /^[\w.-]{1,64}$/.test(batch)], ["count", count >= 1 && count <= MOST]])) return;
    await send(`${path}/codes`, { batch_id: batch, count });
    await begun(form, word("codes.begun", { count: grouped(count) }));
  }

  async function target(form) {
    const batch = form.elements.target_batch.value.trim();
    const customers = listed(form.elements.customers.value);
    if (!allRight(form, [["target_batch", /^[\w.-]{1,64}$/.test(batch)], ["customers", customers.length >= 1 && customers.length <= MOST_TARGETS]])) return;
    await send(`${path}/targets`, { batch_id: batch, customers, send: form.elements.send.checked });
    await begun(form, word("targets.begun", { count: grouped(customers.length) }));
  }

  async function begun(form, news) {
    form.reset();
    await look();
    for (const id of ["batch_id", "target_batch"]) find(id).value = suggested();
    watch();
    say(news);
  }

  /** A name nobody has used yet: the day, and a number. */
  function suggested() {
    const day = new Date(Date.now() + 9 * 3_600_000).toISOString().slice(0, 10).replaceAll("-", "");
    const taken = new Set(batches.map(({ batch_id: id }) => id));
    for (let n = 1; ; n += 1) if (!taken.has(`${day}-${n}`)) return `${day}-${n}`;
  }

  function row({ batch_id: id, state, issued, count, kind, seconds_left: left, voided }) {
    const [reached, whole] = voided === null ? [issued, count] : [voided, issued];
    const grown = h("progress", { max: whole, value: reached, "aria-label": word("codes.progress", { batch: id }) });
    const file = h("button.secondary", { type: "button", "aria-label": word("codes.file.label", { batch: id }), click: () => take(id) }, word("codes.file"));
    const see = h("button.secondary", { type: "button", "aria-label": word("targets.look.label", { batch: id }), click: () => told(id) }, word("targets.look"));
    const how = state === "DONE" ? (kind === "targets" ? see : file) : left === null ? word(`codes.is.${state}`) : word("codes.left", { seconds: grouped(left) });
    return [id, word(`codes.kind.${kind}`), h("span.grown", {}, OVER.includes(state) ? "" : grown, ` ${grouped(reached)} / ${grouped(whole)}`), [how, " ", voided === null ? end(id) : ""]];
  }

  const end = (id) => h("button.link.danger", { type: "button", "aria-label": word("do.void.name", { batch: id }), click: () => revoke(id) }, word("do.void"));

  /** For a file that was lost, or sent to the wrong people. */
  async function revoke(id) {
    const done = await because("do.void", (reason) => send(`${path}/batches/${encodeURIComponent(id)}/void`, { reason }));
    if (!done) return;
    find("codes-title").focus();
    await look();
    watch();
    say(word("do.void.done", { batch: id }));
  }

  /** How a batch of targets ended: who was told, and who was not and why. */
  async function told(id) {
    const answer = await get(`${path}/targets/${encodeURIComponent(id)}`).catch(shrug);
    if (!answer) return say(word("lost"));
    const { texts, refused } = answer;
    const no = Object.entries({ ...refused, ...texts.refused }).map(([reason, count]) => word("targets.no", { reason: hasWord(`reason.${reason}`) ? word(`reason.${reason}`) : reason, count }));
    say([`${id}: ${word("targets.told", texts)}`, ...no].join(" · "));
  }

  async function take(id) {
    find("codes-error").textContent = "";
    try {
      await download(`${id}.csv`, (cursor) => `${path}/codes/${encodeURIComponent(id)}?format=csv${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      say(word("codes.taken", { batch: id }));
    } catch (problem) {
      if (!(problem instanceof Lost || problem instanceof Refusal)) throw problem;
      find("codes-error").textContent = reason(problem);
    }
  }

  const list = () => (batches.length ? table(word("codes.list"), ["batch", "kind", "grown", "file"].map((name) => word(`codes.head.${name}`)), batches.map(row)) : h("p.hint", {}, word("codes.none")));

  /** While a batch grows, what is focused is left alone; afterwards it, or what is there in its place, has the focus again. */
  function redraw() {
    const place = find("batches");
    const focused = place?.contains(document.activeElement) ? document.activeElement : null;
    if (focused && going()) return grow(place);
    place?.replaceChildren(list());
    if (focused) (place.querySelector(`[aria-label="${CSS.escape(focused.ariaLabel)}"]`) ?? find("codes-title")).focus();
  }

  function grow(place) {
    for (const [n, { issued, voided }] of batches.entries()) place.querySelectorAll("tbody tr")[n]?.querySelector("progress")?.setAttribute("value", voided ?? issued);
  }

  /** Of a campaign that is over there is nothing more to be had but the files. */
  function draw({ state }) {
    watch();
    const over = state === "CLOSED";
    return [
      panel(
        "codes-title",
        word("codes.title"),
        over ? "" : doing(h("form.line", { id: "issue" }, field("batch_id", { value: suggested(), maxlength: "64", spellcheck: "false", autocapitalize: "none" }), field("count", { inputmode: "numeric", value: "1,000", maxlength: "9" }), foot(word("codes.go"))), issue),
        h("div", { id: "batches" }, list()),
        h("p.error", { id: "codes-error", role: "alert" }),
      ),
      over ? "" : panel(
        "targets-title",
        word("targets.title"),
        h(
          "details",
          {},
          h("summary", {}, word("targets.open")),
          doing(
            h(
              "form",
              { id: "target" },
              field("target_batch", { value: suggested(), maxlength: "64", spellcheck: "false", autocapitalize: "none" }),
              area("customers", word("targets.customers.hint")),
              h("p.check", {}, h("input", { id: "send", name: "send", type: "checkbox", checked: true }), h("label", { for: "send" }, word("targets.send"))),
              h("p.hint", {}, word("targets.rules")),
              foot(word("targets.go"), "secondary"),
            ),
            target,
          ),
        ),
      ),
    ];
  }
  return { draw };
}
