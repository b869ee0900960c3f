// The table of the cells of a run: one setting or all, a page at a time, sorted, filtered and linked to.
const PER_PAGE = 100;

function columnsOf(data, rows, all) {
  const some = (key) => rows.some((row) => row[key] !== null && row[key] !== undefined);
  const axis = (a) => ({ key: a.key, label: a.unit ? `${a.label} (${a.unit})` : a.label, numeric: a.values.every((v) => v === null || typeof v === "number"), text: (row) => (row[a.key] === null ? "–" : wordOf(a, row[a.key])) });
  const measured = (key) => {
    const column = data.columns[key];
    const [factor, unit] = key === "throughput" ? [1, column.unit] : columnScale(rows.map((row) => row[key]), column.unit);
    const text = (row) => {
      if (row[key] === null || row[key] === undefined) return "–";
      if (key === "latency_s" || key === "relative") {
        const [value, interval] = ranged(row[key], row[column.lo], row[column.hi], factor).split(" [");
        return make("span", {}, value, interval ? make("span", { class: "interval" }, ` [${interval}`) : null);
      }
      return `${key === "macs" && row.exact === false ? "≥ " : ""}${digits(row[key] / factor, 4)}`;
    };
    return { key, label: unit ? `${column.label} (${unit})` : column.label, numeric: true, text };
  };
  const present = (keys) => keys.filter((key) => data.columns[key] && some(key)).map(measured);
  const varied = data.varied.filter((a) => (all || !a.key.startsWith("params.")) && !["tokens", "run", ...(all ? [] : ["resolution"])].includes(a.key) && new Set(rows.map((row) => row[a.key])).size > 1);
  return [
    { key: "name", label: data.noun, text: (row) => row.name },
    ...varied.map(axis),
    ...present(["macs", "latency_s", "throughput", "peak_memory_bytes", "relative", ...(all ? ["params"] : []), "published_top1"]),
    ...(some("rounds_s") ? [{ key: "rounds_s", label: "Rounds", text: (row) => (row.rounds_s?.length > 1 ? strip(row) : "–"), value: (row) => (row.rounds_s ? Math.max(...row.rounds_s) / Math.min(...row.rounds_s) : null) }] : []),
    ...(all && some("samples") ? [{ key: "samples", label: "Samples", numeric: true, text: (row) => shown(row.samples, "count") }] : []),
    ...(rows.some((row) => row.flags) ? [{ key: "flags", label: "Flags", text: (row) => flagsOf(row, data) }] : []),
    ...(rows.some((row) => row.status !== "ok") ? [{ key: "status", label: "Status", text: (row) => `${row.status}${row.expected && row.status !== "ok" ? " (expected)" : ""}${row.reason ? `: ${row.reason}` : ""}` }] : []),
  ];
}

