// All about one cell: in a line when the pointer rests on it, in full with its samples when it is chosen.
const MAIN = ["latency_s", "throughput", "macs", "peak_memory_bytes"];

function factsOf(row, data) {
  const facts = [];
  for (const axis of data.axes) if (row[axis.key] !== null && (axis.values.length > 1 || ["resolution", "kernel", "batch", "dtype"].includes(axis.key))) facts.push([axis.label, `${wordOf(axis, row[axis.key])}${axis.unit ? ` ${axis.unit}` : ""}`]);
  facts.push(["Status", row.expected ? `${row.status} (expected)` : row.status]);
  if (row.reason) facts.push(["Reason", row.reason]);
  for (const key of MAIN) {
    const column = data.columns[key];
    if (!column || row[key] === null) continue;
    const text = spread(row[key], row[column.lo], row[column.hi], column.unit);
    facts.push([column.label, key === "macs" && row.exact === false ? `≥ ${text}` : text]);
  }
  if (row.samples !== null && row.samples !== undefined) facts.push(["Samples", String(row.samples)]);
  if (typeof row.precision === "number") facts.push(["Precision reached", `± ${(100 * row.precision).toPrecision(2)}\u00a0% of the median`]);
  if (row.rounds_s?.length > 1) facts.push(["Rounds", make("span", {}, strip(row), ` ${roundsOf(row)}`)]);
  if (row.flags) facts.push(["Flags", flagsOf(row, data)]);
  return facts;
}

function listOf(facts) {
  const list = make("dl", { class: "facts" });
  for (const [term, text] of facts) list.append(make("dt", {}, term), make("dd", {}, text));
  return list;
}

const tip = make("div", { class: "explore-tip", role: "tooltip", hidden: true });

function showTip(mark, row, data) {
  tip.replaceChildren(make("strong", {}, row.name), listOf(factsOf(row, data)));
  document.querySelector("main").append(tip);
  tip.hidden = false;
  const box = mark.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const left = box.right + 10 + width < innerWidth ? box.right + 10 : Math.max(4, Math.min(box.left - width - 10, innerWidth - width - 4));
  const top = Math.max(4, Math.min(box.top - 10, innerHeight - height - 4));
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hideTip() {
  tip.hidden = true;
}

function commandOf(row) {
  const filter = `--filter 'cell=${row.cell}'`;
  return row.repeat ? `${row.repeat} ${filter}` : filter;
}

// The element that shows a chosen cell; samples come when they are unpacked.
function detailOf(row, data, { close, isolate }) {
  const others = data.measures.filter((m) => !MAIN.includes(m.key) && !["samples", "precision"].includes(m.key) && row[m.key] !== null && row[m.key] !== undefined);
  const more = make("details", {}, make("summary", {}, "All its numbers"),
    listOf([...others.map((m) => [m.label, shown(row[m.key], m.unit)]), ["Cell", row.cell], ["Implementation", row.target], ...(row.stopped_by ? [["Sampling ended by", row.stopped_by]] : [])]));
  const command = commandOf(row);
  const samples = make("div", { class: "samples" }, make("p", { class: "note" }, row.samples ? "Unpacking samples…" : "No samples: nothing was timed."));
  const box = make("div", { class: "detail", role: "region", "aria-label": `Cell ${row.name}` },
    make("div", { class: "detail-head" }, make("strong", {}, row.name),
      make("button", { type: "button", class: "small", onclick: () => isolate(row.name) }, `Isolate ${row.name}`),
      make("a", { href: `#${row.link}` }, "Link to this cell"),
      make("button", { type: "button", class: "small close", onclick: close }, "Close")),
    make("div", { class: "detail-body" }, make("div", {}, listOf(factsOf(row, data)), more), samples),
    make("p", { class: "repeat" }, row.repeat ? "To repeat it: " : "To repeat it, run its scenario with: ", make("code", {}, command), copyButton(command)));
  if (row.samples) drawSamples(row, samples);
  return box;
}

async function drawSamples(row, host) {
  const [Plot, found] = await Promise.all([loadLibrary(), loadSamples(row)]);
  if (!found) {
    host.replaceChildren(make("p", { class: "note" }, "The samples of this cell are not in this file, which would have become too large; median and interval were computed from all of them."));
    return;
  }
  const values = found.samples_s;
  const [factor, unit] = scaleOf(row.latency_s, "s");
  const scaled = values.map((value) => value / factor);
  const width = Math.max(260, Math.min(460, host.clientWidth || 400));
  const style = { background: "none", color: "inherit", fontSize: "11px", fontFamily: "inherit" };
  const band = typeof row.latency_lo_s === "number" ? [[row.latency_lo_s / factor, row.latency_hi_s / factor]] : [];
  const median = [row.latency_s / factor];
  const usual = { width, marginLeft: 48, style };
  const histogram = Plot.plot({
    ...usual, height: 130, x: { label: `${unit} per step` }, y: { label: "samples", grid: true, ticks: 3 },
    marks: [
      Plot.rectX(band, { x1: "0", x2: "1", fill: "var(--accent)", fillOpacity: 0.18 }),
      Plot.rectY(scaled, Plot.binX({ y: "count" }, { x: (d) => d, thresholds: 24, fill: "var(--series-1)", fillOpacity: 0.75, inset: 0.5 })),
      Plot.ruleX(median, { stroke: "var(--ink)", strokeWidth: 1.5 }), Plot.ruleY([0], { stroke: "var(--muted)" }),
    ],
  });
  const order = Plot.plot({
    ...usual, height: 130, x: { label: "order of measurement" }, y: { label: unit, grid: true, ticks: 4 },
    marks: [
      Plot.ruleY(median, { stroke: "var(--ink)" }),
      Plot.dot(scaled, { x: (_, i) => i + 1, y: (d) => d, r: 2, fill: "var(--series-1)", stroke: null }),
    ],
  });
  for (const [svg, text] of [[histogram, "Histogram of the samples"], [order, "Samples in order of measurement"]]) {
    unlabelled(svg);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${text}: ${values.length} samples, median ${shown(row.latency_s, "s")}`);
  }
  host.replaceChildren(make("p", { class: "note" }, `${values.length} samples. Line: median${band.length ? "; band: its 95\u00a0% interval" : ""}. Drift and two modes show in the order.`), histogram, order);
}
