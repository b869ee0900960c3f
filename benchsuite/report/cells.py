"""The cells of a run, read once: what figures, sentences, tables and the explorer of a page share.

A run that stopped early has gaps: the settings and lines of cells that are still to be measured are marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from benchsuite.report.comparable_groups import ComparableGroup, split
from benchsuite.report.points import MISSING, Point, Value, names_of, points
from benchsuite.report.ranking import Order, relative_speed, with_standings, within
from benchsuite.report.words import counted
from benchsuite.results.cell import Cell
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from benchsuite.scenario import stored_scenario
from benchsuite.scenario.groups import key


@dataclass(frozen=True)
class Cells:
    """A run as its page sees it.

    Attributes:
        records: without those that were skipped.
        frame: a row for each of them, in their order.
        points: the same, as points.
        gaps: cells that are still to be measured.
        named_reference: the reference that the scenario names.
        reference: the name that others are compared with: that one, else the first that was timed; None for a
            single one.
        relative: cell → its speed as a multiple of the reference's in the same setting.
        names: in the order of the scenario.
    """

    run: Run
    records: tuple[Record, ...]
    frame: pd.DataFrame
    points: tuple[Point, ...]
    groups: tuple[ComparableGroup, ...]
    order: Order
    gaps: tuple[Cell, ...]
    named_reference: str | None
    reference: str | None
    relative: Mapping[str, Value]
    names: tuple[str, ...]


def read(run: Run) -> Cells:
    """All that a page says of the cells of a run."""
    records = tuple(record for record in run.records if record.status != "skipped")
    gaps = missing(run)
    groups = split(with_gaps(points(records, run.environments), records, gaps))
    order = within(groups)
    groups = with_standings(groups, order)
    of_cell = {point.cell: point for group in groups for point in group.cells}
    cells = tuple(of_cell[record.id] for record in records)
    names = _ordered(run.scenario, names_of(cells))
    timed = names_of(point for point in cells if point.throughput.known)
    named_reference = (run.scenario.get("report") or {}).get("reference")
    first = next((name for name in names if name in timed), None) if len(timed) > 1 else None
    reference = named_reference or first
    relative = _relative(cells, reference)
    frame = to_frame(records, run.environments).assign(
        published_top1=[point.top1 for point in cells],
        standing=pd.Series([point.standing for point in cells], dtype=object),
        relative=[relative[point.cell].value for point in cells],
        relative_lo=[relative[point.cell].lo for point in cells],
        relative_hi=[relative[point.cell].hi for point in cells],
    )
    return Cells(
        run=run,
        records=records,
        frame=frame,
        points=cells,
        groups=tuple(groups),
        order=order,
        gaps=tuple(gaps),
        named_reference=named_reference,
        reference=reference,
        relative=relative,
        names=tuple(names),
    )


def _relative(cells: Sequence[Point], reference: str | None) -> dict[str, Value]:
    """Speeds as multiples of the reference's in the same setting, paired by round; missing without both."""

    def setting(point: Point) -> tuple[Any, ...]:
        return (point.resolution, point.kernel, *point.settings.values())

    base = {setting(point): point for point in cells if point.name == reference and point.rounds_s}
    return {
        point.cell: relative_speed(point, base[setting(point)]) if setting(point) in base else MISSING
        for point in cells
    }


def _ordered(scenario: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Names in the order of the scenario.

    A mixer with varied parameters has several names; all of them begin with its label.
    """
    sweep = scenario.get("sweep") or {}
    listed = sweep.get("mixer") or sweep.get("backbone") or []
    entries = [listed] if isinstance(listed, str | Mapping) else listed
    labels = [str(e.get("label") or e.get("name")) if isinstance(e, Mapping) else str(e) for e in entries]

    def place(name: str) -> int:
        exact = [i for i, label in enumerate(labels) if name == label]
        begun = [i for i, label in enumerate(labels) if name.startswith(f"{label} ")]
        return next(iter(exact or begun), len(labels))

    return sorted(names, key=place)


def missing(run: Run) -> list[Cell]:
    """Cells of the run's scenario that are still to be measured; none where nobody can tell."""
    return stored_scenario.missing(run.scenario, _standing(run)) or []


def _standing(run: Run) -> dict[str, bool]:
    """Every cell that has a record, excluded ones aside → whether it need not be measured any more."""
    return {record.id: not record.interrupted for record in run.records if record.status != "skipped"}


def with_gaps(cells: Sequence[Point], records: Sequence[Record], gaps: Sequence[Cell]) -> list[Point]:
    """The cells of these records, marked where others are missing: of their setting, and of their line, those
    of their mixer, kernel and size."""
    settings = {(key(cell), cell.kernel) for cell in gaps}
    lines = {(cell.target, cell.kernel, cell.resolution) for cell in gaps}
    return [
        replace(
            point,
            unfinished=(key(record.cell), point.kernel) in settings,
            line_unfinished=(point.target, point.kernel, point.size) in lines,
        )
        for point, record in zip(cells, records, strict=True)
    ]


def progress(run: Run, gaps: Sequence[Cell]) -> str:
    """The number of cells that a run measured before it stopped, in a sentence; empty if it is complete."""
    if not gaps:
        return ""
    done = sum(_standing(run).values())
    return (
        f"{done} of {counted(done + len(gaps), 'cell')}; unfinished. No winner is named where cells of the "
        "same setting are missing, and claims are judged on what is there. "
        f"Go on with: {stored_scenario.how_to_go_on(run.scenario, run.path)}"
    )
