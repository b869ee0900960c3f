"""Progress of a gate in lines of text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from benchsuite.gate.interleave import ProcessRun
from benchsuite.labels import cell_names
from benchsuite.report.words import counted
from benchsuite.results.cell import Cell


class GateProgress:
    """A `GateObserver` that words what it is told.

    Args:
        say: takes a line.
    """

    def __init__(self, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        self._names = cell_names(cells)
        self._say = say
        self._began = 0.0
        self._screened = False

    def begins(self, process: ProcessRun) -> None:
        if not self._began:
            more = "" if process.fresh else ", and more for what they flag"
            cells, pairs = counted(len(self._names), "cell"), counted(process.pairs, "pair")
            self._say(f"measuring {cells} in {pairs} of processes{more}")
        self._began = time.monotonic()

    def ends(self, process: ProcessRun) -> None:
        stage = "fresh pair" if self._screened else "pair"
        took = time.monotonic() - self._began
        place = f"{stage} {process.pair}/{process.pairs}"
        self._say(f"{place}  {process.side:<9}  {counted(len(process.cells), 'cell')}  {took:.1f} s")

    def flagged(self, cells: Sequence[Cell], of: int) -> None:
        self._screened = True
        if not cells:
            self._say("the screen flags no cell")
            return
        names = "; ".join(self._names[cell.id] for cell in cells)
        self._say(f"the screen flags {len(cells)} of {of} cells, which get fresh pairs: {names}")
