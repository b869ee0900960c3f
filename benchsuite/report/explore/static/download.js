// What can be taken away: pictures of figures, and the table of numbers as text.
function offer(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function menu(title, ...buttons) {
  return make("details", { class: "menu" }, make("summary", {}, title), make("div", {}, ...buttons));
}

function button(text, onclick) {
  return make("button", { type: "button", onclick }, text);
}

const PAINTED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linejoin",
  "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];

// A picture of the page as a file of its own: with the colours and fonts that the page gives it.
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, i) => {
    const style = getComputedStyle(originals[i]);
    element.setAttribute("style", PAINTED.map((key) => `${key}:${style.getPropertyValue(key)}`).join(";"));
    for (const key of ["class", "href", "tabindex"]) element.removeAttribute(key);
  });
  const [, , width, height] = svg.getAttribute("viewBox").split(/\s+/).map(Number);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.prepend(svgOf("rect", { width, height, style: `fill:${getComputedStyle(document.body).backgroundColor}` }));
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

async function png({ text, width, height }, scale = 3) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = make("canvas", { width: width * scale, height: height * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function mountPictures() {
  for (const figure of document.querySelectorAll("figure")) {
    const shownOne = () => [...figure.querySelectorAll(".picture svg")].find((svg) => svg.getBoundingClientRect().width);
    const name = figure.dataset.figure ?? "figure";
    if (!figure.querySelector(".picture svg")) continue;
    figure.append(menu("Download",
      button("SVG", () => offer(`${name}.svg`, new Blob([standalone(shownOne()).text], { type: "image/svg+xml" }))),
      button("PNG", async () => offer(`${name}.png`, await png(standalone(shownOne()))))));
  }
}

// Rows in SI units with every column that the page knows, for a spreadsheet: no text becomes a formula there.
function csvOf(data, rows) {
  const keys = ["name", ...Object.keys(data.columns).filter((key) => key !== "name" && rows.some((row) => row[key] !== null && row[key] !== undefined))];
  const field = (value) => {
    const text = Array.isArray(value) ? value.join(" ") : value === null || value === undefined ? "" : String(value);
    const inert = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
  };
  return [keys, ...rows.map((row) => keys.map((key) => row[key]))].map((line) => `${line.map(field).join(",")}\n`).join("");
}

// The menu of the table of a run. `listed` gives the rows that show; Markdown and LaTeX were made with the page.
function textMenu(data, run, listed, setting) {
  const status = make("span", { class: "note", role: "status" });
  const packed = once(() => unpacked(`benchsuite-${run}-texts`).then((text) => JSON.parse(text ?? "[]")));
  const kinds = [["CSV", "csv", async () => csvOf(data, listed())], ["Markdown", "md", async () => (await packed())[setting()]?.markdown], ["LaTeX", "tex", async () => (await packed())[setting()]?.latex]];
  const missing = "Markdown and LaTeX are of one setting: choose one first.";
  const buttons = kinds.flatMap(([title, ending, make]) => [
    button(`Copy ${title}`, async () => {
      const text = await make();
      status.textContent = text === undefined ? missing : await copied(text) ? `${title} copied.` : "No clipboard here: download the file.";
    }),
    button(`Download ${title}`, async () => {
      const text = await make();
      if (text === undefined) status.textContent = missing;
      else offer(`table.${ending}`, new Blob([text], { type: "text/plain" }));
    })]);
  return menu("Copy or download", ...buttons, status);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
