"""The cells of a run, read once: what figures, sentences, tables and the explorer of a page share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchsuite.findings.roofline import roofline
from benchsuite.report.contests import with_standings
from benchsuite.report.groups import Group, split
from benchsuite.report.order import Order, beside, within
from benchsuite.report.points import MISSING, Point, Value, names_of, points
from benchsuite.report.unfinished import missing, with_gaps
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Cell, Record
from benchsuite.results.store import Run

_ROOF = ("ridge", "roof_flops_per_s", "roof_share", "limited_by", "roof_kernel", "above")
"""What a roofline adds to the frame."""


@dataclass(frozen=True)
class Cells:
    """A run as its page sees it.

    Attributes:
        records: without those that were skipped.
        frame: a row for each of them, in their order.
        points: the same, as points.
        gaps: cells that are still to be measured.
        asked: the reference that the scenario names.
        reference: the name that others are compared with: that one, else the first that was timed; None for a
            single one.
        relative: cell → its speed as a multiple of the reference's in the same setting.
        names: in the order of the scenario.
    """

    run: Run
    records: tuple[Record, ...]
    frame: pd.DataFrame
    points: tuple[Point, ...]
    groups: tuple[Group, ...]
    order: Order
    gaps: tuple[Cell, ...]
    asked: str | None
    reference: str | None
    relative: Mapping[str, Value]
    names: tuple[str, ...]


def read(run: Run) -> Cells:
    """All that a page says of the cells of a run."""
    records = tuple(record for record in run.records if record.status != "skipped")
    gaps = missing(run)
    frame = with_gaps(to_frame(records, run.environments), run, gaps)
    roofs = roofline(frame, run.environments)
    frame = frame.assign(
        profile=pd.Series([record.profile for record in records], dtype="object"),
        **{name: roofs[name] for name in _ROOF},
    )
    groups = split(points(frame))
    order = within(groups)
    groups = with_standings(groups, order)
    of_cell = {point.cell: point for group in groups for point in group.cells}
    found = tuple(of_cell[cell] for cell in frame["cell"])
    names = _ordered(run.scenario, names_of(found))
    timed = names_of(point for point in found if point.throughput.known)
    asked = (run.scenario.get("report") or {}).get("reference")
    first = next((name for name in names if name in timed), None) if len(timed) > 1 else None
    reference = asked or first
    relative = _relative(found, reference)
    frame = frame.assign(
        published_top1=[point.top1 for point in found],
        standing=pd.Series([point.standing for point in found], dtype=object),
        relative=[relative[point.cell].value for point in found],
        relative_lo=[relative[point.cell].lo for point in found],
        relative_hi=[relative[point.cell].hi for point in found],
    )
    return Cells(
        run=run,
        records=records,
        frame=frame,
        points=found,
        groups=tuple(groups),
        order=order,
        gaps=tuple(gaps),
        asked=asked,
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
        point.cell: beside(point, base[setting(point)]) if setting(point) in base else MISSING
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
