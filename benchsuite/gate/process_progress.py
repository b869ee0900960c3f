"""Progress of a gate in lines of text, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from benchsuite.format import duration
from benchsuite.gate.interleave import ProcessRun
from benchsuite.labels import cell_names, describe_cell
from benchsuite.report.words import counted
from benchsuite.results.cell import Cell
from benchsuite.scenario.gate_settings import Gate

START_S = 4.0
"""Of a process before its first cell: Python, torch, the modules."""
BUILD_S = 0.1
"""Of a cell before its warm-up."""


def rough_seconds(cells: int, pairs: int, rule: Gate) -> float:
    """Seconds that pairs of processes take, from the budgets of the rule; heavy cells take longer."""
    return 2 * pairs * (START_S + cells * (BUILD_S + rule.warmup_s + rule.max_s))


def outlook(cells: Sequence[Cell], rule: Gate) -> Iterator[str]:
    """What `gate --dry-run` says: the cells, and how long a gate of them takes."""
    for cell in cells:
        yield describe_cell(cell)
    number = len(cells)
    every = duration(rough_seconds(number, rule.pairs, rule))
    if not rule.screen:
        yield f"{counted(number, 'cell')} in {counted(rule.pairs, 'pair')} of processes: about {every}"
        return
    screen = duration(rough_seconds(number, rule.screen, rule))
    one = duration(rough_seconds(1, rule.pairs, rule))
    more = one if number == 1 else f"{one} for one cell, {every} for all"
    yield f"{counted(number, 'cell')} in {counted(rule.screen, 'pair')} of processes: about {screen}"
    yield f"cells that seem slower get {counted(rule.pairs, 'fresh pair')}: about {more}"


class GateProgress:
    """A `GateObserver` that words what it is told.

    Args:
        rule: the pairs, and how long a process samples a cell.
        say: takes a line.
    """

    def __init__(self, cells: Sequence[Cell], rule: Gate, say: Callable[[str], None]) -> None:
        self._names = cell_names(cells)
        self._rule = rule
        self._say = say
        self._began = 0.0
        self._screened = False
        self._pace = 1.0

    def begins(self, process: ProcessRun) -> None:
        if not self._began:
            more = "" if process.fresh else ", and more for what they flag"
            cells, pairs = counted(len(self._names), "cell"), counted(process.pairs, "pair")
            self._say(f"measuring {cells} in {pairs} of processes, about {self._about(process.pairs)}{more}")
        self._began = time.monotonic()

    def ends(self, process: ProcessRun) -> None:
        stage = "fresh pair" if self._screened else "pair"
        took = time.monotonic() - self._began
        self._pace = took / (rough_seconds(len(process.cells), 1, self._rule) / 2)
        place = f"{stage} {process.pair}/{process.pairs}"
        self._say(f"{place}  {process.side:<9}  {counted(len(process.cells), 'cell')}  {took:.1f} s")

    def flagged(self, cells: Sequence[Cell], of: int) -> None:
        self._screened = True
        if not cells:
            self._say("the screen flags no cell")
            return
        names = "; ".join(self._names[cell.id] for cell in cells)
        about = duration(self._pace * rough_seconds(len(cells), self._rule.pairs, self._rule))
        self._say(
            f"the screen flags {len(cells)} of {of} cells, which get fresh pairs: {names}; about {about}"
        )

    def _about(self, pairs: int) -> str:
        return duration(rough_seconds(len(self._names), pairs, self._rule))
