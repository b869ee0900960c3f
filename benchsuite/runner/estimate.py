"""What a sweep will take, roughly, for `--dry-run`."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchsuite.format import byte_size
from benchsuite.results.record import Cell
from benchsuite.runner.prepare import Prepared
from benchsuite.runner.workers import Executor
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.reply import Answer, Plan

SHARE_OF_MATMUL = 0.3
"""A mixer's multiply–adds run at about this share of a large matrix product's rate."""
OVERHEAD_S = 0.1
"""Of a round: building a cell and its part of a fresh process; once, its memory pass beside the steps."""


@dataclass(frozen=True, slots=True)
class Estimate:
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


def estimate(prepared: Prepared, executor: Executor) -> list[Estimate]:
    """One estimate a cell; of a large sweep, which is not planned yet, for some cells drawn from it.

    The time comes from a matrix product timed now on each device.
    """
    cells, plans = prepared.cells, prepared.plans
    if not prepared.planned:
        # Drawn, but the same each time: every so manieth cell would be of the same mixer.
        chosen = sorted(random.Random(0).sample(range(len(cells)), min(SAMPLED, len(cells))))
        cells = tuple(cells[i] for i in chosen)
        plans = tuple(executor.plan(cells, prepared.scenario.measure.timeout_s))
    rates = {device: executor.matmul_rate(device) for device in dict.fromkeys(cell.device for cell in cells)}
    estimates = []
    for cell, plan in zip(cells, plans, strict=True):
        reason = _hindrance(cell, plan, prepared.scenario.measure.memory_limit)
        if plan.value is None or reason:
            memory = plan.value.memory_bytes if plan.value else None
            estimates.append(Estimate(cell, None, None, memory, reason, tried=False))
            continue
        macs, seconds = None, None
        if plan.value.cost is not None:
            macs = plan.value.cost.macs
            step_s = macs * cell.batch / (rates[cell.device] * SHARE_OF_MATMUL)
            seconds = cell_seconds(step_s, prepared.scenario.measure)
        estimates.append(Estimate(cell, macs, seconds, plan.value.memory_bytes, _unknown(plan.value)))
    return estimates


def _hindrance(cell: Cell, plan: Answer[Plan], limit: int | None) -> str | None:
    """Why the cell will have no numbers, as far as can be told."""
    if plan.value is None or plan.failure is not None:
        return plan.failure.message.removesuffix("; not tried") if plan.failure else plan.status
    needed = plan.value.memory_bytes
    if limit and cell.device == "cpu" and needed is not None and needed > limit:
        return f"will not fit: needs about {byte_size(needed, 3)}, memory_limit is {byte_size(limit, 3)}"
    return None


def _unknown(plan: Plan) -> str | None:
    """Why a cell that will be measured has no number here."""
    said = {"not counted": plan.not_counted, "memory not estimated": plan.not_estimated}
    return "; ".join(f"{what}: {why}" for what, why in said.items() if why) or None


def cell_seconds(step_s: float, measure: Measure) -> float:
    """Seconds that a cell takes whose step takes `step_s`: warm-up and sampling to its budget in each round,
    and the memory pass. Rounds that precision may ask for are half counted: some cells get them."""
    warm_up = max(measure.warmup_s, measure.rounds * (measure.warmup_calls + 2) * step_s)
    sampling = min(max(measure.max_s, measure.min_samples * step_s), measure.max_samples * step_s)
    memory = 3 * step_s if "memory" in measure.metrics else 0.0
    rounds = (measure.rounds + measure.most_rounds) / 2
    timed = rounds * OVERHEAD_S + rounds / measure.rounds * (warm_up + sampling)
    return memory + (timed if "latency" in measure.metrics else OVERHEAD_S)
