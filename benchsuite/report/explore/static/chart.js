// One chart of cells over two columns: intervals, lines along a swept axis, failures at the worse edge.
const NUMBERED = 10; // colours of the page

function lookOf(data, row, color) {
  if (color === "name") return data.looks[row.name] ?? [1, "circle"];
  const values = data.columns[color]?.values ?? [];
  const place = Math.max(0, values.indexOf(row[color] ?? null));
  return [(place % NUMBERED) + 1, data.looks[row.name]?.[1] ?? "circle"];
}

function symbolType(kind) {
  return d3[`symbol${kind[0].toUpperCase()}${kind.slice(1)}`] ?? d3.symbolCircle;
}

// The mark of a name, for legends; a round swatch until the library is there.
function symbolOf(data, name) {
  const [number, kind] = data.looks[name] ?? [1, "circle"];
  if (!window.Plot) return make("span", { class: "swatch", style: `background:var(--series-${number})` });
  const svg = d3.create("svg").attr("viewBox", "-8 -8 16 16").attr("width", 14).attr("height", 14).attr("aria-hidden", "true");
  svg.append("path")
    .attr("d", d3.symbol(symbolType(kind), 70)())
    .attr("style", `fill:var(--series-${number});stroke:var(--series-${number});stroke-width:1.5`);
  return svg.node();
}

function colorOf(look) {
  return `var(--series-${look[0]})`;
}

// Draws into `host`, one panel for each value of the facet; returns notes on what could not be drawn.
function drawChart(Plot, host, data, rows, spec, act) {
  const x = data.columns[spec.x], y = data.columns[spec.y];
  host.replaceChildren();
  if (!x || !y) return ["There is no number to draw."];
  const facet = spec.facet && spec.facet !== spec.x && (data.columns[spec.facet] ?? { key: "name", label: "Name" });
  const values = facet ? ordered(new Set(rows.map((row) => row[facet.key] ?? null))) : [null];
  const shared = prepare(data, rows, x, y, spec);
  const fit = values.length % 3 === 0 && host.clientWidth >= 960 ? 3 : 2;
  const wide = values.length > 1 && host.clientWidth >= 700 ? fit : 1;
  host.style.setProperty("--columns", wide);
  const width = Math.max(280, Math.floor(host.clientWidth / wide) - (wide > 1 ? 12 : 0));
  for (const value of values.slice(0, 24)) {
    const part = facet ? rows.filter((row) => (row[facet.key] ?? null) === value) : rows;
    const title = facet ? `${facet.label}: ${wordOf(facet, value)}${facet.unit ? ` ${facet.unit}` : ""}` : null;
    host.append(panel(Plot, data, part, x, y, spec, shared, width, title, act));
    shared.unnamed += label(host.lastChild.querySelector("svg"), part.filter((row) => row[y.key] !== null)); // measured in the page
  }
  const notes = shared.notes;
  if (shared.unnamed) notes.push(`${shared.unnamed} ${shared.unnamed === 1 ? "name has" : "names have"} no room; rest on the mark to read it.`);
  if (values.length > 24) notes.push(`Only the first 24 of ${values.length} panels are drawn.`);
  return notes;
}

