// The style of the car, where it is not the whole page.

const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("car.css", import.meta.url).href });

await new Promise((done) => {
  style.onload = style.onerror = done; // plain is better than nothing
  document.head.append(style);
});
