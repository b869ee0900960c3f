"""Joules per step, read off the GPU's own energy counter while the step is repeated.

The counter is that of the whole card and moves only every few tens of milliseconds, so it is watched for a
second and more, from one move to another. The steps are those of a pass of its own: reading the counter
between samples would disturb them.
"""

from __future__ import annotations

from benchsuite.measure.device import Device, Step
from benchsuite.measure.nvml import Nvml
from benchsuite.results.record import Energy

WINDOW_S = 1.0
"""The counter is watched for at least so long: its moves are then a few per cent of what it counts."""
SLICE_S = 0.05
"""Steps are run for so long between two readings, which are nothing beside it."""
PATIENCE_S = 5.0
"""A counter that has not moved twice after so long, or after four steps if they are longer, stands still."""
MOST_CALLS = 64
"""Most calls that are handed to the device in one go."""
METHOD = "nvml_energy_counter"


def idle_draw(nvml: Nvml | None) -> float | None:
    """Watts that the GPU draws with nothing to do; None unless the driver calls it idle just now."""
    if nvml is None or not (nvml.throttle_reasons() or 0) & 0x1:
        return None
    return nvml.power_w()


def measure_energy(
    step: Step, device: Device, nvml: Nvml | None, *, idle_w: float | None = None
) -> Energy | None:
    """Energy of one step, over at least `WINDOW_S` of steps.

    Args:
        step: one step of the cell, warmed up.
        idle_w: what `idle_draw` said before the cell was built; now the GPU is anything but idle.

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
