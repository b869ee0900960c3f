"""Records of older versions, brought up to date one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchsuite.results.record import RECORD_VERSION

Data = dict[str, Any]


def upgraded(data: Mapping[str, Any]) -> Data:
    """The data of a record as this version writes it; what is up to date, or newer, is left as it is."""
    found = dict(data)
    version = found.get("version")
    while isinstance(version, int) and version in _STEPS:
        found = _STEPS[version](found) | {"version": version + 1}
        version += 1
    return found


def _from_1(data: Data) -> Data:
    """Version 2 adds fields only, and each has the value that all records before were measured with."""
    return data


def _from_2(data: Data) -> Data:
    """Version 3 adds fields only; before, the C library's allocator was left as it is."""
    return data


_STEPS: Mapping[int, Callable[[Data], Data]] = {1: _from_1, 2: _from_2}
"""Version → what makes the next one of it."""

assert set(_STEPS) == set(range(1, RECORD_VERSION))
