"""The timing loop: warm up by time and by count, then sample in blocks until a rule says stop."""

from __future__ import annotations

from dataclasses import dataclass

from benchsuite.measure.device import Device, Step
from benchsuite.measure.stopping import StoppingRule
from benchsuite.results.record import Timing

BLOCK_S = 0.1
"""Aim of one block: short enough that a budget is kept, long enough that the wait at its end is nothing."""
BLOCK_CALLS = 64
"""Most calls in one block, so that the host never runs far ahead of a GPU."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Run at least `calls` calls and at least `seconds` before the first sample."""

    calls: int
    seconds: float


def measure_time(
    step: Step, device: Device, warm_up: WarmUp, stopping: StoppingRule, *, threads: int
) -> Timing:
    """Time `step` on `device`.

    Args:
        step: one step of the cell; must not synchronise by itself.
        threads: the thread count in force, for the record.

    Returns:
        Every sample in order, what warmed up before it, and what ended the sampling.
    """
    calls, warm_s, last = _warm_up(step, device, warm_up)
    samples: list[float] = []
    start = device.now()
    while (stopped_by := stopping.reason(samples, device.now() - start)) is None:
        block = _block_size(last, left=stopping.max_samples - len(samples))
        durations = device.time_calls(step, block)
        samples.extend(durations)
        last = max(durations)
    return Timing(
        samples_s=tuple(samples),
        method=device.method,
        warmup_calls=calls,
        warmup_s=warm_s,
        stopped_by=stopped_by,
        threads=threads,
    )


def _warm_up(step: Step, device: Device, warm_up: WarmUp) -> tuple[int, float, float]:
    """Calls made, seconds spent, and the seconds of the last call, on which the first block is sized."""
    calls = 0
    last = 0.0
    device.synchronize()
    start = device.now()
    while calls < warm_up.calls or device.now() - start < warm_up.seconds:
        # The first call allocates, compiles and picks algorithms: it says nothing about the next ones.
        block = 1 if calls < 2 else min(_block_size(last, left=BLOCK_CALLS), max(1, warm_up.calls - calls))
        last = device.time_calls(step, block)[-1]
        calls += block
    device.synchronize()
    return calls, device.now() - start, last


def _block_size(call_s: float, *, left: int) -> int:
    """How many calls to time in one go: about BLOCK_S worth, within limits."""
    wanted = int(BLOCK_S / call_s) if call_s > 0 else 1
    return max(1, min(wanted, BLOCK_CALLS, left))
