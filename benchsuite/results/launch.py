"""When a GPU waits for its host: the one definition of "launch-bound". Pure."""

from __future__ import annotations

LAUNCH_BOUND = 1.2
"""A step is launch-bound from here on: wall time as a multiple of the time that the device works. Events, the
start of a stream and kernels that cannot overlap account for some per cent of gaps on any device; a fifth is
more than they explain, and then it is the host's speed that the measurement tells."""


def launch_bound(wall_s: float, busy_s: float) -> bool:
    """Whether a step takes longer than its kernels by more than events and clocks can explain.

    Args:
        wall_s: seconds per step as it runs.
        busy_s: seconds per step in which the device works.
    """
    return busy_s > 0 and wall_s > LAUNCH_BOUND * busy_s
