"""The plan of each cell, asked for step by step: its class is loaded, an image counted, its memory estimated.

Each step is a question of its own, so that a module that ends whoever answers costs the cells that need the
step. Cells that differ in nothing that a count sees (batch, dtype, device) are counted once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from benchsuite.errors import UsageError
from benchsuite.results.record import Cell, Cost
from benchsuite.worker.reply import Answer, Plan

LEAST_S = 120.0
"""What each step is given at least: a step may import and trace, which a cell's timeout is not meant for."""
_DURING = {"load": "loaded", "count": "counted", "estimate": "estimated"}
"""What happened to a cell while the process ended that was asked."""


class Ask(Protocol):
    """Calls a function of `worker/calls.py`."""

    def __call__(self, function: str, *arguments: object, timeout_s: float | None = None) -> Answer[Any]:
        """Its answer, or why there is none. Raises UsageError."""
        ...


class Planning:
    """Plans cells, and remembers which classes cannot be loaded: each is tried once."""

    def __init__(self, ask: Ask) -> None:
        self._put = ask
        self._loaded: dict[tuple[bool, str], Answer[None]] = {}

    def plans(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[Answer[Plan]]:
        """The plan of each cell.

        Args:
            timeout_s: for each step of a cell, but not less than LEAST_S; None waits for ever.

        Raises:
            UsageError: subjects do not take the arguments that their cells give; names each once.
        """
        plans: list[Answer[Plan]] = []
        wrong: dict[str, None] = {}
        for cell, cost in zip(cells, self._costs(cells, wrong, timeout_s), strict=True):
            if cost.status != "ok":
                plans.append(Answer(status=cost.status, failure=cost.failure))
                continue
            try:
                plans.append(self._ask("estimate", cell, cost, timeout_s=timeout_s))
            except UsageError as error:
                wrong[str(error)] = None
        _raise(wrong)
        return plans

    def costs(self, cells: Sequence[Cell], timeout_s: float | None = None) -> list[Answer[Cost]]:
        """The cost of one image of each cell. Where counting alone fails, the status is "ok" and the failure
        says why. Arguments and errors as of `plans`."""
        wrong: dict[str, None] = {}
        costs = list(self._costs(cells, wrong, timeout_s))
        _raise(wrong)
        return costs

    def _costs(
        self, cells: Sequence[Cell], wrong: dict[str, None], timeout_s: float | None
    ) -> Iterator[Answer[Cost]]:
        """The cost of each cell; of one that is a mistake, which goes into `wrong`, a failure."""
        counted: dict[str, Answer[Cost]] = {}
        for cell in cells:
            source = cell.subject == "backbone", cell.target
            if source not in self._loaded:
                self._loaded[source] = self._ask("load", *source, timeout_s=timeout_s)
            if (loaded := self._loaded[source]).status != "ok":
                yield Answer(status=loaded.status, failure=loaded.failure)
                continue
            axes = (cell.grid, cell.dim, cell.num_heads, cell.kernel)
            key = repr((source, sorted(cell.config.items()), axes))
            if key not in counted:
                try:
                    counted[key] = self._ask("count", cell, timeout_s=timeout_s)
                except UsageError as error:
                    wrong[str(error)] = None
                    counted[key] = Answer(status="error")
            yield counted[key]

    def _ask(self, function: str, *arguments: object, timeout_s: float | None) -> Answer[Any]:
        limit_s = None if timeout_s is None else max(timeout_s, LEAST_S)
        answer = self._put(function, *arguments, timeout_s=limit_s)
        failure = answer.failure
        if failure is None or (failure.stage != "worker" and failure.kind != "Timeout"):
            return answer
        message = f"{failure.message} (while it was {_DURING[function]})"
        return replace(answer, failure=replace(failure, message=message))


def _raise(wrong: dict[str, None]) -> None:
    if wrong:
        raise UsageError("\n".join(wrong))