function prepare(data, rows, x, y, spec) {
  const drawn = rows.filter((row) => usable(row[x.key], x, spec.xs) && usable(row[y.key], y, spec.ys));
  const failed = rows.filter((row) => row[y.key] === null && row.status !== "ok");
  const unplaced = failed.filter((row) => !usable(row[x.key], x, spec.xs));
  const silent = rows.length - drawn.length - failed.length;
  const notes = [];
  if (unplaced.length) notes.push(`${unplaced.length} failed ${unplaced.length === 1 ? "cell has" : "cells have"} no ${x.label} and no place here; the table below lists them.`);
  if (silent) notes.push(`${silent} ${silent === 1 ? "cell" : "cells"} without ${y.label} or ${x.label}, or with 0 on a logarithmic axis, not drawn.`);
  const size = data.columns[spec.size];
  const largest = size ? Math.max(...drawn.map((row) => row[size.key] ?? 0), 0) : 0;
  const unsized = size ? drawn.filter((row) => row[size.key] === null).length : 0;
  if (size && largest) notes.push(`Area of a mark: ${size.label}, the largest ${shown(largest, size.unit)}${unsized ? `; unknown for ${unsized} ${unsized === 1 ? "cell" : "cells"}, drawn smallest` : ""}.`);
  if (data.columns.kernel?.values.length > 1) notes.push("Hollow: math kernel; filled: fused kernels.");
  if (failed.length > unplaced.length) notes.push(`×: failed cells (${tally(failed)}), at the edge where they would have been worst; they have no value.`);
  const bounds = [x, y].some(isCount) ? drawn.filter((row) => row.exact === false).length : 0;
  if (bounds) notes.push(`≥: MACs of ${bounds} ${bounds === 1 ? "cell" : "cells"} are a lower bound, since the counter has no rule for some operators.`);
  const rings = RINGS.filter(([standing]) => isFront(x, y) && drawn.some((row) => row.standing === standing));
  const ways = rings.map(([standing, dash]) => `${dash ? "dashed" : "solid"}, ${FRONT[standing]}`);
  if (ways.length) notes.push(`Ring: ${ways.join("; ")}, among all kernels at the same resolution and conditions, filtered away or not.`);
  if ([y, x].some((column) => column.lo && drawn.some((row) => typeof row[column.lo] === "number"))) notes.push("Bars: 95\u00a0% confidence intervals.");
  if (drawn.some((row) => row.flags)) notes.push("!: a cell whose samples have a flag.");
  const radius = (row) => !size || !largest ? 5 : 2.5 + 9.5 * Math.sqrt((row[size.key] ?? 0) / largest);
  const placed = failed.filter((row) => usable(row[x.key], x, spec.xs));
  const found = extent(drawn, y, spec.ys);
  if (placed.length) found.domain = withRoom(found.domain, spec.ys, y.better === "higher");
  return { notes, unnamed: 0, radius, x: extent([...drawn, ...placed], x, spec.xs), y: found };
}

// Room for the crosses of failed cells at the worse edge, so that they lie on no value.
function withRoom([lo, hi], scale, below) {
  if (scale === "log") {
    const room = Math.pow(hi / lo, 0.12);
    return below ? [lo / room, hi] : [lo, hi * room];
  }
  const room = (hi - lo) * 0.12;
  return below ? [lo - room, hi] : [lo, hi + room];
}

function isCount(column) {
  return column.key === "macs" || column.key === "flops";
}

// "3 oom, 1 unsupported"
function tally(rows) {
  const counts = new Map();
  for (const row of rows) counts.set(row.status, (counts.get(row.status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
}

// Rings mean something only where MACs stand against speed.
const RINGS = [["certain", null], ["possible", "2.5 2.2"]];
const FRONT = { certain: "certainly on the Pareto front", possible: "possibly on the Pareto front" };
function isFront(x, y) {
  const keys = [x.key, y.key];
  return keys.includes("macs") && (keys.includes("throughput") || keys.includes("latency_s"));
}

function isOrdinal(column) {
  return column.kind === "axis" && column.values.some((value) => typeof value !== "number" && value !== null);
}

function usable(value, column, scale) {
  if (value === null || value === undefined) return false;
  return isOrdinal(column) || (typeof value === "number" && (scale !== "log" || value > 0));
}

// The part of an axis that holds all values and intervals, with a margin.
function extent(rows, column, scale) {
  if (isOrdinal(column)) return { ordinal: true, domain: column.values.filter((v) => rows.some((row) => row[column.key] === v)) };
  const values = [];
  for (const row of rows) {
    for (const key of [column.key, column.lo, column.hi]) if (key && usable(row[key], column, scale)) values.push(row[key]);
  }
  if (!values.length) return { domain: scale === "log" ? [0.1, 1] : [0, 1], ticks: [] };
  let lo = values.reduce((a, b) => Math.min(a, b)), hi = values.reduce((a, b) => Math.max(a, b));
  if (scale === "log") {
    const margin = Math.max(1.08, Math.pow(hi / lo, 0.06));
    [lo, hi] = [lo / margin, hi * margin];
  } else {
    if (column.kind !== "axis" && lo >= 0) lo = 0;
    const margin = (hi - lo || Math.abs(hi) || 1) * 0.06;
    [lo, hi] = [lo === 0 ? 0 : lo - margin, hi + margin];
  }
  const distinct = column.kind === "axis" ? [...new Set(values)].sort((a, b) => a - b) : [];
  return { domain: [lo, hi], ticks: distinct.length && distinct.length <= 9 ? distinct : ticksOf(lo, hi, scale, column.unit) };
}

function ticksOf(lo, hi, scale, unit) {
  if (unit === "B") {
    const step = scale === "log" ? Math.max(1, Math.round(Math.log2(hi / lo) / 6)) : 0;
    if (step) return range(Math.ceil(Math.log2(lo)), Math.log2(hi), step).map((power) => 2 ** power);
    const unitStep = 2 ** Math.ceil(Math.log2((hi - lo) / 6));
    return range(Math.ceil(lo / unitStep) * unitStep, hi, unitStep);
  }
  if (scale !== "log") return d3.ticks(lo, hi, 6);
  const decades = Math.log10(hi / lo);
  if (decades < 0.7) return d3.ticks(lo, hi, 5);
  const steps = decades > 2.5 ? [1] : decades > 1.4 ? [1, 3] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(Math.log10(lo)); power <= Math.log10(hi); power++) {
    for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(3)));
  }
  const inside = found.filter((value) => value >= lo && value <= hi);
  return inside.length > 8 ? inside.filter((_, i) => i % Math.ceil(inside.length / 8) === 0) : inside;
}

