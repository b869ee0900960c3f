"""When cells are counted and their memory is estimated: all at once, or group by group as groups are due.

A plan takes some hundredths of a second, as it traces the cell on "meta". Of a large sweep that would be most
of an hour before the first cell is measured; there, whoever measures a comparison group plans it first
(`planned_rounds.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchsuite.results.record import Cell
from benchsuite.runner.workers import Executor
from benchsuite.scenario.subjects import SCALED, TIMM
from benchsuite.worker.reply import Answer, Plan

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
    looked at, and not only whether it has the kernel. Of a network of timm one of each size."""
    found: dict[tuple[Any, ...], Cell] = {}
    configs: dict[int, str] = {}  # cells of one variant share the object
    for cell in cells:
        config = configs.get(id(cell.config)) or configs.setdefault(id(cell.config), repr(cell.config))
        training = cell.mode == "training_step"
        size = cell.resolution if cell.target.startswith(TIMM) else None
        kind = (cell.subject, cell.name, cell.target, config, size, cell.dim, cell.num_heads, training)
        there = found.get(kind)
        if there is None or _size(cell) < _size(there):
            found[kind] = cell
    return list(found.values())


def _size(cell: Cell) -> tuple[bool, int]:
    return cell.kernel != "math", cell.tokens * cell.batch


def renamed(
    cells: Sequence[Cell], looked_at: Sequence[tuple[Cell, Answer[Plan]]]
) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """The cells, those called otherwise that timm makes another network of, and a note on each of these."""
    windows = {
        _sized(cell): plan.value.windows for cell, plan in looked_at if plan.value and plan.value.windows
    }
    called = tuple(
        replace(cell, name=f"{cell.name}{SCALED}{windows[key]}")
        if windows and (key := _sized(cell)) in windows
        else cell
        for cell in cells
    )
    notes = (
        f"timm scales the windows of {name} with the image: at {height} × {width} pixels it is another "
        f"network, with windows of {words}; `params` such as window_size keep them, where it takes any"
        for (name, (height, width)), words in windows.items()
    )
    return called, tuple(notes)


def _sized(cell: Cell) -> tuple[str, tuple[int, int]]:
    return cell.name, cell.resolution
