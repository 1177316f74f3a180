// What was done and is not answered yet, kept on this phone with its own time. Sent in order, one after the other, as often as it
// takes: the service knows a repetition by tag, event and time, so each counts once. What it refuses stays until somebody has seen it.

import { ask, Lost } from "./kit.js";
import { token } from "./sign-in.js";

const NAME = "handover-partner";

let memory = null; // stands in where a browser keeps nothing
let opening = null;
let sending = null;
let hear = () => {};

/** `tell(entry, {status, data})` hears each answer; `tell()` that something changed. */
export function listenToOutbox(tell) {
  hear = tell;
}

export const keepsNothing = () => memory !== null;

/** Entries {id, who, at, path, body, about}, oldest first; with `refusal` {status, code} once refused. */
export const entries = () => inStore("readonly", (store) => store.getAll(), () => memory.filter(Boolean));

export async function add(entry) {
  const id = await inStore("readwrite", (store) => store.add(entry), () => memory.push(entry));
  hear();
  return id;
}

/** Somebody has seen that it was refused. */
export async function acknowledge(id) {
  await forget(id);
  hear();
}

const forget = (id) => inStore("readwrite", (store) => store.delete(id), () => delete memory[id - 1]);
const keep = (entry) => inStore("readwrite", (store) => store.put(entry), () => (memory[entry.id - 1] = entry));

/** Sends what is waiting for `who`. Gives "" when all is sent, or why not: "signed out", "no answer". */
export function sendAll(who) {
  sending ??= sendOneByOne(who).finally(() => (sending = null));
  return sending;
}

async function sendOneByOne(who) {
  for (;;) {
    const next = (await entries()).find((entry) => entry.who === who && !entry.refusal);
    if (!next) return "";
    if (!token()) return "signed out";
    const answer = await post(next);
    if (!answer || answer.status >= 500 || answer.status === 429 || answer.status === 408) return "no answer";
    if (answer.status === 401) return "signed out";
    await settle(next, answer);
  }
}

async function post({ path, body }) {
  try {
    return await ask("POST", path, { body, token: token(), timeout: 15_000 });
  } catch (problem) {
    if (problem instanceof Lost) return null;
    throw problem;
  }
}

async function settle(entry, answer) {
  const code = answer.status < 300 ? wrongState(entry, answer.data) : (answer.data.code ?? String(answer.status));
  if (code) await keep({ ...entry, refusal: { status: answer.status, code, state: answer.data.state } });
  else await forget(entry.id);
  hear(entry, answer, code);
}

/** Heard and noted, and yet the key must not go on: `about.stops` names the states in which it must not. */
const wrongState = ({ about }, { state }) => (about.stops?.includes(state) ? "STATE" : "");

async function inStore(mode, work, otherwise) {
  if (!memory) {
    try {
      opening ??= open();
      return await settled((await opening).transaction("outbox", mode).objectStore("outbox"), work);
    } catch {
      memory = [];
    }
  }
  const result = otherwise();
  memory.forEach((entry, n) => (entry.id = n + 1));
  return result;
}

function open() {
  return new Promise((done, broken) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("outbox", { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = () => broken(request.error);
  });
}

/** The result once it is on the disk. */
function settled(store, work) {
  return new Promise((done, broken) => {
    const request = work(store);
    store.transaction.oncomplete = () => done(request.result);
    store.transaction.onabort = store.transaction.onerror = () => broken(store.transaction.error);
  });
}
