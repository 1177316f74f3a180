// What a code says: a bare tag or label, or this page's address with one of them (`…/partner#t=<tag>`, `#l=<label hash>`),
// so that the camera app of any phone opens the page with it.

const HASH = /^[0-9a-f]{64}$/i;
const TAG = /^[A-Za-z0-9:_-]{1,64}$/;

/** {tag} or {label}; null for anything else. */
export function readCode(text) {
  const said = text.trim().normalize("NFKC");
  const [, kind, value] = said.match(/#([tl])=([^&\s]+)$/) ?? [];
  const bare = kind ? decoded(value) : said;
  if (kind === "l" || (!kind && HASH.test(bare))) return HASH.test(bare) ? { label: bare.toLowerCase() } : null;
  return TAG.test(bare) ? { tag: bare } : null;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
