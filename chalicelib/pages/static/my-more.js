// The rest of the style, before anything that needs it is shown.

const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL("my-more.css", import.meta.url).href });

await new Promise((done) => {
  style.onload = style.onerror = done; // plain is better than nothing
  document.head.append(style);
});
