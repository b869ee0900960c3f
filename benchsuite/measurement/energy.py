"""Joules per step, read off the GPU's own energy counter while the step is repeated.

The counter is that of the whole card and moves only every few tens of milliseconds, so it is watched for a
second and more, from one move to another. The steps are those of a pass of its own: reading the counter
between samples would disturb them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from benchsuite.measurement.device import Device, Step, open_device
from benchsuite.measurement.nvml import Nvml
from benchsuite.results.record import Energy

WINDOW_S = 1.0
"""The counter is watched for at least so long: its moves are then a few per cent of what it counts."""
SLICE_S = 0.05
"""Steps are run for so long between two readings, which are nothing beside it."""
PATIENCE_S = 5.0
"""A counter that has not moved twice after so long, or after four steps if they are longer, stands still."""
MOST_CALLS = 64
"""Most calls that are handed to the device in one go."""
REST_S = 2.0
"""Without work before the idle draw is read: the driver gives the mean of the last second."""
METHOD = "nvml_energy_counter"


def idle_draw(nvml: Nvml | None, rest: Callable[[float], None] = time.sleep) -> float | None:
    """Watts that the GPU draws after `REST_S` without work of this process; None unless the driver then calls
    it idle."""
    if nvml is None:
        return None
    rest(REST_S)
    return nvml.power_w() if (nvml.throttle_reasons() or 0) & 0x1 else None


@functools.cache
def idle_draw_of(device: str) -> float | None:
    """`idle_draw` of a device that `resolve` has named, read once in the life of this process, which should
    have done nothing on it yet."""
    return idle_draw(open_device(device).card()[0])


def measure_energy(
    step: Step, device: Device, nvml: Nvml | None, *, idle_w: float | None = None
) -> Energy | None:
    """Energy of one step, over at least `WINDOW_S` of steps.

    Args:
        step: one step of the cell, warmed up.
        idle_w: what `idle_draw` said before any cell was built; now the GPU is anything but idle.

    Returns:
        None where there is no counter (a CPU, a MIG instance, a card older than Volta), or it stands still.
    """
    if nvml is None or nvml.energy_j() is None:
        return None
    device.synchronize()
    call_s = max(device.time_calls(step, 1))
    patience_s = max(PATIENCE_S, 4 * call_s)
    last_j = nvml.energy_j()
    begin = device.now()
    start: tuple[float, float] | None = None  # moment and joules at the first move
    steps = 0
    while device.now() - begin < patience_s + WINDOW_S:
        steps += _slice(step, device, call_s)
        now, joules = device.now(), nvml.energy_j()
        if joules is None or last_j is None:
            return None
        if joules == last_j:
            continue
        last_j = joules
        if start is None:
            start, steps = (now, joules), 0
        elif now - start[0] >= WINDOW_S:
            seconds = now - start[0]
            return Energy(joules=(joules - start[1]) / steps, idle_w=idle_w, seconds=seconds, method=METHOD)
    return None


def _slice(step: Step, device: Device, call_s: float) -> int:
    """Run steps for about `SLICE_S`, one at least; how many."""
    calls = max(1, min(MOST_CALLS, int(SLICE_S / call_s) if call_s > 0 else 1))
    begin, done = device.now(), 0
    while True:
        device.time_calls(step, calls)
        done += calls
        if device.now() - begin >= SLICE_S:
            return done
