// What a campaign has spent, day by day, against its budget: a drawing for the eye, a table for everybody.

import { h, word } from "./kit.js";
import { grouped, table, won } from "./ops-kit.js";

const [HEIGHT, LEFT, TOP, BOTTOM] = [240, 8, 26, 24];
const [PHONE, DESK] = [340, 960];
const DAY_MS = 86_400_000;

/** `spent`: [{day, captured, refunded, count}], oldest first; a day without any has its place all the same. */
export function chart(spent, budget) {
  const days = everyDay(spent);
  const width = matchMedia("(max-width: 40rem)").matches ? PHONE : DESK;
  let sum = 0;
  const points = days.map((each) => ({ ...each, net: each.captured - each.refunded, sum: (sum += each.captured - each.refunded) }));
  const top = Math.max(budget, ...points.map(({ sum: reached }) => reached), 1);
  const step = (width - 2 * LEFT) / Math.max(points.length, 1);
  const y = (amount) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.max(amount, 0) / top);
  const x = (n) => LEFT + step * (n + 0.5);
  const bar = ({ net }, n) => svg("rect", { class: "day", x: x(n) - Math.min(step * 0.35, 24), width: Math.min(step * 0.7, 48), y: y(net), height: Math.max(HEIGHT - BOTTOM - y(net), net > 0 ? 1 : 0) });
  const line = points.map(({ sum: reached }, n) => `${n ? "L" : "M"}${x(n).toFixed(1)} ${y(reached).toFixed(1)}`).join("");
  const drawing = svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": word("chart.label", { spent: won(sum), budget: won(budget), days: points.length }) },
    svg("line", { class: "floor", x1: LEFT, x2: width - LEFT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
    svg("line", { class: "budget", x1: LEFT, x2: width - LEFT, y1: y(budget), y2: y(budget) }),
    text("start", LEFT, y(budget) - 7, word("chart.budget", { budget: won(budget) })),
    points.map(bar),
    svg("path", { class: "sum", d: line }),
    points.length ? svg("circle", { class: "sum", cx: x(points.length - 1), cy: y(sum), r: 4 }) : "",
    labels(points, x, width),
  );
  const heads = ["day", "captured", "refunded", "net", "sum", "count"].map((name) => word(`chart.${name}`));
  const rows = points.filter(({ captured, refunded, count }) => captured || refunded || count).toReversed().map(({ day, captured, refunded, net, sum: reached, count }) => [day, won(captured), won(refunded), won(net), won(reached), grouped(count)]);
  return h("figure.chart", {}, drawing, h("figcaption.legend", {}, h("span", { "data-line": "day" }, word("chart.net")), h("span", { "data-line": "sum" }, word("chart.sum"))), h("details", {}, h("summary", {}, word("chart.table")), table(word("chart.table"), heads, rows)));
}

function everyDay(spent) {
  const found = new Map(spent.map((each) => [each.day, each]));
  const days = [];
  for (let at = Date.parse(spent[0].day); at <= Date.parse(spent.at(-1).day); at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    days.push(found.get(day) ?? { day, captured: 0, refunded: 0, count: 0 });
  }
  return days;
}

/** The first day, the last one, and the one between where there is room. */
function labels(points, x, width) {
  const last = points.length - 1;
  const shown = [...new Set([0, Math.floor(last / 2), last])].filter((n) => n >= 0 && n <= last);
  const anchor = (n) => (last === 0 || (n > 0 && n < last) ? "middle" : n === 0 ? "start" : "end");
  return shown.map((n) => text(anchor(n), last && n === 0 ? LEFT : last && n === last ? width - LEFT : x(n), HEIGHT - 6, points[n].day.slice(5)));
}

const text = (anchor, x, y, said) => {
  const element = svg("text", { x, y, "text-anchor": anchor });
  element.textContent = said;
  return element;
};

function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat().filter(Boolean));
  return element;
}
