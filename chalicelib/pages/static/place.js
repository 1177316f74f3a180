// Where the holder stands: told with a press only by those who allow it. Asked once, after a first press, and never waited for.

import { pause, shelf } from "./kit.js";

const phone = shelf("localStorage");
const PATIENCE_MS = 1_000; // a press goes out without it rather than late
const LOCATE = { enableHighAccuracy: true, timeout: 10_000, maximumAge: 60_000 };
const REFUSED = 1;
const NO_IDEA_M = 100_000;

/** true, false, or null before anybody was asked. */
export const tellsPlace = () => ({ yes: true, no: false })[phone.read("place")] ?? null;

export const mayAskForPlace = () => tellsPlace() === null && "geolocation" in navigator;

/** "yes" lets the browser ask its own question at once; what is refused there is refused here. */
export function decideOnPlace(choice) {
  phone.keep("place", choice);
  if (choice === "yes") locate();
}

/** Locking is never a question of where somebody is. */
export async function placeFor(action) {
  if (action === "lock" || !tellsPlace()) return null;
  return Promise.race([locate(), pause(PATIENCE_MS).then(() => null)]);
}

const locate = () =>
  new Promise((done) => {
    const found = ({ coords: { latitude, longitude, accuracy } }) =>
      done(accuracy < NO_IDEA_M ? { lat: short(latitude), lon: short(longitude), accuracy_m: Math.round(accuracy) } : null);
    const lost = ({ code }) => {
      if (code === REFUSED) phone.keep("place", "no");
      done(null);
    };
    navigator.geolocation.getCurrentPosition(found, lost, LOCATE);
  });

const short = (degrees) => Number(degrees.toFixed(5));
