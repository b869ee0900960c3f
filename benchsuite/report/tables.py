"""Tables of the page as typed rows: text to read and a value to sort by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from benchsuite.analyse.flags import FLAGS
from benchsuite.report import strips
from benchsuite.report.columns import CONDITIONS, FACTORS
from benchsuite.report.contests import Contest, noun_of, speed
from benchsuite.report.order import valued
from benchsuite.report.points import MISSING, Point, Value, points, stated
from benchsuite.report.words import (
    MODE_WORDS,
    STATUS_WORDS,
    counted,
    fixed,
    joined,
    pixels,
    rate,
    scale_of,
    spread,
)
from benchsuite.results.kernels import kernel_ran
from benchsuite.results.nouns import noun


@dataclass(frozen=True, slots=True)
class TableCell:
    """What one cell of a table says.

    Attributes:
        sort: None where it has no value, which sorts last.
        shown: what a page shows in place of the text.
    """

    text: str
    sort: float | str | None = None
    shown: Markup | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line; `id` makes it a target of links, `failed` greys it."""

    cells: tuple[TableCell, ...]
    id: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """Head of a column; numbers are set flush right."""

    text: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption. The first cell of a row is its heading."""

    caption: str
    headers: tuple[Header, ...]
    rows: tuple[Row, ...]
    sortable: bool = False


MOST_ROWS = 500
"""Rows that are written into the page; more would be most of its bytes. Scripts show all of them."""


def all_numbers(frame: pd.DataFrame, prefix: str = "cell-", reference: str | None = None) -> Table:
    """Every cell of a run with all its metrics; of many the first `MOST_ROWS`, and the caption says so.

    Args:
        prefix: of the ids of rows, before the id of the cell.
        reference: a name; adds a column with speed as a multiple of its speed in the same setting.
    """
    cells = points(frame)
    rows = frame.to_dict("records")
    varying = [factor for factor in FACTORS if frame[factor].nunique(dropna=factor != "threads") > 1]
    columns = [_macs(cells), _latency(cells), *_watched(rows, "busy_s", "Device busy", "s")]
    if reference is not None:
        columns.append(_relative(rows, reference))
    columns += [_rounds(cells), _throughput(), _memory(cells), _params(cells)]
    columns += [*_watched(rows, "joules_per_image", "Energy per image", "J"), _samples(rows)]
    headers = (
        Header(noun(point.subject for point in cells).heading),
        Header("Resolution (px)", numeric=True),
        Header("Kernel"),
        *(Header(FACTORS[factor], numeric=not CONDITIONS[factor].worded) for factor in varying),
        *(Header(title, numeric=True) for title, _ in columns),
        Header("Flags"),
        Header("Status"),
    )
    body = tuple(
        Row(
            (
                TableCell(point.name, point.name),
                TableCell(pixels(point.resolution).removesuffix(" px"), math.prod(point.size)),
                TableCell(kernel_ran(point.kernel, point.backends), point.kernel),
                *(_factor(factor, row[factor]) for factor in varying),
                *(show(i, point) for _, show in columns),
                _flags(point),
                _status(point),
            ),
            id=f"{prefix}{point.cell}",
            failed=point.status != "ok",
        )
        for i, (point, row) in enumerate(zip(cells[:MOST_ROWS], rows[:MOST_ROWS], strict=True))
    )
    caption = f"All {counted(len(cells), 'cell')}." if len(cells) != 1 else "The only cell."
    if len(cells) > MOST_ROWS:
        caption = (
            f"The first {MOST_ROWS} of {len(cells)} cells. The rest shows where scripts run; "
            "`benchsuite extract` on this file gives all of them."
        )
    caption += stated(" Brackets: 95 % intervals.", (point.latency for point in cells))
    if any(len(point.rounds_s) > 1 for point in cells):
        caption += f" Rounds: the median of each in order, up to {strips.REACH} off that of the cell."
    if not all(point.exact for point in cells):
        caption += " ≥: a lower bound, since the counter has no rule for some operators."
    return Table(caption, headers, body, sortable=True)


_Column = tuple[str, Callable[[int, Point], TableCell]]


def _macs(cells: Sequence[Point]) -> _Column:
    factor, unit = scale_of((point.macs for point in cells), "")
    title = f"MACs per image ({unit})" if unit else "MACs per image"

    def show(_: int, point: Point) -> TableCell:
        return _number(point.metrics["macs"], factor, "" if point.exact else "≥ ")

    return title, show


def _params(cells: Sequence[Point]) -> _Column:
    factor, unit = scale_of((point.metrics["params"].value for point in cells), "")
    title = f"Parameters ({unit})" if unit else "Parameters"
    return title, lambda _, point: _number(point.metrics["params"], factor)


def _latency(cells: Sequence[Point]) -> _Column:
    factor, unit = scale_of((point.latency.value for point in cells), "s")

    def show(_: int, point: Point) -> TableCell:
        value = point.latency
        return TableCell(spread(value.value, value.lo, value.hi, factor, unit), _key(value))

    return f"Latency per step ({unit})", show


def _throughput() -> _Column:
    def show(_: int, point: Point) -> TableCell:
        return TableCell(rate(point.throughput.value).removesuffix(" images/s"), _key(point.throughput))

    return "Throughput (images/s)", show


def _relative(rows: Sequence[Mapping[Any, Any]], reference: str) -> _Column:
    def show(i: int, point: Point) -> TableCell:
        value = Value(*(rows[i][key] for key in ("relative", "relative_lo", "relative_hi")))
        own = point.name == reference and value.known
        return TableCell("1" if own else spread(value.value, value.lo, value.hi), _key(value))

    return f"× {reference}", show


def _rounds(cells: Sequence[Point]) -> _Column:
    def show(_: int, point: Point) -> TableCell:
        medians = point.rounds_s
        if len(medians) < 2:
            return TableCell("–")
        factor, unit = scale_of(medians, "s")
        text = f"{', '.join(fixed(median / factor, 3) for median in medians)} {unit}"
        return TableCell(text, max(medians) / min(medians), strips.strip(medians, point.latency.value, text))

    return "Rounds", show


def _flags(point: Point) -> TableCell:
    if not point.flags:
        return TableCell("", None)
    words = [word.replace("_", " ") for word in point.flags]
    marks = (
        Markup('<abbr title="{}">{}</abbr>').format(FLAGS.get(flag, ""), word)
        for flag, word in zip(point.flags, words, strict=True)
    )
    return TableCell(", ".join(words), words[0], Markup(", ").join(marks))


def _memory(cells: Sequence[Point]) -> _Column:
    factor, unit = scale_of((point.metrics["peak_memory_bytes"].value for point in cells), "B")
    return f"Peak memory ({unit})", lambda _, point: _number(point.metrics["peak_memory_bytes"], factor)


def _watched(rows: Sequence[Mapping[Any, Any]], key: str, title: str, unit: str) -> list[_Column]:
    """A column of the frame where some cell has a number in it: what only some devices tell."""
    values = [Value(math.nan if pd.isna(row[key]) else float(row[key])) for row in rows]
    if not any(value.known for value in values):
        return []
    factor, name = scale_of((value.value for value in values), unit)
    return [(f"{title} ({name})", lambda i, _: _number(values[i], factor))]


def _samples(rows: Sequence[Mapping[Any, Any]]) -> _Column:
    def show(i: int, _: Point) -> TableCell:
        count = rows[i]["samples"]
        return TableCell("–") if pd.isna(count) else TableCell(str(count), int(count))

    return "Samples", show


def _number(value: Value, factor: float, prefix: str = "") -> TableCell:
    if not value.known:
        return TableCell("–")
    return TableCell(prefix + fixed(value.value / factor, 4), value.value)


def _key(value: Value) -> float | None:
    return value.value if value.known else None


def _factor(factor: str, value: Any) -> TableCell:
    if isinstance(value, str):
        return TableCell(MODE_WORDS.get(value, value) if factor == "mode" else value, value)
    if pd.isna(value):
        return TableCell("–", 0)
    return TableCell(str(value), int(value))


def _status(point: Point, most: int = 90) -> TableCell:
    word = STATUS_WORDS[point.status]
    reason = " ".join((point.reason or "").split())
    if len(reason) > most:
        reason = f"{reason[: most - 1]}…"
    text = f"{word}: {reason}" if reason else word
    return TableCell(f"{text} (expected)" if point.expected else text, word)


def fastest(fields: Sequence[Contest]) -> Table:
    """Who leads each contest, with its interval and its lead over the first that is surely slower."""
    rows = []
    for contest in fields:
        leaders = contest.leaders
        behind = [point for point in contest.cells if point not in leaders]
        names = joined([point.name for point in leaders])
        text = names if len(leaders) == 1 else f"{names} ({contest.open or 'no difference'})"
        lead = valued(contest.order.between(leaders[0], behind[0])) if behind else MISSING
        rows.append(
            Row(
                (
                    TableCell(pixels(contest.resolution)),
                    TableCell(contest.kernel),
                    TableCell(text),
                    TableCell(speed(leaders[0]).replace(" images/s", "")),
                    TableCell(
                        f"{spread(lead.value, lead.lo, lead.hi)} × {behind[0].name}" if behind else "–"
                    ),
                )
            )
        )
    headers = (
        Header("Resolution"),
        Header("Kernel"),
        Header("Fastest"),
        Header("Throughput (images/s)", numeric=True),
        Header("Lead over the first that is surely slower", numeric=True),
    )
    caption = f"The fastest {noun_of(fields).single} of every setting."
    caption += stated(
        " Brackets: 95 % intervals, of the lead paired by round.",
        (contest.leaders[0].throughput for contest in fields),
    )
    return Table(caption, headers, tuple(rows))
