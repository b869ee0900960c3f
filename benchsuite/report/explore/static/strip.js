// The rounds of a cell: as text, and as the strip that the printed table has (report/strips.py).
const REACH = Math.log(1.1);

function roundsOf(row) {
  const [factor, unit] = scaleOf(row.latency_s, "s");
  return `${row.rounds_s.map((median) => digits(median / factor, 3)).join(", ")} ${unit}`;
}

function strip(row) {
  const dots = ["", ""]; // within reach, beyond it
  row.rounds_s.forEach((median, i) => {
    const share = Math.log(median / row.latency_s) / REACH;
    const y = 8 - Math.max(-1, Math.min(1, share)) * 6;
    dots[Math.abs(share) <= 1 ? 0 : 1] += `M${8 * i + 4} ${y.toFixed(1)}h0`;
  });
  const host = make("span");
  // Numbers only: nothing that a scenario or a record says is in this markup.
  host.innerHTML = `<svg class="strip" width="${8 * row.rounds_s.length}" height="16" role="img"><title></title>
    <path d="${dots[0]}"/><path class="beyond" d="${dots[1]}"/></svg>`;
  host.querySelector("title").textContent = roundsOf(row);
  return host.firstChild;
}

// The flags of a cell, each with what it means and what to do.
function flagsOf(row, data) {
  const words = (row.flags ?? "").split(" ").filter(Boolean);
  return make("span", {}, ...words.flatMap((word, i) =>
    [i ? ", " : null, make("abbr", { title: data.flags[word] ?? "" }, word.replaceAll("_", " "))]));
}
