"""The numbers of one run or several as one table, to be pasted: `benchsuite export` to Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchsuite.report.cells import read
from benchsuite.report.comparable_groups import split
from benchsuite.report.differences import measured_on
from benchsuite.report.numbers import every_setting, of_settings
from benchsuite.report.ranking import within
from benchsuite.report.tables import Table
from benchsuite.results.store import Run


def exported(runs: Sequence[Run], columns: Sequence[str] = ()) -> Table:
    """All cells of these runs, a block of rows for each setting and machine, the fastest first.

    Args:
        columns: of `numbers.COLUMNS`; if none, what tells the rows apart and the main metrics.

    Raises:
        UsageError: there is no such column.
    """
    every = [read(run) for run in runs]
    names = {f"{i}-{p.id}": str(one.run.path) for i, one in enumerate(every) for p in one.reported}
    # Sessions of two runs are never one: their rounds are no pairs.
    reported = [
        replace(p, id=f"{i}-{p.id}", session=len(every) * p.session + i)
        for i, one in enumerate(every)
        for p in one.reported
    ]
    groups = split(reported)
    references = {one.reference for one in every}
    cells = replace(
        every[0],
        reported=tuple(reported),
        groups=tuple(groups),
        order=within(groups),
        reference=references.pop() if len(references) == 1 else None,
    )
    table = of_settings(cells, every_setting(cells), columns, names)
    sources = [f"{run.path}: {', '.join(filter(None, measured_on(run)))}" for run in runs]
    return replace(table, caption=f"{table.caption} {'; '.join(sources)}.")
