// What somebody has chosen and typed so far. It lives in this tab until the contract is paid; never a card, never a password.

import { shelf } from "./kit.js";

const tab = shelf("sessionStorage");
const EMPTY = { plan: null, months: 6, email: "", drivers: [], day: "", slot: null, address: "", agreed: false, keys: {} };

/** What a new application forgets of the one before. */
export const UNSIGNED = { contract: undefined, signed: undefined, checkout: undefined, payable: undefined, means: undefined, least: undefined, agreed: false, keys: {} };

export const draft = { ...EMPTY, ...JSON.parse(tab.read("plans") ?? "{}") };

export function keep(changes) {
  Object.assign(draft, changes);
  tab.keep("plans", JSON.stringify(draft));
}

/** Another car or term is another application, unless this one may be on its way to be paid. */
export function choose(changes) {
  const other = Object.entries(changes).some(([name, value]) => draft[name] !== value);
  keep({ ...changes, ...(other && !draft.checkout && UNSIGNED) });
}

export function forgetDraft() {
  for (const name of Object.keys(draft)) delete draft[name];
  Object.assign(draft, structuredClone(EMPTY));
  tab.drop("plans");
}

/** The same key for the same deed, also after a reload, so that a lost answer can be asked for again. */
export function keyFor(deed, body) {
  const about = JSON.stringify(body);
  const known = draft.keys[deed];
  if (known?.about === about) return known.key;
  const key = crypto.randomUUID();
  keep({ keys: { ...draft.keys, [deed]: { about, key } } });
  return key;
}