function range(start, end, step) {
  const found = [];
  for (let value = start; value <= end; value += step) found.push(value);
  return found;
}

function scaleFor(column, scale, found) {
  if (found.ordinal) return { type: "point", domain: found.domain, padding: 0.5 };
  return { type: scale, domain: found.domain };
}

function axisFor(column, found) {
  if (found.ordinal) return { label: null, tickSize: 4, tickFormat: (value) => wordOf(column, value) };
  return { label: null, tickSize: 4, ticks: found.ticks, tickFormat: (value) => tick(value, column.unit) };
}

function panel(Plot, data, rows, x, y, spec, shared, width, title, act) {
  const drawn = rows.filter((row) => usable(row[x.key], x, spec.xs) && usable(row[y.key], y, spec.ys));
  const failed = rows.filter((row) => row[y.key] === null && row.status !== "ok" && usable(row[x.key], x, spec.xs));
  const stroke = { value: (row) => colorOf(lookOf(data, row, spec.color)), scale: null };
  const fill = { value: (row) => (row.kernel === "math" && data.columns.kernel?.values.length > 1 ? "var(--paper)" : colorOf(lookOf(data, row, spec.color))), scale: null };
  const marks = [Plot.gridX({ ticks: shared.x.ticks, stroke: "var(--grid)", strokeOpacity: 1 }), Plot.gridY({ ticks: shared.y.ticks, stroke: "var(--grid)", strokeOpacity: 1 })];
  const seen = [];
  if (x.kind === "axis") {
    const series = data.varied.filter((axis) => axis.key !== x.key && !together(x.key, axis.key)).map((axis) => axis.key);
    const z = (row) => [row.name, ...series.map((key) => row[key])].join("|");
    const along = [...drawn].sort((a, b) => place(a, x, shared.x) - place(b, x, shared.x));
    marks.push(Plot.line(along, { x: x.key, y: y.key, z, stroke, strokeWidth: 1.4, strokeOpacity: 0.75 }));
  }
  if (y.lo) {
    const bounded = drawn.filter((row) => row[y.lo] !== null && row[y.hi] !== null);
    marks.push(Plot.ruleX(bounded, { x: x.key, y1: y.lo, y2: y.hi, stroke, strokeWidth: 1.6 }));
  }
  if (x.lo) {
    const bounded = drawn.filter((row) => row[x.lo] !== null && row[x.hi] !== null);
    marks.push(Plot.ruleY(bounded, { y: y.key, x1: x.lo, x2: x.hi, stroke, strokeWidth: 1.6 }));
  }
  if (drawn.length) {
    const sorted = [...drawn].sort((a, b) => shared.radius(b) - shared.radius(a)); // small marks on top
    marks.push(Plot.dot(sorted, {
      x: x.key, y: y.key, r: { value: shared.radius, scale: null }, symbol: { value: (row) => symbolType(lookOf(data, row, spec.color)[1]), scale: null },
      stroke, fill, fillOpacity: 0.8, strokeWidth: 1.6, sort: null,
    }));
    seen.push(sorted);
  }
  if (isFront(x, y)) {
    for (const [standing, dash] of RINGS) {
      const ringed = drawn.filter((row) => row.standing === standing);
      if (!ringed.length) continue;
      marks.push(Plot.dot(ringed, {
        x: x.key, y: y.key, r: { value: (row) => shared.radius(row) + 4, scale: null }, stroke, fill: "none", strokeWidth: 1.4,
        strokeDasharray: dash, pointerEvents: "none",
      }));
      seen.push(`ring ${standing}`);
    }
  }
  const flagged = drawn.filter((row) => row.flags);
  if (flagged.length) marks.push(Plot.text(flagged, { x: x.key, y: y.key, text: () => "!", dx: 8, dy: -7, fontWeight: 700, fill: "var(--ink)", pointerEvents: "none" }));
  const bounds = [x, y].some(isCount) ? drawn.filter((row) => row.exact === false) : [];
  if (bounds.length) marks.push(Plot.text(bounds, { x: x.key, y: y.key, text: () => "≥", dx: -13, fill: "var(--muted)", pointerEvents: "none" }));
  const up = y.better !== "higher";
  stacked(failed, x.key).forEach((level, height) => {
    marks.push(Plot.dot(level, {
      x: x.key, frameAnchor: up ? "top" : "bottom", dy: (up ? 1 : -1) * (7 + 11 * height), r: 4.5, symbol: "times", stroke, strokeWidth: 2.4,
    }));
    seen.push(level);
  });
  const svg = Plot.plot({
    width,
    height: Math.round(Math.max(280, Math.min(520, width * 0.62))),
    marginLeft: 72, marginBottom: 44, marginTop: 24, marginRight: 20,
    style: { background: "none", color: "inherit", fontSize: "12px", fontFamily: "inherit", overflow: "visible" },
    x: { label: null, ...scaleFor(x, spec.xs, shared.x) },
    y: { label: null, ...scaleFor(y, spec.ys, shared.y) },
    r: { type: "identity" },
    marks: [
      ...marks,
      Plot.axisX(axisFor(x, shared.x)),
      Plot.axisY(axisFor(y, shared.y)),
      Plot.text([`${named(y)}${better(y)}`], { frameAnchor: "top-left", dx: -66, dy: -20, textAnchor: "start", fontWeight: 600 }),
      Plot.text([`${named(x)} →`], { frameAnchor: "bottom-right", dy: 38, textAnchor: "end", fontWeight: 600 }),
    ],
  });
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", `${y.label} over ${x.label}${title ? `, ${title}` : ""}: ${rows.length} cells`);
  connect(svg, seen, data, x, y, act);
  const figure = make("div", { class: "panel" });
  if (title) figure.append(make("p", { class: "panel-title" }, title));
  figure.append(svg);
  return figure;
}

