// The rounds of a cell: as text, and as the strip that the printed table has (report/strips.py).
const REACH = Math.log(1.05);

// The name space of SVG, asked of the browser: a page that loads nothing holds no address.
const SVG = new DOMParser().parseFromString("<svg></svg>", "text/html").querySelector("svg").namespaceURI;

function svgOf(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function roundsOf(row) {
  const [factor, unit] = scaleOf(row.latency_s, "s");
  return `${row.rounds_s.map((median) => digits(median / factor, 3)).join(", ")} ${unit}`;
}

function strip(row) {
  const dots = ["", ""]; // within reach, beyond it
  row.rounds_s.forEach((median, i) => {
    const share = Math.log(median / row.latency_s) / REACH;
    const y = 8 - Math.max(-1, Math.min(1, share)) * 6;
    dots[Math.abs(share) <= 1 ? 0 : 1] += `M${8 * i + 4} ${y.toFixed(0)}h0`;
  });
  return svgOf("svg", { class: "strip", width: 8 * row.rounds_s.length, role: "img" },
    svgOf("title", {}, roundsOf(row)), svgOf("path", { d: dots[0] }), svgOf("path", { class: "beyond", d: dots[1] }));
}

// The flags of a cell, each with what it means and what to do.
function flagsOf(row, data) {
  const words = (row.flags ?? "").split(" ").filter(Boolean);
  return make("span", {}, ...words.flatMap((word, i) =>
    [i ? ", " : null, make("abbr", { title: data.flags[word] ?? "" }, word.replaceAll("_", " "))]));
}
