"""Wall time and device time of a step: whether the device or the host that feeds it sets the pace."""

from __future__ import annotations

from benchsuite.measurement.device import Device, Step
from benchsuite.results.machine import LAUNCH_BOUND, launch_bound
from benchsuite.results.record import Busy
from benchsuite.stats.intervals import quantile

__all__ = ["LAUNCH_BOUND", "launch_bound", "measure_busy"]

REPLAYS = 20
"""Steps whose device time is read; without the host's part it spreads little."""


def measure_busy(step: Step, device: Device, *, capture: bool = True) -> Busy | None:
    """How long `device` works on one step, the gaps between its kernels left out; None on a CPU, and where
    neither a replay nor a profile can be had.

    Take it after everything is timed: a profiler, which is the second choice, may slow what comes later.

    Args:
        capture: as of `Device.time_busy`.
    """
    found = device.time_busy(step, REPLAYS, capture=capture)
    if found is None:
        return None
    method, samples = found
    return Busy(seconds=quantile(samples, 0.5), method=method)
