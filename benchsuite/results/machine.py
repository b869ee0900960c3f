"""Noise, drift and memory of a machine, read from the environment of a run. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


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