// Ticks of times and bytes carry their unit, the others' stands here.
function named(column) {
  return column.unit && !["s", "B"].includes(column.unit) ? `${column.label} (${column.unit})` : column.label;
}

function better(column) {
  return column.better === "higher" ? " ↑ better" : column.better === "lower" ? " ↓ better" : "";
}

// Axes that say the same in other words, so that one does not split the other's lines.
function together(one, other) {
  const sizes = ["resolution", "tokens"];
  return sizes.includes(one) && sizes.includes(other);
}

function place(row, column, found) {
  return found.ordinal ? found.domain.indexOf(row[column.key]) : row[column.key];
}

// Failed cells at the same place stand one above the other; more than eight at one place share the last level.
function stacked(rows, key) {
  const heights = new Map(), levels = [];
  for (const row of rows) {
    const height = Math.min(7, heights.get(row[key]) ?? 0);
    heights.set(row[key], height + 1);
    (levels[height] ??= []).push(row);
  }
  return levels;
}

// Marks answer to pointer and keyboard: one stop of the tab key a chart, arrow keys from mark to mark.
function connect(svg, seen, data, x, y, act) {
  const dots = [...svg.querySelectorAll('g[aria-label="dot"]')]; // in the order of `seen`, where a word stands for no cells
  const groups = dots.filter((_, number) => typeof seen[number] !== "string");
  dots.forEach((group, number) => {
    if (typeof seen[number] === "string") group.setAttribute("aria-label", seen[number]);
  });
  seen = seen.filter((rows) => typeof rows !== "string");
  const marks = [];
  groups.forEach((group, number) => {
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "cells");
    for (const mark of group.children) {
      const row = seen[number]?.[mark.__data__];
      if (!row) continue;
      mark.classList.add("mark");
      mark.dataset.cell = row.link;
      mark.setAttribute("role", "button");
      mark.setAttribute("tabindex", "-1");
      mark.setAttribute("aria-label", spoken(row, x, y));
      marks.push([mark, row]);
    }
  });
  for (const group of svg.querySelectorAll(":scope > g")) if (!groups.includes(group)) group.setAttribute("aria-hidden", "true");
  unlabelled(svg, groups);
  const left = new Map(marks.map(([mark]) => [mark, centreOf(mark)[0]]));
  marks.sort((a, b) => left.get(a[0]) - left.get(b[0]));
  marks[0]?.[0].setAttribute("tabindex", "0");
  const rowOf = new Map(marks);
  const found = (event) => event.target.closest?.(".mark");
  svg.addEventListener("pointerover", (event) => found(event) && showTip(found(event), rowOf.get(found(event)), data));
  svg.addEventListener("pointerout", (event) => found(event) && hideTip());
  svg.addEventListener("focusin", (event) => found(event) && showTip(found(event), rowOf.get(found(event)), data));
  svg.addEventListener("focusout", hideTip);
  svg.addEventListener("click", (event) => found(event) && act(rowOf.get(found(event))));
  svg.addEventListener("keydown", (event) => {
    const mark = found(event);
    if (!mark) return;
    if (event.key === "Enter" || event.key === " ") act(rowOf.get(mark));
    else if (event.key === "Escape") hideTip();
    else if (["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) {
      const here = marks.findIndex(([one]) => one === mark);
      const step = ["ArrowRight", "ArrowDown"].includes(event.key) ? 1 : -1;
      const next = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1 : (here + step + marks.length) % marks.length;
      mark.setAttribute("tabindex", "-1");
      marks[next][0].setAttribute("tabindex", "0");
      marks[next][0].focus();
    } else return;
    event.preventDefault();
  });
}

