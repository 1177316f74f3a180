// "My key is here": its tag, read by the camera where the browser can, or typed; or "it did not come".

import { find, learn, word } from "./kit.js";
import { blame, doing, field, foot } from "./my-form.js";
import { h, pathOf, send } from "./my-kit.js";
import { readsCodes, stopWatching, watch } from "./scan-camera.js";
import { readCode } from "./scan-code.js";
import { words } from "./words-my-tasks.js";

learn(words);

const LOOK_MS = 500;

export async function open({ about, contract, place, done, reload }) {
  const missing = about === "missing";
  const mayScan = !missing && (await readsCodes());
  let told = null; // where the key stands after what was said, when it is not simply here
  let film = null; // what the camera sees, while it looks

  async function tell(body) {
    const { state } = await send(pathOf(contract, "/key/receipt"), body);
    if (state === "verified") return done(word("receipt.verified"));
    told = state;
    draw();
    place.querySelector("h2").focus();
    reload();
  }

  function here(form) {
    const { key_tag: input } = form.elements;
    const tag = readCode(input.value)?.tag;
    if (tag) return tell({ key_tag: tag });
    blame(form, input);
    input.focus();
  }

  function draw() {
    if (film) stopWatching(film);
    film = null;
    if (told) return place.replaceChildren(answer(told, contract));
    const form = missing
      ? h("form.card", {}, h("p", {}, word("receipt.missing")), foot(word("receipt.missing.go")))
      : h("form.card", {}, mayScan && scanning(), field("key_tag", { hint: word("receipt.hint"), autocapitalize: "none", spellcheck: "false", maxlength: "200" }), foot(word("receipt.go")));
    place.replaceChildren(doing(form, missing ? () => tell({ not_received: true }) : here));
  }

  function scanning() {
    const video = h("video.film", { playsinline: true, muted: true, hidden: true, "aria-hidden": "true" });
    const say = h("p.hint", { role: "status" });
    const button = h("button.secondary", { type: "button", id: "scan", click: press }, word("receipt.scan"));
    let seen = null; // the camera goes out when nobody can see its picture any more
    async function press() {
      if (film) return stop();
      film = video;
      video.hidden = false;
      button.textContent = word("receipt.scan.stop");
      say.textContent = word("receipt.scan.look");
      seen = setInterval(() => video.offsetParent || stop(), LOOK_MS);
      await watch(video, read).catch(() => stop("receipt.scan.denied"));
    }
    function stop(why) {
      clearInterval(seen);
      stopWatching(video);
      film = null;
      video.hidden = true;
      button.textContent = word("receipt.scan");
      say.textContent = why ? word(why) : "";
    }
    function read(text) {
      const tag = readCode(text)?.tag;
      if (!tag) return false;
      stop("receipt.scan.read");
      find("key_tag").value = tag;
      find("key_tag").focus();
      return true;
    }
    return [video, button, say];
  }

  return { title: missing ? "receipt.missing.title" : "receipt.title", draw };
}

/** What happens next, when the key is another car's or somewhere else. */
function answer(state, contract) {
  const known = ["wrong_key", "wrong_address"].includes(state) ? state : "other";
  const steps = known === "other" ? [] : [1, 2, 3].map((step) => h("li", {}, word(`receipt.${known}.${step}`)));
  return h(
    "section.panel",
    {},
    h("h2", { tabindex: "-1" }, word(`receipt.${known}.title`)),
    h("p", {}, word(`receipt.${known}.lead`)),
    steps.length > 0 && h("ol.steps", {}, steps),
    h("a.button.main", { href: known === "other" ? `#${contract.contract_id}` : "k" }, word(known === "other" ? "home.back" : "go.smartkey")),
  );
}
