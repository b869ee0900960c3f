"""How long a gate takes, from its budgets: for `gate --dry-run` and its first line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchsuite.format import counted, duration
from benchsuite.labels import describe_cell
from benchsuite.results.cell import Cell
from benchsuite.runner.estimate import OVERHEAD_S
from benchsuite.scenario.gate_settings import Gate

START_S = 4.0
"""Of a process before its first cell: Python, torch, the modules."""


def rough_seconds(cells: int, pairs: int, rule: Gate) -> float:
    """Seconds that pairs of processes take, from the budgets of the rule; heavy cells take longer."""
    return 2 * pairs * (START_S + cells * (OVERHEAD_S + rule.warmup_s + rule.max_s))


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
