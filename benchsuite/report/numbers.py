"""The table of numbers: all cells of a run, and those of one setting to copy into a paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from benchsuite.errors import UsageError, require_word
from benchsuite.findings.flags import FLAGS
from benchsuite.format import counted, fixed, scale_of, spread
from benchsuite.labels import noun
from benchsuite.report import ranking, strips
from benchsuite.report.answer import main_group
from benchsuite.report.cells import Cells
from benchsuite.report.columns import CONDITIONS, MEASURES, relative
from benchsuite.report.comparable_groups import describe, shared, varying
from benchsuite.report.points import Point, Value, kernels_of, resolutions_of, stated
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import STATUS_WORDS, pixels
from benchsuite.results.kernels import backends_of, kernel_ran
from benchsuite.results.metrics import FrameColumn

MOST_ROWS = 500
"""Rows that are written into the page; more would be most of its bytes. Scripts show all of them."""
MOST_REASON = 90
"""Characters of the reason of a failure in the table; the page has all of it under Method."""
MAIN = ("macs", "latency_s", "throughput", "peak_memory_bytes")
"""Metrics of every cell, in the order of the columns."""
SELDOM = ("params", "joules_per_image", "published_top1")
"""Metrics that the table of all cells shows where some cell has a number."""
COLUMNS = (
    "run",
    "name",
    "resolution",
    "kernel",
    *CONDITIONS,
    *MEASURES,
    "relative",
    "flags",
    "status",
)
"""Columns of a table for a paper, by the names of the frame where it has them."""
BOLD = (
    "Bold: the best of each setting; of times and speeds with intervals all that may be fastest, "
    "none where no cell is surely slower."
)
"""What a table for a paper marks, as its caption says it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Cells that differ in mixer and kernel only: one resolution of one group.

    Attributes:
        label: "672 px", and what tells its group from others.
        conditions: what all cells of its group share.
    """

    label: str
    conditions: str
    cells: tuple[Point, ...]


def settings(cells: Cells) -> list[Setting]:
    """Every setting of a run; the one that is shown first comes first.

    That is the largest resolution of the largest group at which all cells have a number, else the one with
    most numbers.
    """
    every = every_setting(cells)
    if not every:
        return []
    main = {point.cell for point in main_group(cells)}

    def rank(setting: Setting) -> tuple[Any, ...]:
        numbers = sum(point.throughput.known for point in setting.cells)
        whole = numbers == len(setting.cells)
        size = math.prod(setting.cells[0].size)
        return (setting.cells[0].cell in main, whole, size if whole else numbers)

    first = max(every, key=rank)
    return [first, *(setting for setting in every if setting is not first)]


def every_setting(cells: Cells) -> list[Setting]:
    """Every setting of a run, group by group, the smallest resolution first."""
    several = len(cells.groups) > 1
    return [
        Setting(
            pixels(resolution) + (f", {group.title}" if several else ""),
            group.conditions,
            tuple(point for point in group.cells if point.resolution == resolution),
        )
        for group in cells.groups
        for resolution in resolutions_of(group.cells)
    ]


def of_settings(
    cells: Cells,
    chosen: Sequence[Setting],
    columns: Sequence[str] = (),
    runs: Mapping[str, str] | None = None,
) -> Table:
    """The numbers of some settings, for a paper: a block of rows for each, the fastest first.

    Args:
        columns: of `COLUMNS`; if none, what tells the rows apart and the main metrics.
        runs: cell → its run, which has a column first, or where `columns` has it, if there are several.

    Raises:
        UsageError: there is no such column.
    """
    blocks = [sorted(setting.cells, key=_fastest_first) for setting in chosen]
    points = [point for block in blocks for point in block]
    for key in columns:
        require_word("--columns", key, COLUMNS)
    runs = runs or {}
    several = ["run"] if len(set(runs.values())) > 1 and "run" not in columns else []
    keys = [*several, *(columns or _usual(cells, blocks))]
    shown = [_column(cells, key, points, runs) for key in keys]
    said = {setting.conditions for setting in chosen}
    conditions = said.pop() if len(said) == 1 else describe(shared(points))
    sizes = resolutions_of(points)
    size = f"{pixels(sizes[0])}, " if len(sizes) == 1 else ""
    caption = f"{size}{conditions}." if points else "No cell was measured."
    caption += stated(" Brackets: 95 % confidence intervals.", (point.latency for point in points))
    table = _table(caption, shown, points)
    if any(len(block) > 1 for block in blocks):
        table = replace(table, caption=f"{caption} {BOLD}")
    rows, left = [], iter(table.rows)
    for number, block in enumerate(blocks):
        places, one_base = ranking.places(block, cells.order), _one_base(block, runs)
        rows += [_placed(next(left), number, keys, places.get(point.cell), one_base) for point in block]
    return replace(table, rows=tuple(rows))


def _placed(row: Row, block: int, keys: Sequence[str], place: int | None, one_base: bool) -> Row:
    """The row in its block, its times and speeds with their place; multiples of several cells have none."""
    of_column = {"latency_s": place, "throughput": place, "relative": place if one_base else 0}
    shown = (replace(cell, place=of_column.get(key)) for key, cell in zip(keys, row.cells, strict=True))
    return replace(row, block=block, cells=tuple(shown))


def _one_base(block: Sequence[Point], runs: Mapping[str, str]) -> bool:
    """True if the relative speeds of these cells are multiples of one and the same cell's."""
    return len({(point.kernel, runs.get(point.cell)) for point in block}) <= 1