// The name of every mark beside it, once where it does not collide; returns how many found no room.
function label(svg, rows) {
  const [, , width, height] = (svg.getAttribute("viewBox") ?? `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`).split(/\s+/).map(Number);
  const byLink = new Map(rows.map((row) => [row.link, row]));
  const spots = [...svg.querySelectorAll(".mark")].filter((mark) => byLink.has(mark.dataset.cell)).map((mark) => {
    const [x, y] = centreOf(mark);
    return { x, y, half: Math.max(5, mark.getBBox().width / 2), name: byLink.get(mark.dataset.cell).name };
  }).sort((a, b) => a.y - b.y);
  const taken = spots.map(({ x, y, half }) => [x - half, y - half, x + half, y + half]);
  const named = new Set();
  for (const { x, y, half, name } of spots) {
    if (named.has(name)) continue;
    const text = svgOf("text", { class: "name", "aria-hidden": "true" });
    text.textContent = name;
    svg.append(text);
    const wide = text.getComputedTextLength(), near = half + 3;
    const places = [];
    for (const far of [0, 10, 20, 32]) {
      places.push([x + near + far, y - 6 - far / 2], [x - near - far - wide, y - 6 - far / 2], [x - wide / 2, y - near - 12 - far], [x - wide / 2, y + near + far],
        [x + near + far, y + far / 2], [x - near - far - wide, y + far / 2]);
    }
    const box = places.map(([left, top]) => [left, top, left + wide, top + 12]).find((one) =>
      one[0] > 74 && one[2] < width - 2 && one[1] > 24 && one[3] < height - 46 && !taken.some((other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3]));
    if (!box) {
      text.remove();
      continue;
    }
    named.add(name);
    taken.push(box);
    text.setAttribute("x", box[0]);
    text.setAttribute("y", box[3] - 2);
    const ends = [Math.max(box[0], Math.min(x, box[2])), Math.max(box[1], Math.min(y, box[3]))];
    if (Math.hypot(ends[0] - x, ends[1] - y) > half + 7) svg.append(svgOf("line", { x1: x, y1: y, x2: ends[0], y2: ends[1], class: "leader", "aria-hidden": "true" }));
  }
  return new Set(spots.map((spot) => spot.name)).size - named.size;
}

function centreOf(mark) {
  const moved = /translate\(([-\d.]+)[ ,]+([-\d.]+)/.exec(mark.getAttribute("transform") ?? "");
  return moved ? [Number(moved[1]), Number(moved[2])] : [Number(mark.getAttribute("cx")), Number(mark.getAttribute("cy"))];
}

// The library labels groups that have no role, which assistive technology may not read; the word stays as data.
function unlabelled(svg, kept = []) {
  for (const group of svg.querySelectorAll("g[aria-label]")) {
    if (kept.includes(group)) continue;
    group.dataset.mark = group.getAttribute("aria-label");
    group.removeAttribute("aria-label");
  }
}

function spoken(row, x, y) {
  const value = row[y.key] === null ? `${row.status}${row.reason ? `, ${row.reason}` : ""}` : `${y.label} ${shown(row[y.key], y.unit)}`;
  return `${row.name}, ${row.resolution} px, ${row.kernel}: ${x.label} ${shown(row[x.key], x.unit)}, ${value}${isFront(x, y) && FRONT[row.standing] ? `, ${FRONT[row.standing]}` : ""}`;
}
