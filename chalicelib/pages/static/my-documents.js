// The papers of a contract, each behind a link that lives for minutes and is made when it is asked for.

import { learn, word } from "./kit.js";
import { doing, foot } from "./my-form.js";
import { get, h, pathOf, send, timeOf } from "./my-kit.js";
import { words } from "./words-my-look.js";

learn(words);

export async function open({ contract, place }) {
  const { documents } = await get(pathOf(contract, "/documents"));

  /** The tab is opened by the press itself, or the browser would take it for an advertisement. */
  function opening(kind) {
    return async (form) => {
      const tab = window.open("", "_blank");
      if (tab) tab.opener = null;
      try {
        const { url, expires_at: until } = await send(pathOf(contract, `/documents/${encodeURIComponent(kind)}/link`));
        if (tab) tab.location.replace(url);
        const link = h("a.link", { href: url, target: "_blank", rel: "noopener noreferrer" }, word("documents.again"));
        form.querySelector(".made").replaceChildren(word(tab ? "documents.opened" : "documents.ready", { time: timeOf(until) }), " ", link);
      } catch (problem) {
        tab?.close();
        throw problem;
      }
    };
  }

  function row({ kind, available }) {
    const form = available && doing(h("form", {}, h("p.made.hint", { role: "status" }), foot(word("documents.open"), "secondary")), opening(kind));
    return h("li.panel", {}, h("h2", {}, word(`documents.${kind}`)), h("p.hint", {}, word(available ? `documents.${kind}.more` : "documents.later")), form);
  }

  function draw() {
    place.replaceChildren(h("p.lead", {}, word("documents.lead")), h("ul.plain", {}, documents.map(row)));
  }
  return { title: "menu.documents", draw };
}
