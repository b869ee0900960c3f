"""The numbers of one run or several as one table, to be pasted: `benchsuite export` to Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from benchsuite.report.cells import Cells, read
from benchsuite.report.comparable_groups import split
from benchsuite.report.differences import measured_on
from benchsuite.report.numbers import every_setting, of_settings
from benchsuite.report.tables import Table
from benchsuite.results.store import Run


def exported(runs: Sequence[Run], columns: Sequence[str] = ()) -> Table:
    """All cells of these runs, a block of rows for each setting and machine, the fastest first.

    Args:
        columns: of `numbers.COLUMNS`; if none, what tells the rows apart and the main metrics.

    Raises:
        UsageError: there is no such column.
    """
    every = [_numbered(read(run), i) for i, run in enumerate(runs)]
    cells = _together(every)
    names = {point.cell: str(one.run.path) for one in every for point in one.points}
    table = of_settings(cells, every_setting(cells), columns, names)
    sources = [f"{run.path}: {', '.join(filter(None, measured_on(run)))}" for run in runs]
    marks = "Bold: the best of each setting. " if len(cells.points) > 1 else ""
    return replace(table, caption=f"{table.caption} {marks}{'; '.join(sources)}.")


def _numbered(cells: Cells, number: int) -> Cells:
    """The cells with ids that tell them from the same cells of other runs."""
    return replace(
        cells,
        frame=cells.frame.assign(cell=[f"{number}-{id}" for id in cells.frame["cell"]]),
        points=tuple(replace(point, cell=f"{number}-{point.cell}") for point in cells.points),
        relative={f"{number}-{id}": value for id, value in cells.relative.items()},
    )


def _together(runs: Sequence[Cells]) -> Cells:
    """The cells of several runs as those of one."""
    points = tuple(point for one in runs for point in one.points)
    frames = [one.frame for one in runs if len(one.frame)] or [runs[0].frame]
    references = {one.reference for one in runs}
    return replace(
        runs[0],
        frame=pd.concat(frames, ignore_index=True),
        points=points,
        groups=tuple(split(points)),
        reference=references.pop() if len(references) == 1 else None,
        relative={id: value for one in runs for id, value in one.relative.items()},
    )
