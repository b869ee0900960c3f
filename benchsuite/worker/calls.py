"""Functions that a worker process answers calls with: cell → numbers. Here lies torch, inline or as a worker.

Whatever a cell raises becomes a `Failure` in the reply: see `worker/failures.py`.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchsuite.format import byte_size
from benchsuite.measurement import allocator, environment, host, machine_cache
from benchsuite.measurement.device import open_device, release_memory, resolve
from benchsuite.measurement.operator_profile import Reading
from benchsuite.measurement.precision import set_tf32
from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.results.devices import kind_of
from benchsuite.results.record import Cost, Failure, Record
from benchsuite.scenario.measure_settings import Measure, Threads
from benchsuite.scenario.subjects import TIMM
from benchsuite.worker.build import backbone_builder, build, mixer_class
from benchsuite.worker.failures import Attempt, NotCounted, failure_of
from benchsuite.worker.forward import NotATensor, how_called
from benchsuite.worker.inspection import inspect, profile
from benchsuite.worker.plan_cache import kept
from benchsuite.worker.stage_calls import how_stages_called
from benchsuite.worker.timer import Timer
from benchsuite.worker.timm import other_windows
from benchsuite.worker.worker_reply import Inspection, MemoryEstimate, Plan, WorkerReply

FREE_SHARE = 0.95
"""Of a GPU's free memory that a cell may need to be tried: the process that times needs some for itself."""


def set_up(device: str, threads: Threads, memory_limit: int | None = None) -> str:
    """Resolve the device, and set thread count and memory limit of this process.

    Args:
        threads: null leaves a core of a CPU to the host, unless OMP_NUM_THREADS says how many to take.

    Raises:
        DeviceError: the device is not present.
    """
    set_tf32(False)  # a dtype means what it says: cuDNN would otherwise use TF32 in fp32
    resolved = resolve(device)
    cores = len(host.usable_cores())
    if threads is None and kind_of(resolved).on_host and "OMP_NUM_THREADS" not in os.environ:
        threads = max(1, min(torch.get_num_threads(), cores - 1))
    if threads is not None:
        torch.set_num_threads(cores if threads == "all" else threads)
        _TIMER.threads = torch.get_num_threads()
    if memory_limit is not None:
        _TIMER.limited = True
        open_device(resolved).synchronize()  # what CUDA itself takes at its start is not the cells'
        _limit_memory(memory_limit)
    return resolved


def describe(
    device: str, threads: Threads, command: list[str], memory_limit: int | None = None
) -> tuple[str, dict[str, Any]]:
    """`set_up`, and describe the machine.

    Raises:
        DeviceError: the device is not present.
    """
    resolved = set_up(device, threads, memory_limit)
    described = environment.describe(resolved, command)
    if (proved := machine_cache.latest_selftest(machine_cache.fingerprint(resolved))) is not None:
        described["selftest"] = proved
    return resolved, described


def load(backbone: bool, target: str) -> WorkerReply[None]:
    """Import a mixer's class or a network's builder; a user's module may do anything meanwhile."""
    try:
        (backbone_builder if backbone else mixer_class)(target)
    except (Exception, SystemExit) as error:  # noqa: BLE001  only this subject's cells suffer from it
        failure = failure_of("build", "error", error)
        message = f"{target} cannot be loaded: {failure.message}"
        return WorkerReply(status="error", failure=replace(failure, message=message))
    return WorkerReply()


def count(cell: Cell) -> WorkerReply[Cost]:
    """Count one image of a cell. Where counting alone fails, the status is "ok" and the failure says why.

    Raises:
        UsageError: the subject does not take the arguments that the cell gives.
    """

    def counted() -> Cost:
        from benchsuite.worker.cost import cost_of  # with the counter, which a process that times needs not

        return cost_of(cell)

    not_counted = None
    with Attempt[Cost]("build", cell) as attempt:
        try:
            attempt.value = kept(Cost, cell, counted)
        except NotCounted as error:
            not_counted = Failure(stage="count", kind=type(error).__name__, message=str(error))
    reply = attempt.reply()
    return WorkerReply(failure=not_counted) if not_counted else _with_call(reply, cell)


def _with_call(reply: WorkerReply[Cost], cell: Cell) -> WorkerReply[Cost]:
    """The reply; an error of a module that does build with how it was called, unless the zoo says that."""
    failure = reply.failure
    if reply.status != "error" or failure is None or failure.kind == NotATensor.__name__:
        return reply
    with Attempt[str]("build", cell) as attempt:
        built = build(replace(cell, memory_format="contiguous"), "meta")
        attempt.value = how_called(cell, built.module, built.inputs) or how_stages_called(cell, built.module)
    hint = attempt.reply().value
    return replace(reply, failure=replace(failure, message=f"{failure.message}; {hint}")) if hint else reply


