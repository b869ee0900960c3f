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
from benchsuite.report.reported_cells import ReportedCell, Value, kernels_of, resolutions_of, stated
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
    cells: tuple[ReportedCell, ...]


def settings(cells: Cells) -> list[Setting]:
    """Every setting of a run; the one that is shown first comes first.

    That is the largest resolution of the largest group at which all cells have a number, else the one with
    most numbers.
    """
    every = every_setting(cells)
    if not every:
        return []
    main = {cell.id for cell in main_group(cells)}

    def rank(setting: Setting) -> tuple[Any, ...]:
        numbers = sum(cell.throughput.known for cell in setting.cells)
        whole = numbers == len(setting.cells)
        size = math.prod(setting.cells[0].size)
        return (setting.cells[0].id in main, whole, size if whole else numbers)

    first = max(every, key=rank)
    return [first, *(setting for setting in every if setting is not first)]


def every_setting(cells: Cells) -> list[Setting]:
    """Every setting of a run, group by group, the smallest resolution first."""
    several = len(cells.groups) > 1
    return [
        Setting(
            pixels(resolution) + (f", {group.title}" if several else ""),
            group.conditions,
            tuple(cell for cell in group.cells if cell.resolution == resolution),
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
    reported = [cell for block in blocks for cell in block]
    for key in columns:
        require_word("--columns", key, COLUMNS)
    runs = runs or {}
    several = ["run"] if len(set(runs.values())) > 1 and "run" not in columns else []
    keys = [*several, *(columns or _usual(cells, blocks))]
    shown = [_column(cells, key, reported, runs) for key in keys]
    said = {setting.conditions for setting in chosen}
    conditions = said.pop() if len(said) == 1 else describe(shared(reported))
    sizes = resolutions_of(reported)
    size = f"{pixels(sizes[0])}, " if len(sizes) == 1 else ""
    caption = f"{size}{conditions}." if reported else "No cell was measured."
    caption += stated(" Brackets: 95 % confidence intervals.", (cell.latency for cell in reported))
    table = _table(caption, shown, reported)
    if any(len(block) > 1 for block in blocks):
        table = replace(table, caption=f"{caption} {BOLD}")
    rows, left = [], iter(table.rows)
    for number, block in enumerate(blocks):
        places, one_base = ranking.places(block, cells.order), _one_base(block, runs)
        rows += [_placed(next(left), number, keys, places.get(cell.id), one_base) for cell in block]
    return replace(table, rows=tuple(rows))


def _placed(row: Row, block: int, keys: Sequence[str], place: int | None, one_base: bool) -> Row:
    """The row in its block, its times and speeds with their place; multiples of several cells have none."""
    of_column = {"latency_s": place, "throughput": place, "relative": place if one_base else 0}
    shown = (replace(cell, place=of_column.get(key)) for key, cell in zip(keys, row.cells, strict=True))
    return replace(row, block=block, cells=tuple(shown))


def _one_base(block: Sequence[ReportedCell], runs: Mapping[str, str]) -> bool:
    """True if the relative speeds of these cells are multiples of one and the same cell's."""
    return len({(cell.kernel, runs.get(cell.id)) for cell in block}) <= 1


def _usual(cells: Cells, blocks: Sequence[Sequence[ReportedCell]]) -> list[str]:
    """The columns that nobody has to ask for."""
    reported = [cell for block in blocks for cell in block]
    keys = ["name"]
    keys += ["resolution"] if len(resolutions_of(reported)) > 1 else []
    keys += ["kernel"] if len(kernels_of(reported)) > 1 else []
    keys += varying(reported) if len(blocks) > 1 else []
    keys += _main_keys(cells, reported)
    return keys + (["status"] if any(cell.status != "ok" for cell in reported) else [])


def _column(cells: Cells, key: str, reported: Sequence[ReportedCell], runs: Mapping[str, str]) -> _Shown:
    if key in CONDITIONS:
        return _condition(key)
    if key in MEASURES:
        return _measure(cells, MEASURES[key], reported)
    if key == "relative":
        if cells.reference is None:
            raise UsageError('--columns: no "relative": the runs have no reference in common')
        return _measure(cells, relative(cells.reference), reported)
    if key == "run":
        return _Shown(Header("Run"), lambda cell: TableCell(runs.get(cell.id, "")))
    if key == "name":
        heading = noun(cell.subject for cell in reported).heading
        return _Shown(Header(heading), lambda cell: TableCell(cell.name))
    return _OWN[key]


def all_cells(cells: Cells, prefix: str = "cell-") -> Table:
    """Every cell of a run with all its metrics; of many the first `MOST_ROWS`, and the caption says so.

    Args:
        prefix: of the ids of rows, before the id of the cell.
    """
    reported = cells.reported
    keys = ["name", "resolution", "kernel", *varying(reported), *_main_keys(cells, reported), "strip"]
    keys += [key for key in SELDOM if _any(cells, key)]
    keys += ["flags"] if any(cell.flags for cell in reported) else []
    keys += ["reason"] if any(cell.status != "ok" for cell in reported) else []
    caption = f"All {counted(len(reported), 'cell')}." if len(reported) != 1 else "The only cell."
    if len(reported) > MOST_ROWS:
        caption = (
            f"The first {MOST_ROWS} of {len(reported)} cells. The rest shows where scripts run; "
            "`benchsuite extract` on this file gives all of them."
        )
    caption += stated(" Brackets: 95 % confidence intervals.", (cell.latency for cell in reported))
    if any(len(cell.rounds_s) > 1 for cell in reported):
        caption += f" Rounds: the median of each in order, up to {strips.REACH} off that of the cell."
    if not all(cell.exact for cell in reported):
        caption += " ≥: a lower bound, since the counter has no rule for some operators."
    shown = [_column(cells, key, reported, {}) for key in keys]
    return _table(caption, shown, reported[:MOST_ROWS], prefix)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column: its head, and what it shows of a cell."""

    head: Header
    show: Callable[[ReportedCell], TableCell]


def _table(
    caption: str, columns: Sequence[_Shown], cells: Sequence[ReportedCell], prefix: str | None = None
) -> Table:
    rows = tuple(
        Row(
            tuple(column.show(cell) for column in columns),
            id=None if prefix is None else f"{prefix}{cell.id}",
            failed=cell.status != "ok",
        )
        for cell in cells
    )
    return Table(caption, tuple(column.head for column in columns), rows, sortable=True)


def _main_keys(cells: Cells, reported: Sequence[ReportedCell]) -> list[str]:
    keys = list(MAIN)
    if _any(cells, "busy_s"):
        keys.insert(keys.index("latency_s") + 1, "busy_s")  # beside the wall time that it explains
    known = cells.reference is not None and any(cell.relative.known for cell in reported)
    return [*keys, "relative"] if known else keys


def _measure(cells: Cells, column: FrameColumn, reported: Sequence[ReportedCell]) -> _Shown:
    """A quantity in the one unit that suits it; latencies and ratios with their intervals."""
    unit = "" if column.unit == "MAC" else column.unit
    factor = 1.0
    if column.unit in ("MAC", "s", "B", "J") or column.key == "params":
        factor, unit = scale_of((_value(cell, column.key).value for cell in reported), unit)

    def show(cell: ReportedCell) -> TableCell:
        value = _value(cell, column.key)
        if not value.known:
            return TableCell("–")
        if column.key in ("latency_s", "relative"):
            own = column.key == "relative" and cell.name == cells.reference
            return TableCell("1" if own else spread(value.value, value.lo, value.hi, factor), value.value)
        bound = "≥ " if column.key == "macs" and not cell.exact else ""
        return TableCell(bound + fixed(value.value / factor, 4), value.value)

    text = f"{column.label} ({unit})" if unit else column.label
    return _Shown(Header(text, numeric=True, better=column.better), show)


def _value(cell: ReportedCell, key: str) -> Value:
    """A quantity of a cell, with its interval where that is shown."""
    return cell.relative if key == "relative" else cell.metrics[key]


def _any(cells: Cells, key: str) -> bool:
    return any(_value(cell, key).known for cell in cells.reported)


def _condition(key: str) -> _Shown:
    row = CONDITIONS[key]

    def show(cell: ReportedCell) -> TableCell:
        value = cell.settings[key]
        if value is None:
            return TableCell("–", None if row.worded else 0)
        text = row.phrase(value) if key == "mode" else str(value)
        return TableCell(text, value if isinstance(value, int) else None)

    return _Shown(Header(row.label, numeric=not row.worded), show)


def _rounds(cell: ReportedCell) -> TableCell:
    medians = cell.rounds_s
    if len(medians) < 2:
        return TableCell("–")
    factor, unit = scale_of(medians, "s")
    text = f"{', '.join(fixed(median / factor, 3) for median in medians)} {unit}"
    return TableCell(text, max(medians) / min(medians), strips.strip(medians, cell.latency.value, text))


def _flags(cell: ReportedCell) -> TableCell:
    words = [word.replace("_", " ") for word in cell.flags]
    marks = (
        Markup('<abbr title="{}">{}</abbr>').format(FLAGS.get(flag, ""), word)
        for flag, word in zip(cell.flags, words, strict=True)
    )
    return TableCell(", ".join(words), shown=Markup(", ").join(marks))


def _status(cell: ReportedCell) -> TableCell:
    record, word = cell.measured.record, STATUS_WORDS[cell.status]
    reason = " ".join((record.reason or "").split())
    reason = reason if len(reason) <= MOST_REASON else f"{reason[: MOST_REASON - 1]}…"
    text = f"{word}: {reason}" if reason else word
    return TableCell(f"{text} (expected)" if record.expected else text)


_OWN: Mapping[str, _Shown] = {
    "resolution": _Shown(
        Header("Resolution (px)", numeric=True),
        lambda cell: TableCell(pixels(cell.resolution).removesuffix(" px"), math.prod(cell.size)),
    ),
    "kernel": _Shown(
        Header("Kernel"),
        lambda cell: TableCell(kernel_ran(cell.kernel, backends_of(cell.measured.record))),
    ),
    "strip": _Shown(Header("Rounds", numeric=True), _rounds),
    "flags": _Shown(Header("Flags"), _flags),
    "status": _Shown(Header("Status"), lambda cell: TableCell(STATUS_WORDS[cell.status])),
    "reason": _Shown(Header("Status"), _status),
}
"""Columns that are no measure and no condition; "strip" shows rounds, "reason" the status with its reason."""


def _fastest_first(cell: ReportedCell) -> float:
    return -cell.throughput.value if cell.throughput.known else math.inf
