"""What a scenario asks of the machine that measures it: threads, an allocator, memory; refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.format import byte_size
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Cell
from benchsuite.scenario.model import Scenario
from benchsuite.worker.worker_reply import Plan, WorkerReply


def require_threads(scenario: Scenario, cells: Sequence[Cell], environment: Mapping[str, Any]) -> None:
    """Raise UsageError if a cell asks for more threads than the machine has cores."""
    cores = (environment.get("cpu") or {}).get("usable_cores")
    wanted = scenario.measure.threads
    most = max([wanted if isinstance(wanted, int) else 0, *(cell.threads or 0 for cell in cells)])
    if cores and most > cores:
        raise UsageError(f"{scenario.name}: {most} threads are asked for, this machine has {cores} cores")


def require_allocator(scenario: Scenario, environment: Mapping[str, Any]) -> None:
    """Raise UsageError if the scenario asks for memory to be retained and this machine cannot do it."""
    asked = (scenario.measure.allocator, *scenario.sweep.allocator)
    allocator = environment.get("allocator") or {"can_retain": True}
    if "retain" in asked and not allocator["can_retain"]:
        raise UsageError(
            f"{scenario.name}: allocator: retain cannot be had on {environment.get('os')} with "
            f"{allocator['library']}: only glibc's own allocator can be told to; leave it out, or say system"
        )


def require_room(scenario: Scenario, looked_at: Sequence[tuple[Cell, WorkerReply[Plan]]]) -> None:
    """Raise UsageError if the memory limit of a worker is below what the weights of a cell take."""
    limit = scenario.measure.memory_limit
    for cell, plan in looked_at:
        if limit and kind_of(cell.device).on_host and plan.value and plan.value.weights_bytes > limit:
            raise UsageError(
                f"{scenario.name}: memory_limit is {byte_size(limit, 3)}, and the weights of {cell.name} "
                f"alone take {byte_size(plan.value.weights_bytes, 3)}"
            )
