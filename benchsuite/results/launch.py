"""When a GPU waits for its host: the one definition of "launch-bound". Pure."""

from __future__ import annotations

LAUNCH_BOUND = 1.2
"""A step is launch-bound from here on: wall time as a multiple of the time that the device works. Where gaps
are a sixth of the time, a faster host or a CUDA graph would change the order of mixers that are close."""


def launch_bound(wall_s: float, busy_s: float) -> bool:
    """Whether a step takes longer than its kernels by more than events and clocks can explain.

    Args:
        wall_s: seconds per step as it runs.
        busy_s: seconds per step in which the device works.
    """
    return busy_s > 0 and wall_s > LAUNCH_BOUND * busy_s
