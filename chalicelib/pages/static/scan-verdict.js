// A big yes or no over the whole screen, readable at arm's length: word, sign, sound and vibration, never colour alone.

import { find, hasWord, put, show, shown, word } from "./kit.js";

const SIGNS = {
  checking: "M50 10a40 40 0 1 0 .1 0zM50 30v22l14 9",
  yes: "M16 54l24 24 46-52",
  no: "M22 22l56 56M78 22l-56 56",
  kept: "M50 10a40 40 0 1 0 .1 0zM50 30v22l14 9",
};
const SOUNDS = { yes: [[880, 0, 0.12], [1320, 0.13, 0.2]], no: [[196, 0, 0.35], [147, 0.38, 0.6]], kept: [[523, 0, 0.15]] };
const SHAKES = { yes: [60], no: [300, 120, 300, 120, 500], kept: [60, 80, 60] };

let now = null; // {kind, what, about, go, next}
let after = () => {};
let audio = null;

/** `next(verdict)` runs when the verdict is put away. */
export function listenToVerdict(next) {
  after = next;
  find("verdict-go").addEventListener("click", leaveVerdict);
}

/** Sound needs one touch before it may play. */
export function wakeSound() {
  audio ??= window.AudioContext ? new AudioContext() : null;
  audio?.resume?.().catch(() => {});
}

export const verdict = () => (shown() === "verdict" ? now : null);

/** kind: checking, yes, no or kept. what: {name, values} of the sentence that says what to do. about: what was scanned. */
export function tellVerdict(told) {
  now = told;
  drawVerdict();
  if (shown() !== "verdict") show("verdict");
  alarm(told.kind);
}

export function drawVerdict() {
  if (!now) return;
  const { kind, what, about, go } = now;
  document.querySelector("[data-view=verdict]").dataset.verdict = kind;
  find("verdict-sign").firstElementChild.setAttribute("d", SIGNS[kind]);
  put("verdict-title", word(`${kind}.title`));
  put("verdict-do", word(what.name, what.values));
  put("verdict-what", about);
  put("verdict-go", go ? word(go) : "");
  find("verdict-go").hidden = !go;
}

export function leaveVerdict() {
  const left = now;
  now = null;
  if (left) after(left);
}

export function alarm(kind) {
  navigator.vibrate?.(SHAKES[kind] ?? []);
  if (audio?.state !== "running") return;
  for (const [pitch, start, length] of SOUNDS[kind] ?? []) {
    const tone = new OscillatorNode(audio, { frequency: pitch, type: kind === "no" ? "sawtooth" : "sine" });
    tone.connect(new GainNode(audio, { gain: 0.3 })).connect(audio.destination);
    tone.start(audio.currentTime + start);
    tone.stop(audio.currentTime + start + length);
  }
}

/** The sentence for a refusal. */
export function sentenceOf({ code, state }) {
  if (code === "STATE") return { name: "no.STATE", values: { state: hasWord(`key.${state}`) ? word(`key.${state}`) : state } };
  return hasWord(`no.${code}`) ? { name: `no.${code}` } : { name: "no.other", values: { code } };
}
