// What the page holds, unpacked: rows of all runs, their columns, and samples only once someone asks for them.
async function unpacked(id) {
  const packed = document.getElementById(id)?.textContent.trim();
  if (packed === undefined) return null;
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function once(make) {
  let made;
  return () => (made ??= make());
}

const loadLibrary = once(async () => {
  for (const name of ["d3", "plot"]) {
    const script = document.createElement("script");
    script.textContent = await unpacked(`benchsuite-library-${name}`);
    document.head.append(script);
  }
  return window.Plot;
});

const samplesOf = {};
// {samples_s, parts_s} of a row, null where the page does not hold them.
async function loadSamples(row) {
  samplesOf[row.run] ??= unpacked(`benchsuite-${row.run}-samples`).then(JSON.parse);
  return (await samplesOf[row.run])[row.cell] ?? null;
}

// Rows as objects with a key for each column of their run; `columns` says how a key is called and measured.
function readTable(text) {
  const table = JSON.parse(text);
  const columns = {};
  const rows = [];
  for (const run of table.runs) {
    const start = rows.length;
    for (let i = 0; i < run.rows; i++) {
      rows.push({ index: start + i, run: run.key, runTitle: run.title, prefix: run.prefix, repeat: run.repeat });
    }
    for (const [key, column] of Object.entries(run.columns)) {
      const { values, ...meta } = column;
      columns[key] = { key, ...columns[key], ...meta, shown: { ...columns[key]?.shown, ...meta.shown } };
      for (let i = 0; i < run.rows; i++) {
        rows[start + i][key] = values[i];
      }
    }
  }
  if (table.runs.length > 1) {
    columns.run = { key: "run", kind: "axis", label: "Run", unit: "" };
    columns.run.shown = Object.fromEntries(table.runs.map((run) => [run.key, run.title]));
  }
  for (const row of rows) row.link = row.prefix + row.cell;
  const axes = Object.values(columns).filter((column) => column.kind === "axis");
  for (const axis of axes) axis.values = ordered(new Set(rows.map((row) => row[axis.key] ?? null)));
  return {
    rows,
    columns,
    looks: table.looks,
    flags: table.flags,
    settings: Object.fromEntries(table.runs.map((run) => [run.key, run.settings])),
    names: [...new Set(rows.map((row) => row.name))],
    noun: table.noun,
    axes,
    varied: axes.filter((axis) => axis.values.length > 1),
    measures: Object.values(columns).filter((column) => column.kind === "metric" || column.kind === "other"),
  };
}

// Numbers by size, "448x672" by area, words as they come; missing last.
function ordered(values) {
  const size = (value) => {
    if (typeof value === "number") return value;
    const match = /^(\d+)x(\d+)$/.exec(value ?? "");
    return match ? Math.sqrt(match[1] * match[2]) : NaN;
  };
  const list = [...values];
  const sized = list.every((value) => value === null || !Number.isNaN(size(value)));
  return list.sort((a, b) =>
    a === null || b === null ? (a === null) - (b === null) : sized ? size(a) - size(b) : 0,
  );
}

function wordOf(column, value) {
  if (value === null || value === undefined) return "none";
  return String(column.shown?.[value] ?? value).replace(/^(\d+)x(\d+)$/, "$1×$2");
}
