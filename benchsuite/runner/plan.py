"""Plans of cells: a class is loaded, an image counted, memory estimated; at once, or as groups are due.

Each step is a question of its own, so that a module that ends whoever answers costs the cells that need the
step. Cells that differ in nothing that a count sees (batch, dtype, device) are counted once.

A plan takes some hundredths of a second, as it traces the cell on "meta". Of a large sweep that would be most
of an hour before the first cell is measured; there, whoever measures a comparison group plans it first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost
from benchsuite.scenario.subjects import LIBRARIES, SCALED
from benchsuite.worker.worker_reply import Plan, WorkerReply

logger = logging.getLogger(__name__)

LEAST_S = 120.0
"""What each step is given at least: a step may import and trace, which a cell's timeout is not meant for."""
_DURING = {"load": "loaded", "count": "counted", "estimate": "estimated"}
"""What happened to a cell while the process ended that was asked."""
AT_ONCE = 1000
"""Sweeps of up to so many cells are planned before the first is measured: a quarter of a minute."""
NOT_YET: WorkerReply[Plan] = WorkerReply()
"""Stands for the plan of a cell that is planned with its group."""


class CellPlanner:
    """Plans cells, and remembers which classes cannot be loaded: each is tried once.

    Args:
        ask: calls a function of `worker/calls.py`, by name, with its arguments and `timeout_s`; its reply, or
            why there is none. Raises UsageError.
    """

    def __init__(self, ask: Callable[..., WorkerReply[Any]]) -> None:
        self._call = ask
        self._loaded: dict[tuple[bool, str], WorkerReply[None]] = {}

    def plans(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Plan]]:
        """The plan of each cell.

        Args:
            timeout_s: for each step of a cell, but not less than LEAST_S; None waits for ever.

        Raises:
            UsageError: subjects do not take the arguments that their cells give; names each once.
        """
        plans: list[WorkerReply[Plan]] = []
        wrong: dict[str, None] = {}
        costs = self._costs(cells, wrong, timeout_s)
        for number, (cell, cost) in enumerate(zip(cells, costs, strict=True), 1):
            logger.info("planned %d of %d cells", number, len(cells))
            if cost.status != "ok":
                plans.append(WorkerReply(status=cost.status, failure=cost.failure))
                continue
            try:
                plans.append(self._ask("estimate", cell, cost, timeout_s=timeout_s))
            except UsageError as error:
                wrong[str(error)] = None
        _raise(wrong)
        return plans

    def costs(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[WorkerReply[Cost]]:
        """The cost of one image of each cell. Where counting alone fails, the status is "ok" and the failure
        says why. Arguments and errors as of `plans`."""
        wrong: dict[str, None] = {}
        costs = list(self._costs(cells, wrong, timeout_s))
        _raise(wrong)
        return costs

    def _costs(
        self, cells: Sequence[Cell], wrong: dict[str, None], timeout_s: float | None
    ) -> Iterator[WorkerReply[Cost]]:
        """The cost of each cell; of one that is a mistake, which goes into `wrong`, a failure."""
        counted: dict[str, WorkerReply[Cost]] = {}
        for cell in cells:
            source = cell.subject == "backbone", cell.target
            if source not in self._loaded:
                self._loaded[source] = self._ask("load", *source, timeout_s=timeout_s)
            if (loaded := self._loaded[source]).status != "ok":
                yield WorkerReply(status=loaded.status, failure=loaded.failure)
                continue
            axes = (cell.grid, cell.dim, cell.num_heads, cell.kernel)
            key = repr((source, sorted(cell.config.items()), cell.forward, axes))
            if key not in counted:
                try:
                    counted[key] = self._ask("count", cell, timeout_s=timeout_s)
                except UsageError as error:
                    wrong[str(error)] = None
                    counted[key] = WorkerReply(status="error")
            yield counted[key]

    def _ask(self, function: str, *arguments: object, timeout_s: float | None) -> WorkerReply[Any]:
        limit_s = None if timeout_s is None else max(timeout_s, LEAST_S)
        reply = self._call(function, *arguments, timeout_s=limit_s)
        failure = reply.failure
        if failure is None or (failure.stage != "worker" and failure.kind != "Timeout"):
            return reply
        message = f"{failure.message} (while it was {_DURING[function]})"
        return replace(reply, failure=replace(failure, message=message))


def _raise(wrong: dict[str, None]) -> None:
    if wrong:
        raise UsageError("\n".join(wrong))


def plan_cells(
    cells: Sequence[Cell],
    plan: Callable[[Sequence[Cell], float | None], list[WorkerReply[Plan]]],
    *,
    every: bool = False,
    timeout_s: float | None = None,
) -> tuple[tuple[WorkerReply[Plan], ...], tuple[tuple[Cell, WorkerReply[Plan]], ...]]:
    """The plan of each cell, `NOT_YET` in a large sweep, and the plans of the cells that were looked at.

    Of a large sweep one cell of each subject as configured is looked at, so that arguments that it does not
    take are known before anything is measured.

    Args:
        plan: `Workers.plan`.
        every: plan all cells, however many there are.
        timeout_s: for each step of the plan of a cell.

    Raises:
        UsageError: mixers do not take the arguments that the scenario gives; names each once.
    """
    if every or len(cells) <= AT_ONCE:
        plans = tuple(plan(cells, timeout_s))
        return plans, tuple(zip(cells, plans, strict=True))
    some = _one_of_each(cells)
    return (NOT_YET,) * len(cells), tuple(zip(some, plan(some, timeout_s), strict=True))


def _one_of_each(cells: Sequence[Cell]) -> list[Cell]:
    """The smallest cell of every subject as configured, on `math` where it has that: there its arguments are
    looked at, and not only whether it has the kernel. Of a network of another library one of each size."""
    smallest: dict[tuple[Any, ...], Cell] = {}
    configs: dict[int, str] = {}  # cells of one variant share the object
    for cell in cells:
        config = configs.get(id(cell.config)) or configs.setdefault(id(cell.config), repr(cell.config))
        training = cell.mode == "training_step"
        size = cell.resolution if cell.target.startswith(LIBRARIES) else None
        kind = (cell.subject, cell.name, cell.target, config, size, cell.dim, cell.num_heads, training)
        other = smallest.get(kind)
        if other is None or _size(cell) < _size(other):
            smallest[kind] = cell
    return list(smallest.values())


def _size(cell: Cell) -> tuple[bool, int]:
    return cell.kernel != "math", cell.tokens * cell.batch


def renamed_by_windows(
    cells: Sequence[Cell], looked_at: Sequence[tuple[Cell, WorkerReply[Plan]]]
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
