"""When cells are counted and their memory is estimated: all at once, or group by group as groups are due.

A plan takes some hundredths of a second, as it traces the cell on "meta". Of a large sweep that would be most
of an hour before the first cell is measured; there, whoever measures a comparison group plans it first
(`planned_rounds.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchsuite.results.record import Cell
from benchsuite.run.answer import Answer, Plan
from benchsuite.run.executor import Executor

AT_ONCE = 1000
"""Sweeps of up to so many cells are planned before the first is measured: a quarter of a minute."""
NOT_YET: Answer[Plan] = Answer()
"""Stands for the plan of a cell that is planned with its group."""


def planned(
    cells: Sequence[Cell], executor: Executor, *, every: bool = False, timeout_s: float | None = None
) -> tuple[tuple[Answer[Plan], ...], tuple[tuple[Cell, Answer[Plan]], ...]]:
    """The plan of each cell, `NOT_YET` in a large sweep, and the plans of the cells that were looked at.

    Of a large sweep one cell of each subject as configured is looked at, so that arguments that it does not
    take are known before anything is measured.

    Args:
        every: plan all cells, however many there are.
        timeout_s: for each step of the plan of a cell.

    Raises:
        UsageError: mixers do not take the arguments that the scenario gives; names each once.
    """
    if every or len(cells) <= AT_ONCE:
        plans = tuple(executor.plan(cells, timeout_s))
        return plans, tuple(zip(cells, plans, strict=True))
    some = _one_of_each(cells)
    return (NOT_YET,) * len(cells), tuple(zip(some, executor.plan(some, timeout_s), strict=True))


def _one_of_each(cells: Sequence[Cell]) -> list[Cell]:
    """The smallest cell of every subject as configured, on `math` where it has that: there its arguments are
    looked at, and not only whether it has the kernel."""
    found: dict[tuple[Any, ...], Cell] = {}
    configs: dict[int, str] = {}  # cells of one variant share the object
    for cell in cells:
        config = configs.get(id(cell.config)) or configs.setdefault(id(cell.config), repr(cell.config))
        training = cell.mode == "training_step"
        kind = (cell.subject, cell.name, cell.target, config, cell.dim, cell.num_heads, training)
        there = found.get(kind)
        if there is None or _size(cell) < _size(there):
            found[kind] = cell
    return list(found.values())


def _size(cell: Cell) -> tuple[bool, int]:
    return cell.kernel != "math", cell.tokens * cell.batch
