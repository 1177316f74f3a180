// What the parts of /my share: building a page, days and money in words, requests that survive a lost answer.

import { ask, language, Lost, pause, word } from "./kit.js";
import { token } from "./sign-in.js";

export { h } from "./kit.js";

const TRIES = 3;
const TIMEOUT_MS = 12_000;
const LOCALES = { ko: "ko-KR", en: "en-GB" };

/** The service said no; `data` is its problem document. */
export class Refusal extends Error {
  constructor({ status, data, wait }) {
    super(data.code ?? String(status));
    Object.assign(this, { status, data, wait, code: data.code });
  }
}

export const pathOf = (contract, rest = "") => `v1/contracts/${encodeURIComponent(contract.contract_id)}${rest}`;

export const get = (path) => answered(path, () => ask("GET", path, { token: token(), timeout: TIMEOUT_MS }));

const open = new Map(); // what was sent and never answered -> its key: sent again, it is the same deed

/** Once the contract has been read anew, it says what became of them. */
export const forgetDeeds = () => open.clear();

/** A change. Pressed again after a lost answer, it goes out under the same Idempotency-Key. */
export async function send(path, body = {}, method = "POST") {
  const deed = `${method} ${path} ${JSON.stringify(body)}`;
  const key = open.get(deed) ?? crypto.randomUUID();
  open.set(deed, key);
  const options = method === "DELETE" ? {} : { body, key };
  try {
    const answer = await answered(path, () => ask(method, path, { ...options, token: token(), timeout: TIMEOUT_MS }));
    open.delete(deed);
    return answer;
  } catch (problem) {
    if (!(problem instanceof Lost)) open.delete(deed);
    throw problem;
  }
}

/** Tries again what may not have arrived, and what a busy service did not do. `status` beside the answer's own members. */
async function answered(path, once) {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await once();
      if (answer.status < 300) return { ...answer.data, status: answer.status };
      if (answer.status === 401) window.dispatchEvent(new Event("signed-out"));
      if (answer.status < 500) throw new Refusal(answer);
    } catch (problem) {
      if (!(problem instanceof Lost)) throw problem;
    }
    if (tries === TRIES) throw new Lost(path);
    await pause(250 * 4 ** tries);
  }
}

export const won = (amount) => word("won", { amount: new Intl.NumberFormat("en").format(amount) });

const shown = (options) => (time) =>
  new Intl.DateTimeFormat(LOCALES[language()], { timeZone: "Asia/Seoul", hourCycle: "h23", ...options }).format(new Date(time));

/** No line ends between a day and its month. */
export const dayOf = (time) => shown({ weekday: "long", day: "numeric", month: "long" })(time).replace(/([\d월]) /, "$1\u00a0");
export const dateOf = shown({ year: "numeric", month: "long", day: "numeric" });
export const timeOf = shown({ hour: "2-digit", minute: "2-digit" });
export const momentOf = (time) => word("moment", { day: dayOf(time), time: timeOf(time) });

/** "Thursday 26 November, 10:00–12:00" where the slot is known, its beginning where it is not. */
export function slotOf({ slot, at }) {
  if (!slot) return momentOf(at);
  const { starts_at: from, ends_at: to } = slot;
  return word("moment", { day: dayOf(from), time: word("range", { from: timeOf(from), to: timeOf(to) }) });
}
