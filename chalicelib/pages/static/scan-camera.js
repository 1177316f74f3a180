// The viewfinder, where the browser itself reads codes (BarcodeDetector).

import { pause } from "./kit.js";

const LOOK_EVERY_MS = 180;
const SAME_CODE_MS = 2_500;

let stream = null;

export async function readsCodes() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return false;
  return (await window.BarcodeDetector.getSupportedFormats()).includes("qr_code");
}

/** Tells each code that comes into view; once `tell` has taken it (true), not again while it stays. Throws when the camera may not be used. */
export async function watch(video, tell) {
  stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.srcObject = stream;
  video.play().catch(() => {});
  look(video, stream, tell);
}

export function stopWatching(video) {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.srcObject = null;
}

async function look(video, ours, tell) {
  const detector = new window.BarcodeDetector();
  const taken = new Map(); // code -> when it was last in view
  while (stream === ours) {
    const found = await detector.detect(video).catch(() => []);
    for (const { rawValue } of found) {
      const still = performance.now() - taken.get(rawValue) < SAME_CODE_MS;
      if (still || (stream === ours && tell(rawValue))) taken.set(rawValue, performance.now());
    }
    await pause(LOOK_EVERY_MS);
  }
}
