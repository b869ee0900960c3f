"""A baseline for people: what it is of, and a row a cell. Pure."""

from __future__ import annotations

import math
import statistics

from benchsuite.format import si
from benchsuite.gate.against_baseline import machine_words
from benchsuite.gate.baseline import Baseline, BaselineCell, machine_digest

_NONE = "–"


def head(baseline: Baseline) -> list[str]:
    """What stands above the table."""
    if baseline.kind == "exact":
        counts = f'exact numbers of {", ".join(baseline.sources)}, counted on "meta"'
        return [f"baseline  {counts}", f"cells     {len(baseline.cells)}"]
    noise = "unknown" if baseline.noise is None else f"{100 * baseline.noise:.3g} %, from the self-test"
    return [
        f"baseline  a run of {baseline.name}",
        f"machine   {machine_words(baseline.machine)} ({machine_digest(baseline.machine)})",
        f"noise     {noise}",
        f"cells     {len(baseline.cells)}",
    ]


def rows(baseline: Baseline) -> list[dict[str, str]]:
    """The table."""
    timed = any(cell.log_medians for cell in baseline.cells)
    return [_row(cell, timed=timed) for cell in baseline.cells]


def _row(cell: BaselineCell, *, timed: bool) -> dict[str, str]:
    macs, params = cell.numbers.get("macs"), cell.numbers.get("params")
    lower = any(name.startswith("uncounted.") for name in cell.numbers)
    row = {
        "cell": cell.id,
        "status": cell.outcome,
        "MACs": _NONE if macs is None else f"{'≥ ' if lower else ''}{macs:,}",
        "params": _NONE if params is None else f"{params:,}",
    }
    if timed:
        logs = cell.log_medians
        row["latency"] = si(math.exp(statistics.fmean(logs)), "s") if logs else _NONE
        row["processes"] = str(len(logs))
        row["noise"] = _NONE if cell.noise is None else f"{100 * cell.noise:.2g} %"
    return row
