"""The cells of a run, read once: what figures, sentences, tables and the explorer of a page share.

A run that stopped early has gaps: the settings and lines of cells that are still to be measured are marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchsuite.format import counted
from benchsuite.report.comparable_groups import ComparableGroup, split
from benchsuite.report.ranking import Order, relative_speed, with_standings, within
from benchsuite.report.reported_cells import MISSING, ReportedCell, names_of, reported_cells, setting_of
from benchsuite.results.cell import Cell
from benchsuite.results.store import Run
from benchsuite.scenario import stored_scenario
from benchsuite.scenario.groups import key


@dataclass(frozen=True)
class Cells:
    """A run as its page sees it.

    Attributes:
        reported: its cells in their order, without those that were skipped.
        gaps: cells that are still to be measured.
        named_reference: the reference that the scenario names.
        reference: the name that others are compared with: that one, else the first that was timed; None for a
            single one.
        names: in the order of the scenario.
    """

    run: Run
    reported: tuple[ReportedCell, ...]
    groups: tuple[ComparableGroup, ...]
    order: Order
    gaps: tuple[Cell, ...]
    named_reference: str | None
    reference: str | None
    names: tuple[str, ...]


def read(run: Run) -> Cells:
    """All that a page says of the cells of a run."""
    gaps = missing(run)
    cells = reported_cells(run.tried, run.environments)
    names = _ordered(run.scenario, names_of(cells))
    timed = names_of(cell for cell in cells if cell.throughput.known)
    named_reference = (run.scenario.get("report") or {}).get("reference")
    first = next((name for name in names if name in timed), None) if len(timed) > 1 else None
    reference = named_reference or first
    groups = split(_marked(cells, gaps, reference))
    order = within(groups)
    groups = with_standings(groups, order)
    of_cell = {cell.id: cell for group in groups for cell in group.cells}
    return Cells(
        run=run,
        reported=tuple(of_cell[cell.id] for cell in cells),
        groups=tuple(groups),
        order=order,
        gaps=tuple(gaps),
        named_reference=named_reference,
        reference=reference,
        names=tuple(names),
    )


def _marked(cells: Sequence[ReportedCell], gaps: Sequence[Cell], reference: str | None) -> list[ReportedCell]:
    """The cells with their speed as a multiple of the reference's, and marked where cells are missing: of
    their setting, and of their line, which is their mixer, kernel and size."""
    settings = {(key(cell), cell.kernel) for cell in gaps}
    lines = {(cell.target, cell.kernel, cell.resolution) for cell in gaps}
    base = {
        setting_of(reported): reported
        for reported in cells
        if reported.name == reference and reported.rounds_s
    }
    return [
        replace(
            reported,
            relative=relative_speed(reported, own) if (own := base.get(setting_of(reported))) else MISSING,
            unfinished=bool(settings) and (key(reported.measured.record.cell), reported.kernel) in settings,
            line_unfinished=(reported.target, reported.kernel, reported.size) in lines,
        )
        for reported in cells
    ]


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
    return {record.id: not record.interrupted for record in run.tried}


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
