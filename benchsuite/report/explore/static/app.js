// Puts it together. Without scripting, or in a browser that cannot unpack, the page stays as it was written.
function mountExplorer(data, store, isolate) {
  const { state, set } = store;
  const host = make("div", { class: "chart" }), notes = make("p", { class: "note" }), detail = make("div");
  const controls = make("div", { class: "controls" });
  const legend = make("div", { class: "legend", role: "group", "aria-label": `${data.noun}: shown and isolated` });
  const text = make("input", { type: "search", placeholder: "words of a row", oninput: () => set({ q: text.value }) });
  const count = make("p", { class: "note", role: "status" });
  const names = data.names.length > 24 ? make("details", {}, make("summary", {}, `${data.names.length} names: show, hide, isolate`), legend) : legend;
  const section = make("section", { class: "explore explorer", "aria-label": "Chart to explore" },
    make("p", { class: "note" }, "Rest on a mark for its numbers, click it for its samples. Click a name to isolate it. The address of the page holds what you choose."),
    controls, names, count, host, notes, detail);

  function drawControls() {
    const measures = data.measures.map((m) => [m.key, m.label]);
    const axes = data.varied.map((a) => [a.key, a.label]);
    const field = (key, label, options) => select(label, options, state[key], (value) => set({ [key]: value }));
    const log = (key, label) => make("label", { class: "check" }, make("input", { type: "checkbox", checked: state[key] === "log", onchange: (event) => set({ [key]: event.target.checked ? "log" : "linear" }) }), label);
    const picks = data.varied.filter((a) => a.key !== "tokens" && a.values.length <= 40).map((axis) =>
      select(axis.label, [["", "all"], ...axis.values.map((v) => [String(v), wordOf(axis, v)])], state.pick[axis.key] ?? "", (value) => {
        const pick = { ...state.pick };
        if (value) pick[axis.key] = value;
        else delete pick[axis.key];
        set({ pick });
      }));
    const group = (name, ...fields) => make("fieldset", {}, make("legend", {}, name), ...fields);
    const focused = controls.contains(document.activeElement) ? [...controls.querySelectorAll("select,input,button")].indexOf(document.activeElement) : -1;
    controls.replaceChildren(
      group("Axes", field("x", "x", [...axes, ...measures]), log("xs", "log x"), field("y", "y", measures), log("ys", "log y")),
      group("Marks", field("size", "Size", [["", "all alike"], ...measures]), field("color", "Colour", [["name", data.noun], ...axes]), field("facet", "Panels", [["", "one"], ["name", data.noun], ...axes])),
      group("Only", ...picks, make("label", {}, make("span", {}, "Words"), text), make("button", { type: "button", onclick: reset }, "Reset all")));
    if (focused >= 0) [...controls.querySelectorAll("select,input,button")][focused]?.focus();
  }

  function reset() {
    set({ ...store.usual, explore: state.explore, off: new Set(), pick: {} });
  }

  function drawLegend() {
    const items = data.names.map((name) => {
      const box = make("input", { type: "checkbox", checked: !state.off.has(name), "aria-label": `Show ${name}`, onchange: () => {
        const off = new Set(state.off);
        if (!off.delete(name)) off.add(name);
        set({ off, only: "" });
      } });
      return make("span", { class: `item${state.only && state.only !== name ? " dim" : ""}` }, box,
        make("button", { type: "button", "data-name": name, "aria-pressed": String(state.only === name), onclick: () => isolate(name) },
          state.color === "name" ? symbolOf(data, name) : null, name));
    });
    const all = (off, word) => make("button", { type: "button", class: "small", onclick: () => set({ off: new Set(off), only: "" }) }, word);
    const held = legend.contains(document.activeElement) ? document.activeElement.dataset.name ?? document.activeElement.getAttribute("aria-label") : null;
    legend.replaceChildren(...items, make("span", { class: "item" }, all([], "Show all"), all(data.names, "Hide all")));
    if (state.color !== "name") {
      const axis = data.columns[state.color];
      legend.append(make("span", { class: "keys" }, `${axis.label}: `, ...axis.values.map((value, i) =>
        make("span", { class: "key" }, make("span", { class: "swatch", style: `background:var(--series-${(i % NUMBERED) + 1})` }), wordOf(axis, value)))));
    }
    if (held) [...legend.querySelectorAll("button,input")].find((one) => (one.dataset.name ?? one.getAttribute("aria-label")) === held)?.focus();
  }

  async function draw() {
    if (!section.isConnected) return;
    const Plot = await loadLibrary();
    const rows = chosen(data.rows, state);
    count.textContent = `${rows.length} of ${data.rows.length} cells.`;
    const lines = drawChart(Plot, host, data, rows, state, (row) => set({ cell: state.cell === row.link ? "" : row.link }, "chart"));
    notes.textContent = lines.join(" ");
    if (!rows.length) host.replaceChildren(make("p", { class: "note" }, "No cell is left. Reset the filters to see all."));
    drawLegend(); // with the symbols of the library
  }

  function drawDetail() {
    const row = state.home === "chart" && data.rows.find((one) => one.link === state.cell);
    detail.replaceChildren(...(row ? [detailOf(row, data, { isolate, close: () => set({ cell: "" }, "chart") })] : []));
    for (const mark of section.querySelectorAll(".mark")) mark.classList.toggle("chosen", mark.dataset.cell === state.cell);
  }

  // Where it stands: in the place of the first figure of the run that it was opened from, its button with it; or nowhere.
  function stand() {
    for (const opener of openers) {
      const on = opener.dataset.explore === state.explore;
      const part = document.getElementById(`${opener.dataset.explore}-answer`);
      part.classList.toggle("exploring", on);
      opener.setAttribute("aria-expanded", String(on));
      opener.textContent = on ? "Back to the figure" : "Explore the chart";
      if (on) (part.querySelector("figure") ?? part).append(section);
      if (on) section.prepend(opener.parentElement);
      else part.querySelector(".answer").append(opener.parentElement);
    }
    if (!state.explore) section.remove();
  }

  const openers = [...document.querySelectorAll("[data-explore]")];
  for (const opener of openers) {
    opener.parentElement.hidden = false;
    opener.addEventListener("click", () => {
      const run = state.explore === opener.dataset.explore ? "" : opener.dataset.explore;
      set(run && data.columns.run ? { explore: run, pick: { ...state.pick, run } } : { explore: run });
      (run ? section.parentElement : document.getElementById(`${opener.dataset.explore}-answer`)).scrollIntoView();
      opener.focus();
    });
  }
  store.listen((_, changed) => {
    if (text.value !== state.q) text.value = state.q;
    if (changed.includes("explore")) stand();
    const only = (...keys) => changed.every((key) => keys.includes(key));
    if (only("cell", "sort", "set")) return drawDetail();
    if (!only("q", "only", "off")) drawControls();
    if (!only("q", "pick")) drawLegend();
    draw().then(drawDetail);
  });
  text.value = state.q;
  drawControls();
  drawLegend();
  stand();
  draw().then(drawDetail);
  resized(host, draw);
}

function resized(host, draw) {
  let width = 0, waiting = 0;
  new ResizeObserver(() => {
    if (!host.clientWidth || Math.abs(host.clientWidth - width) < 8) return;
    width = host.clientWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  }).observe(host);
}

async function start() {
  mountPictures();
  if (typeof DecompressionStream === "undefined") return;
  const packed = await unpacked("benchsuite-table");
  if (packed === null) return;
  const data = readTable(packed);
  if (!data.rows.length) return;
  const store = makeState(data);
  const isolate = (name) => store.set({ only: store.state.only === name ? "" : name });
  for (const host of document.querySelectorAll("[data-cells]")) {
    const rows = data.rows.filter((row) => row.run === host.dataset.cells);
    if (rows.length && host.querySelector(".scroll")) mountCells(host, data, rows, store, isolate);
  }
  mountExplorer(data, store, isolate);
  openTarget();
  addEventListener("hashchange", openTarget);
  document.documentElement.dataset.ready = "yes";
}

// A link into a folded part unfolds it.
function openTarget() {
  const target = document.getElementById(decodeFragment(location.hash.slice(1)));
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}
start();
