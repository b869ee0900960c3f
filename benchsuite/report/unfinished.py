"""What a run that stopped early has not measured, and which settings and lines are incomplete for it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchsuite.report.words import counted
from benchsuite.results.record import Cell, Record
from benchsuite.results.store import Run
from benchsuite.scenario.groups import key
from benchsuite.scenario.stored_scenario import stored_cells


def missing(run: Run) -> list[Cell]:
    """Cells that the run's scenario asks for and that `--resume` would measure.

    None where nobody can tell, since this version makes other cells of the scenario than were measured.
    """
    asked = {cell.id: cell for cell in stored_cells(run.scenario) or ()}
    done = _done(run)
    measured = {record.id for record in run.records if record.status != "skipped"}
    return [cell for id, cell in asked.items() if id not in done] if measured <= asked.keys() else []


def _done(run: Run) -> set[str]:
    """Cells that need not be measured any more."""
    return {record.id for record in run.records if record.status != "skipped" and not _cut_short(record)}


def _cut_short(record: Record) -> bool:
    return record.timing is not None and record.timing.stopped_by == "interrupted"


def with_gaps(frame: pd.DataFrame, run: Run, gaps: Sequence[Cell]) -> pd.DataFrame:
    """The frame with two columns that say whether cells are missing: in the setting of each cell,
    `unfinished`, and among those of its mixer, kernel and size, `line_unfinished`."""
    settings = {(key(cell), cell.kernel) for cell in gaps}
    lines = {(cell.target, cell.kernel, cell.resolution) for cell in gaps}
    cells = {record.id: record.cell for record in run.records}
    mine = [cells[id] for id in frame["cell"]]
    return frame.assign(
        unfinished=pd.Series([(key(cell), cell.kernel) in settings for cell in mine], dtype=bool),
        line_unfinished=pd.Series(
            [(cell.target, cell.kernel, cell.resolution) in lines for cell in mine], dtype=bool
        ),
    )


def said(run: Run, gaps: Sequence[Cell]) -> str:
    """How far the run came, in a sentence; empty if it is complete."""
    if not gaps:
        return ""
    done = len(_done(run))
    return (
        f"{done} of {counted(done + len(gaps), 'cell')}; unfinished. No winner is named where cells of the "
        "same setting are missing, and claims are judged on what is there. "
        f"Go on with: benchsuite run --resume {run.path}"
    )
