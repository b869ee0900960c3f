"""Base and candidate process by process, next to each other: what drifts falls on both alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchsuite.format import counted, duration
from benchsuite.gate.forecast import rough_seconds
from benchsuite.gate.verdicts import ProcessPair, Records, to_decide
from benchsuite.labels import cell_names
from benchsuite.results.cell import Cell
from benchsuite.scenario.gate_settings import Gate

SideName = Literal["base", "candidate"]
SIDES: tuple[SideName, SideName] = ("base", "candidate")
_GIVEN_UP = 2
"""Pairs without a time on both sides after which a cell is not tried again: one may be chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRun:
    """One process of one side.

    Attributes:
        cells: what it measures, in the scenario's order; it shuffles them by `seed`.
        seed: the same for both sides of a pair.
        exact: whether it also counts and looks at memory.
        fresh: whether its pair decides; else it screens.
        pair, pairs: its place in its stage, from 1.
    """

    side: SideName
    cells: tuple[Cell, ...]
    seed: int
    exact: bool
    fresh: bool
    pair: int
    pairs: int

    @property
    def name(self) -> str:
        """What its folder is called: "screen-1-base"."""
        return f"{'fresh' if self.fresh else 'screen'}-{self.pair}-{self.side}"


class GateProgress:
    """Progress of a gate in lines of text.

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
        """A process is about to start."""
        if not self._began:
            more = "" if process.fresh else ", and more for what they flag"
            cells, pairs = counted(len(self._names), "cell"), counted(process.pairs, "pair")
            self._say(f"measuring {cells} in {pairs} of processes, about {self._about(process.pairs)}{more}")
        self._began = time.monotonic()

    def ends(self, process: ProcessRun) -> None:
        """It has left its records."""
        stage = "fresh pair" if self._screened else "pair"
        took = time.monotonic() - self._began
        self._pace = took / (rough_seconds(len(process.cells), 1, self._rule) / 2)
        place = f"{stage} {process.pair}/{process.pairs}"
        self._say(f"{place}  {process.side:<9}  {counted(len(process.cells), 'cell')}  {took:.1f} s")

    def flagged(self, cells: Sequence[Cell], of: int) -> None:
        """The screen is over and has flagged these."""
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


Measure = Callable[[ProcessRun], Records]


def interleaved(
    has: Mapping[SideName, Sequence[Cell]],
    rule: Gate,
    measure: Measure,
    progress: GateProgress,
    *,
    seed: int = 0,
    noise: Mapping[str, float] | None = None,
) -> list[ProcessPair]:
    """All pairs of a gate, in order of measurement.

    Which side goes first alternates (ABBA), from a start that the seed draws. The screen looks at all cells;
    the cells that it flags get fresh pairs. Without a screen, all get them.

    Args:
        has: the cells of either side; a cell of one side only is measured in the first pair, for its status.
    """
    shared = [cell for cell in has["base"] if cell in has["candidate"]]
    interleaver = _Interleaver(has, measure, progress, seed)
    due = shared
    if rule.screen:
        interleaver.stage(shared, rule.screen, fresh=False)
        due = to_decide(shared, interleaver.pairs, rule, noise or {})
        progress.flagged(due, len(shared))
    interleaver.stage(due, rule.pairs, fresh=True)
    return interleaver.pairs


class _Interleaver:
    """Runs stages and keeps their pairs."""

    def __init__(
        self, has: Mapping[SideName, Sequence[Cell]], measure: Measure, progress: GateProgress, seed: int
    ) -> None:
        self.pairs: list[ProcessPair] = []
        self._has = has
        self._measure = measure
        self._progress = progress
        self._seed = seed
        self._first = random.Random(seed).randrange(2)

    def stage(self, cells: Sequence[Cell], pairs: int, *, fresh: bool) -> None:
        """Measure pairs of processes; a cell that cannot be measured drops out after a while."""
        for number in range(1, pairs + 1):
            remaining = [cell for cell in cells if self._failures(cell) < _GIVEN_UP]
            if not remaining:
                return
            self._pair(remaining, number, pairs, fresh=fresh)

    def _pair(self, cells: Sequence[Cell], number: int, pairs: int, *, fresh: bool) -> None:
        done = len(self.pairs)
        records: dict[SideName, Records] = {}
        for side in SIDES if (self._first + done) % 2 == 0 else SIDES[::-1]:
            due = cells if done else self._has[side]
            process = ProcessRun(
                side=side,
                cells=tuple(due),
                seed=self._seed + done,
                exact=not done,
                fresh=fresh,
                pair=number,
                pairs=pairs,
            )
            self._progress.begins(process)
            records[side] = self._measure(process)
            self._progress.ends(process)
        self.pairs.append(ProcessPair(base=records["base"], candidate=records["candidate"], fresh=fresh))

    def _failures(self, cell: Cell) -> int:
        """Pairs that were to measure the cell and have no time of it on both sides."""
        tried = [(pair.base.get(cell.id), pair.candidate.get(cell.id)) for pair in self.pairs]
        asked = [both for both in tried if both != (None, None)]
        return sum(any(one is None or one.timing is None for one in both) for both in asked)
