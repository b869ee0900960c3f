"""How many calls are timed in one go, and how many make one sample."""

from __future__ import annotations

import math

from benchsuite.measurement.device import Device, Step

BLOCK_S = 0.1
"""Aim of one block: short enough that a budget is kept, long enough that the wait at its end is nothing."""
BLOCK_CALLS = 64
"""Most calls in one block, so that the host never runs far ahead of a GPU."""
VISIT_S = 0.1
"""A GPU is sampled for at least so long in a visit, whatever its samples say before."""


def block_size(call_s: float, *, left: int) -> int:
    """About BLOCK_S worth of calls that take `call_s` seconds each, at least one, at most `left`."""
    wanted = int(BLOCK_S / call_s) if call_s > 0 else 1
    return max(1, min(wanted, BLOCK_CALLS, left))


def calls_per_sample(step: Step, device: Device, call_s: float, *, most_samples: int) -> int:
    """Calls that make one sample: 1, unless a call is shorter than the device's clock reads well.

    Then a sample is as long as that, and so long that `most_samples` of them last `VISIT_S`. A few calls in
    one go tell how long one is without the events around it.

    Args:
        call_s: seconds of a call, timed alone.
    """
    if not 0 < call_s < device.least_s:
        return 1
    few = math.ceil(device.least_s / call_s)
    call_s = device.time_calls(several(step, few), 1)[0] / few or call_s
    return math.ceil(max(device.least_s, VISIT_S / most_samples) / call_s)


def several(step: Step, calls: int) -> Step:
    """A step that is so many calls of another."""
    if calls == 1:
        return step

    def run() -> None:
        for _ in range(calls):
            step()

    return run


MOST_QUEUED = 1000
"""Calls handed over without a wait: about as many kernels as the queue of a GPU takes."""


def keep_at_work(step: Step, device: Device, call_s: float) -> None:
    """Hand a GPU about half of `BLOCK_S` of steps that nobody times, and do not wait for them: it is at work
    while its clock is read. A CPU, which would be done with them before, is given none."""
    if device.kind != "cpu":
        wanted = int(BLOCK_S / 2 / call_s) if call_s > 0 else 1
        for _ in range(max(1, min(wanted, MOST_QUEUED))):
            step()
