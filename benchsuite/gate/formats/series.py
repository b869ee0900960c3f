"""A gate as numbers: JSON for services that keep a series (github-action-benchmark, Bencher), and CSV.

A series has the candidate's numbers, and only what was measured: a cell without a number is absent, never
zero. A gate that times nothing has its counts in. The CSV has a row a cell, in full precision, empty where a
number is missing.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import Any

from benchsuite.gate.formats.phrases import change_words, one_line
from benchsuite.gate.result import GateCell, GateResult
from benchsuite.text import in_spreadsheet

_UNITS = {"macs": "MACs", "params": "parameters"}
COLUMNS = (
    "cell", "verdict", "base_status", "candidate_status", "base_s", "candidate_s", "ratio", "ratio_lo",
    "ratio_hi", "delta", "pairs", "reason", "changes", "accepted",
)  # fmt: skip


def to_github_action_benchmark(result: GateResult) -> str:
    """A list for `tool: customSmallerIsBetter`: name, unit, value, and range where an interval is known."""
    rows = []
    for cell in _timed(result):
        assert cell.candidate_s is not None
        row: dict[str, Any] = {"name": one_line(cell.id), "unit": "s", "value": cell.candidate_s}
        ends = _ends(cell)
        if ends is not None:
            row["range"] = f"± {(ends[1] - ends[0]) / 2:.3g}"
        rows.append(row | {"extra": _extra(cell, result)})
    rows += [
        {
            "name": one_line(f"{cell.id}: {key}"),
            "unit": unit,
            "value": cell.counts[key],
            "extra": _extra(cell, result),
        }
        for cell in _counted(result)
        for key, unit in _UNITS.items()
        if key in cell.counts
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def to_bencher(result: GateResult) -> str:
    """Bencher Metric Format: name → latency in nanoseconds, with ends where an interval is known.

    Source of the unit: its built-in measure "latency" is in nanoseconds.
    """
    metrics: dict[str, Mapping[str, Mapping[str, float]]] = {
        one_line(cell.id): {key: {"value": cell.counts[key]} for key in _UNITS if key in cell.counts}
        for cell in _counted(result)
    }
    for cell in _timed(result):
        assert cell.candidate_s is not None
        metric = {"value": 1e9 * cell.candidate_s}
        ends = _ends(cell)
        if ends is not None:
            metric |= {"lower_value": 1e9 * ends[0], "upper_value": 1e9 * ends[1]}
        metrics[one_line(cell.id)] = {"latency": metric}
    return json.dumps(metrics, indent=2, ensure_ascii=False) + "\n"


def to_csv(result: GateResult) -> str:
    """The file's text; of a refused gate one row says why."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    if result.refused:
        writer.writerow(["", "not comparable", *[""] * 9, _plain(result.refused), "", ""])
    for cell in result.cells:
        writer.writerow(_row(cell))
    return out.getvalue()


def _timed(result: GateResult) -> list[GateCell]:
    return [cell for cell in result.cells if cell.candidate_s is not None and cell.candidate == "ok"]


def _counted(result: GateResult) -> list[GateCell]:
    """The cells of a gate that times nothing."""
    return [cell for cell in result.cells if result.rule is None and cell.counts]


def _extra(cell: GateCell, result: GateResult) -> str:
    return one_line(f"{cell.verdict}; base {result.base}, candidate {result.candidate}")


def _ends(cell: GateCell) -> tuple[float, float] | None:
    """The ratio's interval, carried over to the candidate's seconds with the base taken as known."""
    decision = cell.decision
    if decision is None or cell.candidate_s is None or math.isnan(decision.lo) or math.isnan(decision.ratio):
        return None
    return (
        cell.candidate_s * decision.lo / decision.ratio,
        cell.candidate_s * decision.hi / decision.ratio,
    )


def _row(cell: GateCell) -> list[str]:
    one = cell.decision
    numbers = [cell.base_s, cell.candidate_s]
    numbers += [one.ratio, one.lo, one.hi, one.delta] if one else [None] * 4
    everything = (change_words(changes, len(changes)) for changes in (cell.changes, cell.accepted))
    return [
        _plain(cell.id),
        cell.verdict,
        cell.base or "",
        cell.candidate or "",
        *("" if x is None or math.isnan(x) else repr(x) for x in numbers),
        str(one.pairs) if one else "",
        _plain(cell.reason),
        *map(_plain, everything),
    ]


def _plain(text: str) -> str:
    return in_spreadsheet(one_line(text))