// Replaces the table in `host` by one that obeys the state; the old one stays for print.
function mountCells(host, data, rows, store, isolate) {
  const { state, set } = store;
  const settings = data.settings[host.dataset.cells].map(({ label, cells }) => ({ label, cells: new Set(cells) }));
  const printed = host.querySelector(".scroll");
  for (const row of printed.querySelectorAll("tr[id]")) row.removeAttribute("id"); // the new rows take them over
  printed.classList.add("as-printed");
  const count = make("p", { class: "note", role: "status" });
  const head = make("thead"), body = make("tbody");
  const table = make("table", { class: "cells" }, make("caption", {}, make("span", {}, `${rows.some((row) => typeof row.latency_lo_s === "number") ? "Brackets: 95\u00a0% confidence intervals. " : ""}Rounds: the median of each, up to 5\u00a0% off that of the cell. A name opens its samples and the command that repeats it.`)), head, body);
  const text = make("input", { type: "search", placeholder: "words of a row", value: state.q, oninput: () => set({ q: text.value }) });
  const pages = make("div", { class: "pages" });
  const setting = make("span");
  let page = 0, listed = [], columns = [];
  const number = () => (state.set === "all" ? -1 : settings.length ? Math.max(0, settings.findIndex((one) => one.label === state.set)) : -1);
  const box = make("div", { class: "explore cells-box" },
    make("div", { class: "controls" }, setting, make("label", {}, make("span", {}, "Filter"), text), textMenu(data, host.dataset.cells, () => listed, number), count),
    make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of numbers" }, table), pages);
  host.insertBefore(box, printed);

  function sortBy(key) {
    const [now, way] = state.sort.split(":");
    set({ sort: now === key && way === "up" ? `${key}:down` : now === key && way === "down" ? "" : `${key}:up` });
  }

  function arrange() {
    const one = settings[number()];
    const here = one ? rows.filter((row) => one.cells.has(row.cell)) : rows;
    listed = chosen(here, { ...state, pick: {} });
    columns = columnsOf(data, here, !one);
    const [key, way] = (state.sort || (one ? "throughput:down" : "")).split(":");
    const column = columns.find((each) => each.key === key);
    const focused = head.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    head.replaceChildren(make("tr", {}, ...columns.map((each) => make("th", {
      scope: "col", class: each.numeric ? "number" : null, "data-key": each.key,
      "aria-sort": state.sort && each === column ? (way === "down" ? "descending" : "ascending") : null,
    }, make("button", { type: "button", "data-key": each.key, onclick: () => sortBy(each.key) }, each.label)))));
    if (focused) head.querySelector(`button[data-key="${focused}"]`)?.focus();
    setting.replaceChildren(...(settings.length > 1 ? [select("Setting", [...settings.map((each) => [each.label, each.label]), ["all", "all settings"]], one?.label ?? "all", (value) => set({ set: value === settings[0].label ? "" : value }))] : []));
    if (!column) return;
    const value = column.value ?? ((row) => row[key] ?? null);
    const sign = way === "down" ? -1 : 1;
    listed.sort((first, other) => {
      const a = value(first), b = value(other);
      if (a === null || b === null) return (a === null) - (b === null); // missing last, either way
      return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
    });
  }

  function draw() {
    const last = Math.max(0, Math.ceil(listed.length / PER_PAGE) - 1);
    page = Math.min(page, last);
    const part = listed.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
    const held = body.contains(document.activeElement) ? document.activeElement.closest("tr").id : null;
    body.replaceChildren(...part.flatMap(rowsOf));
    const names = [...body.querySelectorAll("button.name")]; // one stop of the tab key; arrows go from row to row
    names.forEach((name, i) => name.setAttribute("tabindex", i ? "-1" : "0"));
    if (held) focusOn(document.getElementById(held)?.querySelector("button.name"));
    count.textContent = listed.length === rows.length ? `${rows.length} cells.` : `${listed.length} of ${rows.length} cells.`;
    pages.replaceChildren();
    if (last > 0) {
      const to = (number) => () => { page = number; draw(); box.scrollIntoView({ block: "start" }); };
      pages.append(
        make("button", { type: "button", disabled: page === 0, onclick: to(page - 1) }, "Previous"),
        make("span", {}, `${page * PER_PAGE + 1}–${page * PER_PAGE + part.length} of ${listed.length}`),
        make("button", { type: "button", disabled: page === last, onclick: to(page + 1) }, "Next"));
    }
  }

  function focusOn(name) {
    if (!name) return;
    for (const one of body.querySelectorAll("button.name")) one.setAttribute("tabindex", one === name ? "0" : "-1");
    name.focus();
  }

  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.matches("button.name")) return;
    const names = [...body.querySelectorAll("button.name")];
    focusOn(names[names.indexOf(event.target) + step]);
    event.preventDefault();
  });

  function rowsOf(row) {
    const chosenRow = state.cell === row.link;
    const open = chosenRow && state.home === "table";
    const cells = columns.map((column, i) => i === 0
      ? make("th", { scope: "row", "data-key": "name" }, make("button", { type: "button", class: "name", "aria-expanded": String(open), onclick: () => choose(open ? "" : row.link, row.link) }, row.name))
      : make("td", { class: column.numeric ? "number" : null, "data-key": column.key }, column.text(row)));
    const line = make("tr", { id: row.link, class: [row.status === "ok" ? "" : "failed", chosenRow ? "chosen" : ""].join(" ").trim() || null }, ...cells);
    if (!open) return [line];
    const detail = detailOf(row, data, { close: () => choose("", row.link), isolate });
    return [line, make("tr", { class: "detail-row" }, make("td", { colspan: columns.length }, detail))];
  }

  function choose(link, from) {
    set({ cell: link }, "table");
    focusOn(document.getElementById(from)?.querySelector("button.name"));
  }

  // The page of the table that holds the chosen cell. A link to a cell undoes filters that would hide it.
  function reveal() {
    const row = rows.find((one) => one.link === state.cell);
    if (!row) return;
    if (!listed.includes(row)) {
      if (location.hash.includes("=")) return;
      const home = settings.findIndex((one) => one.cells.has(row.cell));
      set({ only: "", off: new Set(), q: "", set: home === 0 ? "" : settings[home]?.label ?? "all" }, state.from);
      return;
    }
    page = Math.floor(listed.indexOf(row) / PER_PAGE);
  }

  function update() {
    if (text.value !== state.q) text.value = state.q;
    arrange();
    if (state.cell && state.from === "link") reveal();
    draw();
    if (state.cell && state.from === "link") {
      const line = document.getElementById(state.cell);
      if (line && body.contains(line)) line.scrollIntoView({ block: "center" });
    }
  }

  store.listen((_, changed) => {
    if (changed.some((key) => ["q", "only", "off", "set", "sort"].includes(key)) && !changed.includes("cell")) page = 0;
    update();
  });
  update();
}
