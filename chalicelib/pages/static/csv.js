// A file from an address that only its owner may read: fetched with the sign-in, then handed to the browser.

import { Lost } from "./kit.js";
import { Refusal } from "./my-kit.js";
import { token } from "./sign-in.js";

const TIMEOUT_MS = 60_000;

/** All pages of a CSV under one head, as a file called `name`. `path(cursor)` gives the address of a page. */
export async function download(name, path) {
  const parts = [];
  for (let cursor = ""; cursor !== null; ) {
    const { text, next } = await page(path(cursor));
    parts.push(parts.length ? text.slice(text.indexOf("\n") + 1) : text);
    cursor = next;
  }
  const address = URL.createObjectURL(new Blob(parts, { type: "text/csv;charset=utf-8" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), TIMEOUT_MS);
}

async function page(path) {
  const stop = AbortSignal.timeout(TIMEOUT_MS);
  const headers = { Accept: "text/csv", Authorization: `Bearer ${token()}` };
  const answer = await fetch(path, { headers, signal: stop, cache: "no-store", redirect: "error" }).catch(() => {
    throw new Lost(path);
  });
  if (answer.status === 401) window.dispatchEvent(new Event("signed-out"));
  if (answer.status >= 500) throw new Lost(path);
  if (!answer.ok) throw new Refusal({ status: answer.status, data: await answer.json().catch(() => ({})), wait: 0 });
  return { text: await answer.text(), next: answer.headers.get("X-Next-Cursor") };
}
