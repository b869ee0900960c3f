"""What an environment says of its machine: noise, drift, memory; and when a GPU waits for its host. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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


def noise_of(environment: Mapping[str, Any]) -> float:
    """The share that a paired ratio of two cells of one run must exceed to mean something here: 95 % of
    comparisons of a cell with itself stay below. 0 where no self-test says."""
    found = _share(environment, "noise_percent")
    return 0.0 if math.isnan(found) else found


def drift_of(environment: Mapping[str, Any]) -> float:
    """Half width, as a share, of the 95 % interval of what varies between runs minutes apart, and which no
    interval from within one run can know. NaN where no self-test says."""
    return _share(environment, "drift_percent")


def _share(environment: Mapping[str, Any], key: str) -> float:
    found = environment.get("selftest")
    percent = found.get(key) if isinstance(found, Mapping) else None
    return percent / 100 if isinstance(percent, int | float) else math.nan


def memory_of(environment: Mapping[str, Any], device: str) -> int | None:
    """Bytes of memory that the device has, used or free; None if nobody says."""
    part = environment.get("gpu" if device.startswith("cuda") else "cpu") or {}
    found = part.get("memory_bytes")
    return found if isinstance(found, int) else None


def device_identity(environment: Mapping[str, Any]) -> str:
    """Stable name of the physical device that an environment describes; sets of as many cores of one
    machine are alike."""
    gpu = environment.get("gpu") or {}
    machine = str(environment.get("machine", ""))
    if gpu.get("uuid"):
        return f"{machine} {gpu['uuid']}"
    cores = environment.get("core_set")
    return f"{machine} {len(cores)} cores" if cores else machine
