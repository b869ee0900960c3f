"""Estimates of what cells will take: for `--dry-run`, and to begin with the groups that take longest.

For the order rough rates will do: they need not be right, only alike for all.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchsuite.format import byte_size
from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Record
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.worker_reply import Plan, WorkerReply

if TYPE_CHECKING:
    from benchsuite.runner.prepare import Prepared
    from benchsuite.runner.workers import Workers

SHARE_OF_MATMUL = 0.3
"""A mixer's multiply–adds run at about this share of a large matrix product's rate."""
OVERHEAD_S = 0.1
"""Of a round: building a cell and its part of a fresh process; once, its memory pass beside the steps."""
UNPLANNED_MACS = 12 * 384**2
"""For a token of a cell that nobody has counted: those of a transformer block of a common width."""
PASSES = {"inference": 1, "forward_backward": 3, "training_step": 3}
"""A backward pass has about twice the multiply–adds of its forward pass."""


@dataclass(frozen=True, slots=True)
class CellEstimate:
    """Rough seconds and bytes of one cell; None where it cannot be built, will not fit, or cannot be counted
    or estimated, for a reason.

    Attributes:
        tried: whether it will be measured.
    """

    cell: Cell
    macs: int | None
    seconds: float | None
    memory_bytes: int | None
    reason: str | None = None
    tried: bool = True


SAMPLED = 100
"""Cells of a large sweep that are planned and listed; they stand for the others."""


def estimate(prepared: Prepared, workers: Workers) -> list[CellEstimate]:
    """One estimate a cell that is to be measured; of a large sweep, which is not planned yet, for some cells
    drawn from these.

    The time comes from a matrix product timed now on each device.
    """
    cells = tuple(prepared.cells[i] for i in prepared.todo)
    plans = tuple(prepared.plans[i] for i in prepared.todo)
    if not prepared.planned:
        # Drawn, but the same each time: every so manieth cell would be of the same mixer.
        chosen = sorted(random.Random(0).sample(range(len(cells)), min(SAMPLED, len(cells))))
        cells = tuple(cells[i] for i in chosen)
        plans = tuple(workers.plan(cells, prepared.scenario.measure.timeout_s))
    rates = {device: workers.matmul_rate(device) for device in dict.fromkeys(cell.device for cell in cells)}
    estimates = []
    for cell, plan in zip(cells, plans, strict=True):
        reason = _hindrance(cell, plan, prepared.scenario.measure.memory_limit)
        if plan.value is None or reason:
            memory = plan.value.memory_bytes if plan.value else None
            estimates.append(CellEstimate(cell, None, None, memory, reason, tried=False))
            continue
        macs, seconds = None, None
        if plan.value.cost is not None:
            macs = plan.value.cost.macs
            step_s = macs * cell.batch / (rates[cell.device] * SHARE_OF_MATMUL)
            seconds = cell_seconds(step_s, prepared.scenario.measure)
        estimates.append(CellEstimate(cell, macs, seconds, plan.value.memory_bytes, _unknown(plan.value)))
    return estimates


def _hindrance(cell: Cell, plan: WorkerReply[Plan], limit: int | None) -> str | None:
    """Why the cell will have no numbers, as far as can be told."""
    if plan.value is None or plan.failure is not None:
        return plan.failure.message.removesuffix("; not tried") if plan.failure else plan.status
    needed = plan.value.memory_bytes
    if limit and kind_of(cell.device).on_host and needed is not None and needed > limit:
        return f"will not fit: needs about {byte_size(needed, 3)}, memory_limit is {byte_size(limit, 3)}"
    return None


def _unknown(plan: Plan) -> str | None:
    """Why a cell that will be measured has no number here."""
    reasons = {"not counted": plan.not_counted, "memory not estimated": plan.not_estimated}
    return "; ".join(f"{what}: {why}" for what, why in reasons.items() if why) or None


def cell_seconds(step_s: float, measure: Measure) -> float:
    """Seconds that a cell takes whose step takes `step_s`: warm-up and sampling to its budget in each round,
    and the memory pass. Rounds that precision may ask for are half counted: some cells get them."""
    warm_up = max(measure.warmup_s, measure.rounds * (measure.warmup_calls + 2) * step_s)
    sampling = min(max(measure.max_s, measure.min_samples * step_s), measure.max_samples * step_s)
    memory = 3 * step_s if "memory" in measure.metrics else 0.0
    rounds = (measure.rounds + measure.most_rounds) / 2
    timed = rounds * OVERHEAD_S + rounds / measure.rounds * (warm_up + sampling)
    return memory + (timed if "latency" in measure.metrics else OVERHEAD_S)


def cell_cost_s(cell: Cell, plan: WorkerReply[Plan], measure: Measure) -> float:
    """Seconds that a cell is expected to take, from its multiply–adds and bytes; 0 if it is not tried.

    One that nobody has counted, yet or at all, is taken for as many linear layers as a block has.
    """
    if plan.failure is not None:
        return 0.0
    kind = kind_of(cell.device)
    if plan.value is None or plan.value.cost is None:
        step = UNPLANNED_MACS * cell.tokens * cell.batch / kind.macs_per_s
        return cell_seconds(PASSES[cell.mode] * step, measure)
    work = plan.value.cost.macs * cell.batch / kind.macs_per_s
    traffic = (plan.value.memory_bytes or 0) / kind.bytes_per_s
    return cell_seconds(PASSES[cell.mode] * max(work, traffic), measure)


def expected_s(
    cells: Sequence[Cell],
    plans: Sequence[WorkerReply[Plan]],
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
    bundled: list[list[int]] = [[] for _ in range(min(count, len(seconds)))]
    loads = [0.0] * len(bundled)
    for position in longest_first(seconds):
        lightest = min(range(len(loads)), key=lambda number: (loads[number], number))
        bundled[lightest].append(position)
        loads[lightest] += seconds[position]
    return bundled


def _scale(known: Iterable[tuple[float, float]]) -> float:
    ratios = [seen / guess for seen, guess in known if seen > 0 and guess > 0]
    return quantile(ratios, 0.5) if ratios else 1.0
