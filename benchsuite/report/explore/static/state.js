// What the reader chose. It lives in the fragment of the address, so that a link or a reload brings it back.
const PLAIN = ["x", "y", "size", "color", "facet", "xs", "ys", "q", "only", "cell", "sort", "set", "explore"];

const CHART = ["x", "y", "size", "color", "facet", "xs", "ys"];

function makeState(data) {
  const listeners = [];
  const facets = ["dtype", "batch", "device", "mode", "protocol", "resolution", "kernel"];
  const has = (key) => data.measures.some((measure) => measure.key === key);
  const usual = {
    x: has("macs") ? "macs" : data.varied[0]?.key ?? data.measures[0]?.key ?? "",
    y: has("throughput") ? "throughput" : data.measures[0]?.key ?? "",
    size: has("peak_memory_bytes") ? "peak_memory_bytes" : "",
    color: "name",
    facet: facets.find((key) => data.varied.some((a) => a.key === key && a.values.length <= 4)) ?? "",
    xs: "log", ys: "log", q: "", only: "", cell: "", sort: "", set: "", explore: "",
  };
  const state = { ...usual, off: new Set(), pick: {}, from: "link", home: "table" };
  // from: what the last change came from; home: where the details of the chosen cell are shown.

  function read() {
    const fragment = decodeFragment(location.hash.slice(1));
    if (!fragment.includes("=")) { // a link to a cell leaves the rest as it is
      if (data.rows.some((row) => row.link === fragment)) state.cell = fragment;
      return;
    }
    Object.assign(state, usual, { off: new Set(), pick: {} });
    const words = new URLSearchParams(location.hash.slice(1));
    for (const key of PLAIN) if (words.has(key)) state[key] = words.get(key);
    for (const axis of data.varied) if (words.has(`is.${axis.key}`)) state.pick[axis.key] = words.get(`is.${axis.key}`);
    state.off = new Set(words.getAll("off"));
    if (CHART.some((key) => words.has(key) || [...words.keys()].some((word) => word.startsWith("is.")))) state.explore ||= data.rows[0].run;
    repair();
  }

  // A link may be older than the page: what it names and is not there is left at its usual value.
  function repair() {
    const measured = new Set(data.measures.map((measure) => measure.key));
    const axes = new Set(data.axes.map((axis) => axis.key));
    if (!measured.has(state.y)) state.y = usual.y;
    if (!measured.has(state.x) && !axes.has(state.x)) state.x = usual.x;
    if (state.size && !measured.has(state.size)) state.size = usual.size;
    if (state.color !== "name" && !axes.has(state.color)) state.color = usual.color;
    if (state.facet && state.facet !== "name" && !axes.has(state.facet)) state.facet = usual.facet;
    for (const key of ["xs", "ys"]) if (!["log", "linear"].includes(state[key])) state[key] = "log";
    if (state.only && !data.names.includes(state.only)) state.only = "";
    if (!data.rows.some((row) => row.link === state.cell)) state.cell = "";
    for (const axis of data.varied) {
      const words = axis.values.map(String);
      if (axis.key in state.pick && !words.includes(state.pick[axis.key])) delete state.pick[axis.key];
    }
  }

  function write() {
    const words = new URLSearchParams();
    for (const key of PLAIN) if (state[key] !== usual[key]) words.set(key, state[key]);
    for (const [key, value] of Object.entries(state.pick)) words.set(`is.${key}`, value);
    for (const name of state.off) words.append("off", name);
    const only = [...words.keys()];
    const fragment = only.length === 1 && only[0] === "cell" ? state.cell : words.toString();
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  }

  function set(changes, from = "control") {
    Object.assign(state, changes, { from });
    if ("cell" in changes) state.home = from;
    write();
    for (const listener of listeners) listener(state, Object.keys(changes));
  }

  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=") && !data.rows.some((r) => `#${r.link}` === location.hash)) return;
    read();
    Object.assign(state, { from: "link", home: "table" });
    for (const listener of listeners) listener(state, [...PLAIN, "off", "pick"]);
  });
  read();
  return { state, usual, set, listen: (listener) => listeners.push(listener) };
}

function decodeFragment(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Which rows the reader left in, in the order of the records.
function chosen(rows, state) {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const picks = Object.entries(state.pick);
  return rows.filter((row) => {
    if (state.only ? row.name !== state.only : state.off.has(row.name)) return false;
    if (picks.some(([key, value]) => String(row[key] ?? null) !== value)) return false;
    row.words ??= [row.name, row.target, row.resolution, row.kernel, row.dtype, row.mode, row.device, row.status,
      row.flags, `batch ${row.batch}`].join(" ").toLowerCase(); // of the cell alone: the run's name is in every row
    return words.every((word) => row.words.includes(word));
  });
}
