// The rounds of a cell: as text, and as the strip that the printed table has (report/strips.py).
const REACH = Math.log(1.1), STEP = 7, HEIGHT = 16, EDGE = 2.5;

function roundsOf(row) {
  const [factor, unit] = scaleOf(row.latency_s, "s");
  return `${row.rounds_s.map((median) => digits(median / factor, 3)).join(", ")} ${unit}`;
}

function strip(row) {
  const drawn = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const width = STEP * row.rounds_s.length;
  const dots = ["", ""]; // within reach, beyond it
  row.rounds_s.forEach((median, i) => {
    const share = Math.log(median / row.latency_s) / REACH;
    const y = HEIGHT / 2 - Math.max(-1, Math.min(1, share)) * (HEIGHT / 2 - EDGE);
    dots[Math.abs(share) <= 1 ? 0 : 1] += `M${STEP * (i + 0.5)} ${y.toFixed(1)}h0`;
  });
  return drawn("svg", { class: "strip", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `Rounds: ${roundsOf(row)}` },
    drawn("title", {}, roundsOf(row)), drawn("path", { class: "middle", d: `M0 ${HEIGHT / 2}H${width}` }),
    drawn("path", { d: dots[0] }), drawn("path", { class: "beyond", d: dots[1] }));
}

// The flags of a cell, each with what it means and what to do.
function flagsOf(row, data) {
  const words = (row.flags ?? "").split(" ").filter(Boolean);
  return make("span", {}, ...words.flatMap((word, i) =>
    [i ? ", " : null, make("abbr", { title: data.flags[word] ?? "" }, word.replaceAll("_", " "))]).filter(Boolean));
}
