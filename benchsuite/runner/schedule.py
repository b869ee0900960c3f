"""Which comparison group goes first: the one that is expected to take longest. Pure.

Only the order depends on it, so rough rates will do: they need not be right, only alike for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchsuite.results.record import Cell, Record
from benchsuite.runner.estimate import cell_seconds
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.reply import Answer, Plan

MACS_PER_S = {"cpu": 3e10, "cuda": 3e12}
BYTES_PER_S = {"cpu": 5e9, "cuda": 5e11}
UNPLANNED_MACS = 12 * 384**2
"""For a token of a cell that nobody has counted: those of a transformer block of a common width."""
PASSES = {"inference": 1, "forward_backward": 3, "training_step": 3}
"""A backward pass has about twice the multiply–adds of its forward pass."""


def cell_cost_s(cell: Cell, plan: Answer[Plan], measure: Measure) -> float:
    """Seconds that a cell is expected to take, from its multiply–adds and bytes; 0 if it is not tried.

    One that nobody has counted, yet or at all, is taken for as many linear layers as a block has.
    """
    if plan.failure is not None:
        return 0.0
    kind = "cuda" if cell.device.startswith("cuda") else "cpu"
    if plan.value is None or plan.value.cost is None:
        step = UNPLANNED_MACS * cell.tokens * cell.batch / MACS_PER_S[kind]
        return cell_seconds(PASSES[cell.mode] * step, measure)
    work = plan.value.cost.macs * cell.batch / MACS_PER_S[kind]
    traffic = (plan.value.memory_bytes or 0) / BYTES_PER_S[kind]
    return cell_seconds(PASSES[cell.mode] * max(work, traffic), measure)


def expected_s(
    cells: Sequence[Cell],
    plans: Sequence[Answer[Plan]],
    measure: Measure,
    past: Mapping[str, Record],
) -> list[float]:
    """Seconds that each cell is expected to take.

    Args:
        past: records of the same run, by cell. A cell that has one takes as long again; the others are
            scaled by what the past cells took beside what was expected of them.
    """
    rough = [cell_cost_s(cell, plan, measure) for cell, plan in zip(cells, plans, strict=True)]
    known = [
        (past[cell.id].seconds, guess) for cell, guess in zip(cells, rough, strict=True) if cell.id in past
    ]
    scale = _scale(known)
    return [
        past[cell.id].seconds if cell.id in past and past[cell.id].seconds else guess * scale
        for cell, guess in zip(cells, rough, strict=True)
    ]


def longest_first(seconds: Sequence[float]) -> list[int]:
    """Positions, the longest first; those that are alike stay in their order."""
    return sorted(range(len(seconds)), key=lambda i: -seconds[i])


def bundles(seconds: Sequence[float], count: int) -> list[list[int]]:
    """Positions dealt out to at most `count` bundles, the longest first, each to the one with least to do."""
    found: list[list[int]] = [[] for _ in range(min(count, len(seconds)))]
    loads = [0.0] * len(found)
    for position in longest_first(seconds):
        lightest = min(range(len(loads)), key=lambda number: (loads[number], number))
        found[lightest].append(position)
        loads[lightest] += seconds[position]
    return found


def _scale(known: Iterable[tuple[float, float]]) -> float:
    ratios = [seen / guess for seen, guess in known if seen > 0 and guess > 0]
    return quantile(ratios, 0.5) if ratios else 1.0
