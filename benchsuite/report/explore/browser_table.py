"""The frame as columns for the browser, numbers at seven digits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from benchsuite.report.columns import AXES, MEASURES, relative
from benchsuite.report.theme import MARKERS, SERIES
from benchsuite.report.words import MODE_WORDS
from benchsuite.results.metrics import METRICS, FrameColumn

DIGITS = 7
"""More than any interval allows and any screen shows; the records beside the table hold all of them."""

_NO_MEASURE = {"height", "width", "tokens", "stride", "batch", "dim", "num_heads", "threads", "session",
               "attempts", "calls_per_sample", "recompiles", "threads_used", "noise", "drift", "relative",
               "relative_lo", "relative_hi"}  # fmt: skip
_PLAIN = ("cell", "name", "status", "reason", "flags", "stopped_by", "target")

_SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle", "D": "diamond", "v": "wye", "P": "cross", "X": "star",
    "<": "asterisk", ">": "plus", "p": "square2", "h": "diamond2",
}  # fmt: skip
"""Marker of a static figure → the nearest symbol that the charts' library draws."""


def looks_of(names: Sequence[str]) -> dict[str, list[Any]]:
    """Name → [number of its colour, symbol], as `theme.looks` gives them to the figures."""
    return {
        name: [number % len(SERIES) + 1, _SYMBOLS[MARKERS[number % len(MARKERS)]]]
        for number, name in enumerate(names)
    }


def to_table(frame: pd.DataFrame, reference: str | None = None) -> dict[str, Any]:
    """The frame of one run for the browser.

    Args:
        reference: the name that speeds are multiples of in the column `relative`.

    Returns:
        `rows`, the number of rows; `columns`, key → {values, kind, label, unit, ...}. Packing makes repeated
        values short.
    """
    columns: dict[str, dict[str, Any]] = {key: _packed(frame[key]) for key in _PLAIN}
    columns["exact"] = _packed(frame["macs_exact"])
    columns["expected"] = _packed(frame["expected"])
    columns["standing"] = _packed(frame["standing"])
    columns["rounds_s"] = {"values": [_rounded(one) for one in frame["rounds_s"]]}
    for key, label in AXES.items():
        if frame[key].notna().any():
            columns[key] = _packed(frame[key], MODE_WORDS if key == "mode" else {}) | {
                "kind": "axis", "label": label.removesuffix(" (px)"), "unit": "px" if "(px)" in label else "",
            }  # fmt: skip
    for key, values in _params(frame).items():
        columns[key] = _packed(values) | {"kind": "axis", "label": key.removeprefix("params."), "unit": ""}
    for key in frame.columns:
        if _is_measure(frame, key):
            columns[key] = _packed(frame[key]) | _measure(key)
    if reference is not None:
        column = relative(reference)
        columns["relative"] = _packed(frame["relative"]) | _facts(column, "metric")
        columns |= {end: _packed(frame[end]) for end in column.interval or ()}
    for metric in METRICS.values():
        for end in metric.interval or ():
            columns[end] = _packed(frame[end])
    return {"rows": len(frame), "columns": columns}


def _is_measure(frame: pd.DataFrame, key: str) -> bool:
    ends = {end for metric in METRICS.values() for end in metric.interval or ()}
    if key in _NO_MEASURE or key in ends or not pd.api.types.is_numeric_dtype(frame[key]):
        return False
    values = frame[key].dropna()
    return not pd.api.types.is_bool_dtype(values) and bool((values != 0).any())


def _measure(key: str) -> dict[str, Any]:
    column = MEASURES.get(key)
    if column is None:
        return {"kind": "other", "label": key, "unit": ""}
    return _facts(column, "metric" if key in METRICS else "other")


def _facts(column: FrameColumn, kind: str) -> dict[str, Any]:
    """What the browser is told of a quantity."""
    unit = "" if column.unit == "MAC" else column.unit
    facts: dict[str, Any] = {"kind": kind, "label": column.label, "unit": unit}
    facts |= {"better": column.better} if column.better else {}
    return facts | ({"lo": column.interval[0], "hi": column.interval[1]} if column.interval else {})


def _params(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The parameters that a scenario varies, as `params.alpha`; missing for who has no such parameter."""
    texts = {
        text: {key: value for key, value in json.loads(text).items() if isinstance(value, int | float | str)}
        for text in dict.fromkeys(frame["config"])
    }
    values: dict[str, set[Any]] = {}
    for config in texts.values():
        for key, value in config.items():
            values.setdefault(key, set()).add(value)
    varied = [key for key, found in values.items() if len(found) > 1]
    return {f"params.{key}": [texts[text].get(key) for text in frame["config"]] for key in varied}


def _packed(values: Iterable[Any], words: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A column; `words` says how its words are shown."""
    plain = [_plain(value) for value in values]
    shown = {value: words[value] for value in dict.fromkeys(plain) if value in words} if words else {}
    return {"values": plain, "shown": shown} if shown else {"values": plain}


def _rounded(medians: Any) -> list[Any] | None:
    """The medians of the rounds; None where nothing was timed."""
    return [_plain(median) for median in medians] if isinstance(medians, tuple) else None


def _plain(value: Any) -> Any:
    """A value as JSON has it; None for missing."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
