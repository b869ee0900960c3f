"""The cells of a run as columns for the browser, numbers at seven digits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchsuite.report.cells import Cells
from benchsuite.report.columns import AXES, MEASURES, relative
from benchsuite.report.reported_cells import ReportedCell
from benchsuite.report.theme import SERIES, looks
from benchsuite.report.words import MODE_WORDS
from benchsuite.results.metrics import METRICS, QUANTITIES, FrameColumn

DIGITS = 7
"""More than any interval allows and any screen shows; the records beside the table hold all of them."""

_PLAIN = ("cell", "name", "status", "reason", "flags", "stopped_by", "target", "expected", "rounds_s")

_SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle", "D": "diamond", "v": "wye", "P": "cross", "X": "star",
    "<": "asterisk", ">": "plus", "p": "square2", "h": "diamond2",
}  # fmt: skip
"""Marker of a static figure → the nearest symbol that the charts' library draws."""


def looks_of(names: Sequence[str]) -> dict[str, list[Any]]:
    """Name → [number of its colour, symbol], as in the figures."""
    return {
        name: [SERIES.index(look.color) + 1, _SYMBOLS[look.marker]] for name, look in looks(names).items()
    }


def to_table(cells: Cells) -> dict[str, Any]:
    """The cells of one run for the browser.

    Returns:
        `rows`, the number of rows; `columns`, key → {values, kind, label, unit, ...}. Packing makes repeated
        values short.
    """
    reported = cells.reported
    ends = [end for metric in METRICS.values() for end in metric.interval or ()]
    columns = {key: _packed(_values(reported, QUANTITIES[key])) for key in (*_PLAIN, *ends)}
    columns["exact"] = _packed(_values(reported, QUANTITIES["macs_exact"]))
    columns["standing"] = _packed(cell.standing for cell in reported)
    for key, label in AXES.items():
        column = _packed(_values(reported, QUANTITIES[key]), MODE_WORDS if key == "mode" else {})
        if any(value is not None for value in column["values"]):
            unit = "px" if "(px)" in label else ""
            columns[key] = column | {"kind": "axis", "label": label.removesuffix(" (px)"), "unit": unit}
    for key, values in _params(reported).items():
        columns[f"params.{key}"] = _packed(values) | {"kind": "axis", "label": key, "unit": ""}
    for key, row in MEASURES.items():
        column = _packed(_values(reported, row))
        if any(column["values"]):
            columns[key] = column | _facts(row, "metric" if key in METRICS else "other")
    if cells.reference is not None:
        facts = _facts(relative(cells.reference), "metric")
        columns["relative"] = _packed(cell.relative.value for cell in reported) | facts
        columns["relative_lo"] = _packed(cell.relative.lo for cell in reported)
        columns["relative_hi"] = _packed(cell.relative.hi for cell in reported)
    return {"rows": len(reported), "columns": columns}


def _values(cells: Iterable[ReportedCell], row: FrameColumn) -> Iterator[Any]:
    return (row.of(cell.measured) for cell in cells)


def _facts(column: FrameColumn, kind: str) -> dict[str, Any]:
    """What the browser is told of a quantity."""
    unit = "" if column.unit == "MAC" else column.unit
    facts: dict[str, Any] = {"kind": kind, "label": column.label, "unit": unit}
    facts |= {"better": column.better} if column.better else {}
    return facts | ({"lo": column.interval[0], "hi": column.interval[1]} if column.interval else {})


def _params(cells: Sequence[ReportedCell]) -> dict[str, list[Any]]:
    """The parameters that a scenario varies; missing for who has no such parameter."""
    plain = [
        {key: value for key, value in cell.arguments.items() if isinstance(value, int | float | str)}
        for cell in cells
    ]
    values: dict[str, set[Any]] = {}
    for arguments in plain:
        for key, value in arguments.items():
            values.setdefault(key, set()).add(value)
    varied = [key for key, found in values.items() if len(found) > 1]
    return {key: [arguments.get(key) for arguments in plain] for key in varied}


def _packed(values: Iterable[Any], words: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A column; `words` says how its words are shown."""
    plain = [_plain(value) for value in values]
    shown = {value: words[value] for value in dict.fromkeys(plain) if value in words} if words else {}
    return {"values": plain, "shown": shown} if shown else {"values": plain}


def _plain(value: Any) -> Any:
    """A value as JSON has it; None for missing."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
