// Static figures of the page with a chart of the same cells in front of them; the static one is a button away.
const PRESETS = {
  "macs-vs-throughput": { x: "macs", y: "throughput", size: "peak_memory_bytes", xs: "log", ys: "log", facets: ["resolution", "kernel"] },
  "over-resolution": { x: "resolution", y: "latency_s", size: "", xs: "log", ys: "log", facets: ["kernel"] },
};

function upgradeFigures(data, store) {
  const byLink = new Map(data.rows.map((row) => [row.link, row]));
  for (const figure of document.querySelectorAll("figure[data-figure]")) {
    const preset = PRESETS[figure.dataset.figure];
    const printed = figure.querySelector(".scroll");
    if (!preset || !printed) continue;
    const links = [...printed.querySelectorAll("a[href^='#']")].map((a) => decodeFragment(a.getAttribute("href").slice(1)));
    const rows = [...new Set(links)].map((link) => byLink.get(link)).filter(Boolean);
    const measures = new Set(data.measures.map((m) => m.key));
    if (rows.length < 2 || !measures.has(preset.y) || (!measures.has(preset.x) && !data.columns[preset.x])) continue;
    upgrade(figure, printed, rows, preset, data, store);
  }
}

function upgrade(figure, printed, rows, preset, data, store) {
  const varied = preset.facets.find((key) => new Set(rows.map((row) => row[key])).size > 1 && preset.x !== key);
  const spec = { ...preset, color: "name", facet: varied ?? "" };
  const legend = make("div", { class: "names", role: "group", "aria-label": `${data.noun}: isolate` });
  const host = make("div", { class: "chart" }), notes = make("p", { class: "note" }), detail = make("div");
  const measures = data.measures.filter((m) => rows.some((row) => typeof row[m.key] === "number")).map((m) => [m.key, m.label]);
  const swap = make("button", { type: "button", "aria-pressed": "false" }, "Show the figure as printed");
  const live = make("div", { class: "explore live" },
    make("div", { class: "controls" },
      select("Vertical axis", measures, spec.y, (y) => { spec.y = y; draw(); }),
      make("button", { type: "button", onclick: () => toExplorer() }, "Open in the explorer"), swap),
    legend, host, notes, detail);
  swap.addEventListener("click", () => {
    const on = printed.classList.toggle("show");
    caption?.classList.toggle("show", on);
    host.hidden = notes.hidden = legend.hidden = on;
    swap.setAttribute("aria-pressed", String(on));
  });
  const caption = figure.querySelector("figcaption"); // speaks of the printed one
  printed.classList.add("as-printed");
  caption?.classList.add("as-printed");
  figure.insertBefore(live, printed);

  function toExplorer() {
    const { x, y, size, color, facet, xs, ys } = spec;
    store.set({ x, y, size, color, facet, xs, ys });
    document.querySelector(".explorer").scrollIntoView({ block: "start" });
  }
  let seen = false;
  async function draw() {
    if (!seen) return;
    const Plot = await loadLibrary();
    const { off, only } = store.state;
    const left = rows.filter((row) => (only ? row.name === only : !off.has(row.name)));
    drawLegend();
    notes.textContent = drawChart(Plot, host, data, left, spec, (row) => store.set({ cell: row.link }, figure)).join(" ");
  }
  function drawLegend() {
    const { only } = store.state;
    const held = legend.contains(document.activeElement) ? document.activeElement.textContent : null;
    legend.replaceChildren(...data.names.filter((name) => rows.some((row) => row.name === name)).map((name) =>
      make("button", {
        type: "button", class: only && only !== name ? "dim" : "", "aria-pressed": String(only === name),
        onclick: () => store.set({ only: only === name ? "" : name }),
      }, symbolOf(data, name), name)));
    if (held) [...legend.children].find((one) => one.textContent === held)?.focus();
  }
  function drawDetail() {
    const row = store.state.home === figure && rows.find((one) => one.link === store.state.cell);
    const isolate = (name) => store.set({ only: store.state.only === name ? "" : name });
    detail.replaceChildren(...(row ? [detailOf(row, data, { isolate, close: () => store.set({ cell: "" }, figure) })] : []));
  }
  whenSeen(live, () => { seen = true; draw(); });
  store.listen((_, changed) => {
    if (changed.some((key) => key === "only" || key === "off")) draw();
    if (changed.includes("cell")) drawDetail();
  });
  resized(host, draw);
}

// Charts are drawn when they come near the screen: a large page has many.
function whenSeen(element, call) {
  const watch = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      watch.disconnect();
      call();
    }
  }, { rootMargin: "600px" });
  watch.observe(element);
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
