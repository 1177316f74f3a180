// Parking near where the customer stands. The position is asked for by a press, used once, and kept nowhere.

import { learn, mapOf, word } from "./kit.js";
import { doing, foot } from "./my-form.js";
import { get, h, won } from "./my-kit.js";
import { words } from "./words-my-look.js";

learn(words);

const NEAR = 1_000;
const FAR = 2_000;
const LOCATE = { enableHighAccuracy: true, timeout: 15_000, maximumAge: 60_000 };

export async function open({ place }) {
  let radius = NEAR;
  let places = null;

  async function look(form) {
    const at = await position().catch((why) => {
      form.querySelector(".whole").textContent = word(why.code === 1 ? "parking.denied" : "parking.nowhere");
    });
    if (!at) return;
    const { latitude: lat, longitude: lon } = at.coords;
    if (places) radius = FAR;
    ({ places } = await get(`v1/parking?lat=${lat.toFixed(5)}&lon=${lon.toFixed(5)}&radius=${radius}`));
    draw();
    place.querySelector("h2").focus();
  }

  function found() {
    if (!places) return [];
    const km = radius / 1000;
    return [h("h2", { tabindex: "-1" }, word(places.length ? "parking.found" : "parking.none", { count: places.length, km })), h("ul.plain", {}, places.map(row))];
  }

  function draw() {
    const button = !places ? "parking.go" : radius < FAR ? "parking.wider" : "parking.again";
    place.replaceChildren(
      h("p.lead", {}, word("parking.lead")),
      ...found(),
      doing(h("form", {}, foot(word(button), places ? "secondary" : "primary")), look),
      h("p.hint", {}, word("parking.address")),
    );
  }
  return { title: "menu.parking", draw };
}

const position = () => new Promise((found, lost) => navigator.geolocation.getCurrentPosition(found, lost, LOCATE));

function row(each) {
  const { name, address, metres, spaces, phone, lat, lon } = each;
  const about = [word("parking.metres", { metres }), spaces && word("parking.spaces", { spaces })].filter(Boolean);
  return h(
    "li.panel",
    {},
    h("h3", {}, name),
    h("p.hint", {}, about.join(" · ")),
    h("p", {}, fee(each)),
    h("p", {}, hours(each.hours)),
    h("p.hint", {}, address),
    h("p.ways", {}, h("a.link", { href: mapOf(name, lat, lon), target: "_blank", rel: "noopener noreferrer" }, word("parking.map")), phone && h("a.link", { href: `tel:${phone}` }, phone)),
  );
}

function fee({ free_of_charge: free, fee: { basic_minutes: minutes, basic_amount: amount, step_minutes: step, step_amount: more, day_amount: day } }) {
  if (free) return word("parking.free");
  const parts = [
    minutes && amount != null && word("parking.basic", { minutes, amount: won(amount) }),
    step && more && word("parking.step", { minutes: step, amount: won(more) }),
    day && word("parking.day", { amount: won(day) }),
  ].filter(Boolean);
  return parts.join(" · ") || word("parking.fee.unknown");
}

function hours(open) {
  const days = ["weekday", "saturday", "holiday"].filter((day) => open[day]);
  return days.map((day) => `${word(`parking.${day}`)} ${open[day]}`).join(" · ") || word("parking.hours.unknown");
}
