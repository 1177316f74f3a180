// The style of the rooms where money is looked after, before any of them is shown.

const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("ops-money.css", import.meta.url).href });

await new Promise((done) => {
  style.onload = style.onerror = done; // plain is better than nothing
  document.head.append(style);
});