def _usual(cells: Cells, blocks: Sequence[Sequence[Point]]) -> list[str]:
    """The columns that nobody has to ask for."""
    points = [point for block in blocks for point in block]
    keys = ["name"]
    keys += ["resolution"] if len(resolutions_of(points)) > 1 else []
    keys += ["kernel"] if len(kernels_of(points)) > 1 else []
    keys += varying(points) if len(blocks) > 1 else []
    keys += _main_keys(cells, points)
    return keys + (["status"] if any(point.status != "ok" for point in points) else [])


def _column(cells: Cells, key: str, points: Sequence[Point], runs: Mapping[str, str]) -> _Shown:
    if key in CONDITIONS:
        return _condition(key)
    if key in MEASURES:
        return _measure(cells, MEASURES[key], points)
    if key == "relative":
        if cells.reference is None:
            raise UsageError('--columns: no "relative": the runs have no reference in common')
        return _measure(cells, relative(cells.reference), points)
    if key == "run":
        return _Shown(Header("Run"), lambda point: TableCell(runs.get(point.cell, "")))
    if key == "name":
        heading = noun(point.subject for point in points).heading
        return _Shown(Header(heading), lambda point: TableCell(point.name))
    return _OWN[key]


def all_cells(cells: Cells, prefix: str = "cell-") -> Table:
    """Every cell of a run with all its metrics; of many the first `MOST_ROWS`, and the caption says so.

    Args:
        prefix: of the ids of rows, before the id of the cell.
    """
    points = cells.points
    keys = ["name", "resolution", "kernel", *varying(points), *_main_keys(cells, points), "strip"]
    keys += [key for key in SELDOM if _any(cells, key)]
    keys += ["flags"] if any(point.flags for point in points) else []
    keys += ["reason"] if any(point.status != "ok" for point in points) else []
    caption = f"All {counted(len(points), 'cell')}." if len(points) != 1 else "The only cell."
    if len(points) > MOST_ROWS:
        caption = (
            f"The first {MOST_ROWS} of {len(points)} cells. The rest shows where scripts run; "
            "`benchsuite extract` on this file gives all of them."
        )
    caption += stated(" Brackets: 95 % confidence intervals.", (point.latency for point in points))
    if any(len(point.rounds_s) > 1 for point in points):
        caption += f" Rounds: the median of each in order, up to {strips.REACH} off that of the cell."
    if not all(point.exact for point in points):
        caption += " ≥: a lower bound, since the counter has no rule for some operators."
    shown = [_column(cells, key, points, {}) for key in keys]
    return _table(caption, shown, points[:MOST_ROWS], prefix)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column: its head, and what it shows of a cell."""

    head: Header
    show: Callable[[Point], TableCell]


def _table(
    caption: str, columns: Sequence[_Shown], points: Sequence[Point], prefix: str | None = None
) -> Table:
    rows = tuple(
        Row(
            tuple(column.show(point) for column in columns),
            id=None if prefix is None else f"{prefix}{point.cell}",
            failed=point.status != "ok",
        )
        for point in points
    )
    return Table(caption, tuple(column.head for column in columns), rows, sortable=True)


def _main_keys(cells: Cells, points: Sequence[Point]) -> list[str]:
    keys = list(MAIN)
    if _any(cells, "busy_s"):
        keys.insert(keys.index("latency_s") + 1, "busy_s")  # beside the wall time that it explains
    known = cells.reference is not None and any(point.relative.known for point in points)
    return [*keys, "relative"] if known else keys


def _measure(cells: Cells, column: FrameColumn, points: Sequence[Point]) -> _Shown:
    """A quantity in the one unit that suits it; latencies and ratios with their intervals."""
    unit = "" if column.unit == "MAC" else column.unit
    factor = 1.0
    if column.unit in ("MAC", "s", "B", "J") or column.key == "params":
        factor, unit = scale_of((_value(point, column.key).value for point in points), unit)

    def show(point: Point) -> TableCell:
        value = _value(point, column.key)
        if not value.known:
            return TableCell("–")
        if column.key in ("latency_s", "relative"):
            own = column.key == "relative" and point.name == cells.reference
            return TableCell("1" if own else spread(value.value, value.lo, value.hi, factor), value.value)
        bound = "≥ " if column.key == "macs" and not point.exact else ""
        return TableCell(bound + fixed(value.value / factor, 4), value.value)

    text = f"{column.label} ({unit})" if unit else column.label
    return _Shown(Header(text, numeric=True, better=column.better), show)


def _value(point: Point, key: str) -> Value:
    """A quantity of a cell, with its interval where that is shown."""
    return point.relative if key == "relative" else point.metrics[key]


def _any(cells: Cells, key: str) -> bool:
    return any(_value(point, key).known for point in cells.points)


def _condition(key: str) -> _Shown:
    row = CONDITIONS[key]

    def show(point: Point) -> TableCell:
        value = point.settings[key]
        if value is None:
            return TableCell("–", None if row.worded else 0)
        text = row.phrase(value) if key == "mode" else str(value)
        return TableCell(text, value if isinstance(value, int) else None)

    return _Shown(Header(row.label, numeric=not row.worded), show)


def _rounds(point: Point) -> TableCell:
    medians = point.rounds_s
    if len(medians) < 2:
        return TableCell("–")
    factor, unit = scale_of(medians, "s")
    text = f"{', '.join(fixed(median / factor, 3) for median in medians)} {unit}"
    return TableCell(text, max(medians) / min(medians), strips.strip(medians, point.latency.value, text))


def _flags(point: Point) -> TableCell:
    words = [word.replace("_", " ") for word in point.flags]
    marks = (
        Markup('<abbr title="{}">{}</abbr>').format(FLAGS.get(flag, ""), word)
        for flag, word in zip(point.flags, words, strict=True)
    )
    return TableCell(", ".join(words), shown=Markup(", ").join(marks))


def _status(point: Point) -> TableCell:
    record, word = point.measured.record, STATUS_WORDS[point.status]
    reason = " ".join((record.reason or "").split())
    reason = reason if len(reason) <= MOST_REASON else f"{reason[: MOST_REASON - 1]}…"
    text = f"{word}: {reason}" if reason else word
    return TableCell(f"{text} (expected)" if record.expected else text)


_OWN: Mapping[str, _Shown] = {
    "resolution": _Shown(
        Header("Resolution (px)", numeric=True),
        lambda point: TableCell(pixels(point.resolution).removesuffix(" px"), math.prod(point.size)),
    ),
    "kernel": _Shown(
        Header("Kernel"),
        lambda point: TableCell(kernel_ran(point.kernel, backends_of(point.measured.record))),
    ),
    "strip": _Shown(Header("Rounds", numeric=True), _rounds),
    "flags": _Shown(Header("Flags"), _flags),
    "status": _Shown(Header("Status"), lambda point: TableCell(STATUS_WORDS[point.status])),
    "reason": _Shown(Header("Status"), _status),
}
"""Columns that are no measure and no condition; "strip" shows rounds, "reason" the status with its reason."""


def _fastest_first(point: Point) -> float:
    return -point.throughput.value if point.throughput.known else math.inf
