// What every page shares: words in two languages, requests that can fail honestly, one view at a time.
// Addresses are relative to the page ("v1/..." from <base>/k), so the site may live under any path.

const LANGUAGES = ["ko", "en"];
const NAMES = ["한국어", "English"];
let catalogue = {};
let chosen = 0;

/** Storage that a private window may forbid; then it lasts as long as the page. */
export function shelf(kind) {
  const memory = new Map();
  const reach = (work) => {
    try {
      return work(window[kind]);
    } catch {
      return null;
    }
  };
  return {
    read: (name) => reach((store) => store.getItem(`handover.${name}`)) ?? memory.get(name) ?? null,
    keep: (name, value) => {
      memory.set(name, value);
      reach((store) => store.setItem(`handover.${name}`, value));
    },
    drop: (name) => {
      memory.delete(name);
      reach((store) => store.removeItem(`handover.${name}`));
    },
  };
}

const remembered = shelf("localStorage");

export const find = (id) => document.getElementById(id);
export const language = () => LANGUAGES[chosen];
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export function word(name, values = {}) {
  const text = catalogue[name]?.[chosen] ?? "";
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

export const hasWord = (name) => name in catalogue;

/** More words, with the part of a page that needs them. */
export function learn(words) {
  Object.assign(catalogue, words);
}

/** The words of the page, in the remembered language or the browser's; `again` runs after every change. */
export function speak(words, again) {
  catalogue = words;
  const first = (navigator.languages?.[0] ?? navigator.language ?? "ko").slice(0, 2).toLowerCase();
  choose(remembered.read("language") ?? (first === "ko" ? "ko" : "en"));
  find("language").addEventListener("click", () => {
    const next = LANGUAGES[1 - chosen];
    remembered.keep("language", next);
    choose(next);
    again();
  });
}

function choose(name) {
  chosen = Math.max(0, LANGUAGES.indexOf(name));
  document.documentElement.lang = LANGUAGES[chosen];
  document.title = word("title");
  const button = find("language");
  button.textContent = NAMES[1 - chosen];
  button.lang = LANGUAGES[1 - chosen];
  translate(document);
}

/** Fills in the words of a part of the page; for parts that come later. */
export function translate(part) {
  for (const place of part.querySelectorAll("[data-t]")) place.textContent = word(place.dataset.t);
  for (const place of part.querySelectorAll("[data-t-label]")) place.setAttribute("aria-label", word(place.dataset.tLabel));
}

/** "p.hint" with attributes, listeners (functions) and children; what is false or null is left out. */
export function h(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child || child === 0));
  return element;
}

/** Shows one view and hands the focus to its heading, so that a screen reader begins there. */
export function show(name) {
  for (const view of document.querySelectorAll("[data-view]")) view.hidden = view.dataset.view !== name;
  document.querySelector(`[data-view="${name}"] h1`)?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

export const shown = () => document.querySelector("[data-view]:not([hidden])")?.dataset.view;

/** No answer came: the request may or may not have arrived. */
export class Lost extends Error {}

/** One request. An answer of any status is an answer; only its absence is `Lost`. */
export async function ask(method, path, { body, key, token, timeout = 8000, headers = {} } = {}) {
  const sent = { Accept: "application/json", "Accept-Language": language(), ...headers };
  if (body !== undefined) sent["Content-Type"] ??= "application/json";
  if (key) sent["Idempotency-Key"] = key;
  if (token) sent.Authorization = `Bearer ${token}`;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  try {
    const answer = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: stop.signal,
      cache: "no-store",
      redirect: "error",
    });
    const text = await answer.text();
    return { status: answer.status, wait: Number(answer.headers.get("Retry-After")) || 0, data: parsed(text) };
  } catch {
    throw new Lost(path);
  } finally {
    clearTimeout(timer);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** Runs `work(form)` on submit, once at a time. The button stays focusable and says that it is busy. */
export function submitting(form, place, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.getAttribute("aria-busy") === "true") return;
    clearFailure(form);
    form.setAttribute("aria-busy", "true");
    try {
      await work(form);
    } catch (problem) {
      if (!(problem instanceof Lost)) throw problem;
      fail(place, "lost");
    } finally {
      form.removeAttribute("aria-busy");
    }
  });
}

/** Says by name what is wrong, at its place; with the input that must change, or with the seconds to wait. */
export function fail(place, name, input, seconds = 0) {
  place.textContent = word(name, { seconds: seconds || 60 });
  input?.setAttribute("aria-invalid", "true");
  input?.focus();
}

export function clearFailure(form) {
  for (const place of form.querySelectorAll(".error")) place.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Writes only a change, so that a screen reader hears each step once. */
export function put(id, text) {
  if (find(id).textContent !== text) find(id).textContent = text;
}

/** "3 minutes ago", from an RFC 3339 time. */
export function ago(time) {
  const seconds = Math.round((Date.parse(time) - Date.now()) / 1000);
  const form = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return form.format(Math.trunc(seconds / size), unit);
  }
  return form.format(Math.min(0, seconds), "second");
}

/** A moment as the clock on a wall in Seoul shows it. */
export function inSeoul(time, style = { month: "long", day: "numeric", hour: "numeric", minute: "2-digit" }) {
  return new Intl.DateTimeFormat(language(), { timeZone: "Asia/Seoul", ...style }).format(new Date(time));
}

/** A place on the map that people here use: the address carries the coordinates to nobody before it is opened. */
export function mapOf(name, lat, lon) {
  if (language() === "ko") return `https://map.kakao.com/link/map/${encodeURIComponent(name.replaceAll(",", " "))},${lat},${lon}`;
  return `https://www.google.com/maps/search/?api=1&query=${lat},${lon}`;
}
