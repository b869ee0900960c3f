// The table of all cells of a run, drawn a page at a time: sorted, filtered and linked to.
const PER_PAGE = 100;

function columnsOf(data, rows) {
  const some = (key) => rows.some((row) => row[key] !== null && row[key] !== undefined);
  const number = (key, text) => ({ key, label: data.columns[key].label, numeric: true, text });
  const shownAxes = data.varied.filter((a) => !["resolution", "kernel", "tokens", "run"].includes(a.key));
  const measured = (key) => {
    const column = data.columns[key];
    if (key === "throughput") return { ...number(key, (row) => (row[key] === null ? "–" : digits(row[key], 4))), label: "Throughput (images/s)" };
    return number(key, (row) => (key === "macs" && row.exact === false ? "≥ " : "") + spread(row[key], row[column.lo], row[column.hi], column.unit));
  };
  const present = (keys) => keys.filter((key) => data.columns[key] && some(key)).map(measured);
  return [
    { key: "name", label: data.noun, text: (row) => row.name },
    { key: "resolution", label: "Resolution (px)", numeric: true, text: (row) => wordOf(data.columns.resolution, row.resolution), value: (row) => row.tokens ?? null },
    { key: "kernel", label: "Kernel", text: (row) => row.kernel },
    ...shownAxes.map((axis) => ({ key: axis.key, label: axis.label, numeric: axis.values.every((v) => v === null || typeof v === "number"), text: (row) => (row[axis.key] === null ? "–" : wordOf(axis, row[axis.key])) })),
    ...present(["macs", "latency_s", "relative"]),
    ...(some("rounds_s") ? [{ key: "rounds_s", label: "Rounds", text: (row) => (row.rounds_s?.length > 1 ? strip(row) : "–"), value: (row) => (row.rounds_s ? Math.max(...row.rounds_s) / Math.min(...row.rounds_s) : null) }] : []),
    ...present(["throughput", "peak_memory_bytes", "params"]),
    ...(some("samples") ? [{ key: "samples", label: "Samples", numeric: true, text: (row) => shown(row.samples, "count") }] : []),
    ...(rows.some((row) => row.flags) ? [{ key: "flags", label: "Flags", text: (row) => flagsOf(row, data) }] : []),
    { key: "status", label: "Status", text: (row) => `${row.status}${row.expected && row.status !== "ok" ? " (expected)" : ""}${row.reason ? `: ${row.reason}` : ""}` },
  ];
}

// Replaces the table in `host` by one that obeys the state; the old one stays for print.
function mountCells(host, data, rows, store, isolate) {
  const { state, set } = store;
  const columns = columnsOf(data, rows);
  const printed = host.querySelector(".scroll");
  for (const row of printed.querySelectorAll("tr[id]")) row.removeAttribute("id"); // the new rows take them over
  printed.classList.add("as-printed");
  const count = make("p", { class: "note", role: "status" });
  const body = make("tbody");
  const heads = columns.map((column) => make("th", { scope: "col", class: column.numeric ? "number" : null },
    make("button", { type: "button", onclick: () => sortBy(column.key) }, column.label)));
  const table = make("table", { class: "cells" }, make("caption", {}, make("span", {}, `All cells.${rows.some((row) => typeof row.latency_lo_s === "number") ? " Brackets: 95 % intervals." : ""} Rounds: the median of each in order, up to 5 % off that of the cell. A name isolates it everywhere; Details shows the samples and the command that repeats the row.`)),
    make("thead", {}, make("tr", {}, heads[0], make("th", { scope: "col" }, make("span", { class: "unseen" }, "Details")), ...heads.slice(1))), body);
  const text = make("input", { type: "search", placeholder: "words that a row holds", value: state.q, oninput: () => set({ q: text.value }) });
  const pages = make("div", { class: "pages" });
  const box = make("div", { class: "explore cells-box" }, make("div", { class: "controls" }, make("label", {}, make("span", {}, "Filter"), text)), count,
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All cells" }, table), pages);
  host.insertBefore(box, printed);
  let page = 0, listed = [];

  function sortBy(key) {
    const [now, way] = state.sort.split(":");
    set({ sort: now === key && way === "up" ? `${key}:down` : now === key && way === "down" ? "" : `${key}:up` });
  }

  function arrange() {
    listed = chosen(rows, state);
    const [key, way] = state.sort.split(":");
    const column = columns.find((one) => one.key === key);
    columns.forEach((one, i) => {
      if (one === column) heads[i].setAttribute("aria-sort", way === "down" ? "descending" : "ascending");
      else heads[i].removeAttribute("aria-sort");
    });
    if (!column) return;
    const value = column.value ?? ((row) => row[key] ?? null);
    const sign = way === "down" ? -1 : 1;
    listed.sort((one, other) => {
      const a = value(one), b = value(other);
      if (a === null || b === null) return (a === null) - (b === null); // missing last, either way
      return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
    });
  }

  function draw() {
    const last = Math.max(0, Math.ceil(listed.length / PER_PAGE) - 1);
    page = Math.min(page, last);
    const part = listed.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
    const held = body.contains(document.activeElement) ? [document.activeElement.closest("tr").id, document.activeElement.className] : null;
    body.replaceChildren(...part.flatMap(rowsOf));
    if (held?.[0]) [...(document.getElementById(held[0])?.querySelectorAll("button") ?? [])].find((button) => button.className === held[1])?.focus();
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

  function rowsOf(row) {
    const chosenRow = state.cell === row.link;
    const open = chosenRow && state.home === "table";
    const toggle = make("button", { type: "button", class: "small", "aria-expanded": String(open), onclick: () => choose(open ? "" : row.link, row.link) }, "Details", make("span", { class: "unseen" }, ` of ${row.name}`));
    const cells = columns.map((column, i) => i === 0
      ? make("th", { scope: "row" }, make("button", { type: "button", class: "name", "aria-pressed": String(state.only === row.name), title: `Isolate ${row.name}`, onclick: () => isolate(row.name) }, row.name))
      : make("td", { class: column.numeric ? "number" : column.key === "status" ? "status" : null }, column.text(row)));
    const line = make("tr", { id: row.link, class: [row.status === "ok" ? "" : "failed", chosenRow ? "chosen" : ""].join(" ").trim() || null }, cells[0], make("td", {}, toggle), ...cells.slice(1));
    if (!open) return [line];
    const detail = detailOf(row, data, { close: () => choose("", row.link), isolate });
    return [line, make("tr", { class: "detail-row" }, make("td", { colspan: columns.length + 1 }, detail))];
  }

  function choose(link, from) {
    set({ cell: link }, "table");
    document.getElementById(from)?.querySelector("button[aria-expanded]")?.focus();
  }

  // The page of the table that holds the chosen cell. A link to a cell undoes filters that would hide it.
  function reveal() {
    const row = rows.find((one) => one.link === state.cell);
    if (!row) return;
    if (!listed.includes(row)) {
      if (location.hash.includes("=")) return;
      set({ only: "", off: new Set(), pick: {}, q: "" }, state.from);
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
    if (changed.some((key) => ["q", "only", "off", "pick", "sort"].includes(key)) && !changed.includes("cell")) page = 0;
    update();
  });
  update();
}
