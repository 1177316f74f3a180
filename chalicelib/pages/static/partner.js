// The partner page's door: who is here. The rooms behind it are fetched when somebody comes, or when scans wait to be sent.

import { clearFailure, fail, find, Lost, shelf, show, speak, submitting } from "./kit.js";
import { keepOnThisPhone, signIn } from "./sign-in.js";
import { words } from "./words-partner.js";

const phone = shelf("localStorage");
let house = null;

async function enter() {
  const why = await signIn(find("user").value.trim(), find("password").value);
  if (why) return fail(find("sign-in-error"), why, why === "in.refused" ? find("password") : null);
  find("password").value = "";
  await (await open()).welcome();
}

async function open() {
  house ??= await import("./partner-house.js").catch((problem) => {
    if (problem instanceof TypeError) throw new Lost("partner-house.js");
    throw problem;
  });
  return house;
}

async function start() {
  if (!location.hash && !phone.read("person") && !phone.read("kept")) return show("sign-in");
  try {
    await (await open()).start();
  } catch (problem) {
    if (!(problem instanceof Lost)) throw problem;
    show("sign-in");
    fail(find("sign-in-error"), "in.lost");
  }
}

speak(words, () => {
  clearFailure(find("sign-in-form"));
  house?.redraw();
});
keepOnThisPhone();
submitting(find("sign-in-form"), find("sign-in-error"), enter);
find("sign-in-form").addEventListener("focusin", () => open().catch(() => {}), { once: true });
navigator.serviceWorker?.register("p-worker.js", { scope: "partner" }).catch(() => {});
await start();
