// Numbers as text: SI base units come in, the reader gets a prefix and as many digits as the interval allows.
const TIME = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
const BYTES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];
const SI = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];

// Factor and unit in which a value is shown: 0.0123 s → [0.001, "ms"].
function scaleOf(value, unit) {
  const size = Math.abs(value);
  if (unit === "s") return TIME.find(([factor]) => size >= factor) ?? TIME.at(-1);
  if (unit === "B") return BYTES.find(([factor]) => size >= factor) ?? BYTES.at(-1);
  if (unit === "px" || unit === "count") return [1, unit === "px" ? "px" : ""];
  if (size < 1000) return [1, unit];
  const [factor, prefix] = SI.find(([least]) => size >= least);
  return unit === "images/s" && factor < 1e6 ? [1, unit] : [factor, prefix + unit];
}

function digits(value, most) {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent < -4) return value.toExponential(Math.max(0, most - 1)).replace("-", "−");
  return value.toFixed(Math.max(0, most - 1 - exponent)).replace("-", "−");
}

// "12.3 ms", at most four digits.
function shown(value, unit, most = 4) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e4 && unit !== "s" && unit !== "B") {
    return unit && unit !== "count" ? `${value} ${unit}` : String(value);
  }
  const [factor, name] = scaleOf(value, unit);
  return `${digits(value / factor, most)} ${name}`.trim();
}

// "12.34 [12.30, 12.41] ms": two digits of the interval's half width decide how many there are.
function spread(value, lo, hi, unit) {
  if (value === null || value === undefined) return "–";
  if (typeof lo !== "number" || typeof hi !== "number") return shown(value, unit);
  const [factor, name] = scaleOf(value, unit);
  return `${ranged(value, lo, hi, factor)} ${name}`.trim();
}

// Short text of a tick: "10 ms", "1 G".
function tick(value, unit) {
  if (unit === "px" || unit === "count") return String(value);
  const [factor, name] = scaleOf(value, ["s", "B"].includes(unit) ? unit : "");
  return `${Number((value / factor).toPrecision(3))}${name ? ` ${name}` : ""}`;
}

// Factor and unit of a whole column, from its median, so that its numbers can be read down.
function columnScale(values, unit) {
  const known = values.filter((value) => typeof value === "number" && value !== 0).map(Math.abs).sort((a, b) => a - b);
  return known.length ? scaleOf(known[known.length >> 1], unit) : [1, unit];
}

// "12.34 [12.30, 12.41]" in units of the column.
function ranged(value, lo, hi, factor) {
  if (typeof lo !== "number" || typeof hi !== "number") return digits(value / factor, 4);
  const half = (hi - lo) / 2 / factor;
  const places = half > 0 ? Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(half)))) : 3;
  const text = (number) => (number / factor).toFixed(places);
  return `${text(value)} [${text(lo)}, ${text(hi)}]`;
}