def estimate(cell: Cell, cost: WorkerReply[Cost]) -> WorkerReply[Plan]:
    """The plan of a cell that is counted, or cannot be: estimates its memory, as far as that can be done.

    Raises:
        UsageError: there is nothing to train in a training step.
    """

    def estimated() -> MemoryEstimate:
        from benchsuite.worker.cost import memory_of

        return memory_of(cell)

    with Attempt[MemoryEstimate]("build", cell) as attempt:
        attempt.value = kept(MemoryEstimate, cell, estimated)
    reply = attempt.reply()
    if reply.value is None:
        return WorkerReply(status=reply.status, failure=reply.failure, poisoned=reply.poisoned)
    needed, there = reply.value.peak_bytes, _capacity(cell.device)
    planned = Plan(
        cost=cost.value,
        memory_bytes=needed,
        weights_bytes=reply.value.weights_bytes,
        not_counted=cost.failure.message if cost.failure else "",
        not_estimated=reply.value.reason,
        windows=_windows(cell),
    )
    if needed is None or there is None or needed <= there:
        return WorkerReply(planned)
    sizes = f"needs about {byte_size(needed, 3)}, there is {byte_size(there, 3)}"
    refusal = Failure(stage="build", kind="TooLarge", message=f"will not fit: {sizes}; not tried")
    return WorkerReply(value=planned, status="oom", failure=refusal)  # counted all the same


def visit(cell: Cell, measure: Measure, visit: Visit) -> WorkerReply[Record]:
    """Build and time one cell in one round. Nothing else is measured in this process meanwhile."""
    gc.collect()
    allocator.trim()
    with Attempt[Record]("time", cell) as attempt:
        attempt.value = _TIMER.visit(cell, measure, visit)
    return attempt.reply()


def inspect_cell(cell: Cell, measure: Measure) -> WorkerReply[Inspection]:
    """Memory of one step of a cell, in a process that times nothing; on a GPU also energy, and the time that
    the step keeps the device busy."""
    with Attempt[Inspection]("memory", cell) as attempt:
        attempt.value = inspect(cell, measure)
    return attempt.reply()


def profile_cell(cell: Cell, measure: Measure, trace: Path, steps: int, top: int) -> WorkerReply[Reading]:
    """Profile a step of a cell, in a process that times nothing; writes its trace."""
    with Attempt[Reading]("profile", cell) as attempt:
        attempt.value = profile(cell, measure, trace, steps, top)
    return attempt.reply()


def matmul_rate(device: str) -> float:
    """Multiply–adds per second of a 1024³ fp32 product: the scale of `--dry-run`'s rough times."""
    side = 1024
    factor = torch.randn(side, side, device=device)
    durations = open_device(device).time_calls(lambda: factor @ factor, 8)
    return side**3 / min(durations)


def ceilings(device: str, dtypes: Sequence[str], threads: int | None = None) -> dict[str, Any]:
    """Ceilings of a device in these formats; measured now, or kept from the last days."""
    from benchsuite.measurement.ceilings import ceilings as measured

    try:
        return measured(device, dtypes, threads=threads)
    except Exception as error:  # noqa: BLE001  cells can be measured without a roof above them
        told = f"not measured: {failure_of('ceilings', 'error', error).message}"
        return {"device": device, "threads": threads or torch.get_num_threads(), "method": told}
    finally:
        release_memory()


def _windows(cell: Cell) -> str:
    """Windows of a network of timm at this size, if those are not its own."""
    if not cell.target.startswith(TIMM):
        return ""
    with Attempt[str]("build", cell) as attempt:
        attempt.value = other_windows(cell.target, cell.config, cell.resolution)
    return attempt.reply().value or ""


@functools.cache
def _capacity(device: str) -> int | None:
    """Bytes that a cell may need to be tried: of a GPU a share of what is free, of the host all that it has,
    used or free. None if the device is not there or nobody says."""
    room = open_device(device).room_bytes()
    return room if room is None or kind_of(device).on_host else int(FREE_SHARE * room)


_TIMER = Timer()


def _limit_memory(limit: int) -> None:
    """Let allocations fail that take this process beyond `limit` bytes of private memory."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
