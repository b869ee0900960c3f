"""The state of the machine around a timed region, and what its blocks take of the system: read right before
and right after, never inside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchsuite.measurement import host
from benchsuite.measurement.nvml import Nvml, reason_words
from benchsuite.results.record import Usage

NAMES: Mapping[str, str] = {
    "load_1min": "mean number of runnable tasks over the last minute",
    "cpu_mhz": "mean present clock of the usable cores",
    "cpu_throttles": "how often heat slowed the cores down since the machine began",
    "cpu_others": "share of the usable cores' time that others used since the snapshot before",
    "involuntary_switches": "how often this process lost its core since the snapshot before",
    "sm_clock_mhz": "present clock of the GPU's multiprocessors",
    "max_sm_clock_mhz": "the highest clock that they can have",
    "gpu_temperature_c": "temperature of the GPU",
    "gpu_power_w": "power that the GPU draws",
    "throttle": "why the GPU's clock is what it is, as words of `measurement/nvml.py`",
    "other_gpu_processes": "processes of others that compute on the GPU",
    "gpu_memory_elsewhere_bytes": "GPU memory that torch has not taken here, if no processes are told",
    "mig": "whether the GPU is split into instances",
}
"""Every name that a snapshot may hold → what it says."""

SHORTEST_S = 0.2
"""Shares of CPU time are not told of less: the kernel counts in ticks of 10 ms."""


class StateReader:
    """Takes snapshots of the host and, with `nvml`, of the GPU; remembers when the last one was.

    Shares and switches are since the snapshot before, so the second of two tells of what lay between.

    Args:
        elsewhere: bytes of the GPU in use that torch has not taken here; asked where NVML does not list this
            process, as in most containers, or is not there.
    """

    def __init__(
        self,
        nvml: Nvml | None = None,
        root: Path = host.ROOT,
        elsewhere: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._nvml = nvml
        self._root = root
        self._elsewhere = elsewhere
        self._cores = host.usable_cores()
        self._at: float | None = None
        self._busy_s: float | None = None
        self._own_s = 0.0
        self._switches: int | None = None

    def snapshot(self) -> dict[str, Any]:
        """Name → value as in `NAMES`, JSON-able; what cannot be read is absent. Takes about a millisecond.

        The GPU comes first: its clock is that of its last work only for a moment.
        """
        found = _gpu(self._nvml, self._root) if self._nvml is not None else {}
        found |= {
            "load_1min": host.load_1min(),
            "cpu_mhz": host.cpu_mhz(self._cores, self._root),
            "cpu_throttles": host.thermal_throttles(self._cores, self._root),
            "cpu_others": self._others(),
            "involuntary_switches": self._lost_cores(),
        }
        if found.get("other_gpu_processes") is None:
            found["gpu_memory_elsewhere_bytes"] = self._elsewhere()
        return {name: value for name, value in found.items() if value is not None}

    def _others(self) -> float | None:
        now, own_s = time.monotonic(), time.process_time()
        busy_s = host.busy_seconds(self._cores, self._root)
        share = None
        if self._at is not None and self._busy_s is not None and busy_s is not None:
            share = share_of_others(
                busy_s - self._busy_s, own_s - self._own_s, now - self._at, len(self._cores)
            )
        self._at, self._busy_s, self._own_s = now, busy_s, own_s
        return share

    def _lost_cores(self) -> int | None:
        try:
            import resource
        except ImportError:  # Windows has none
            return None
        total = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        since = None if self._switches is None else total - self._switches
        self._switches = total
        return since


def share_of_others(busy_s: float, own_s: float, elapsed_s: float, cores: int) -> float | None:
    """Share of the cores' time that was work but not this process's; None if the interval is too short."""
    if elapsed_s < SHORTEST_S:
        return None
    return round(min(1.0, max(0.0, (busy_s - own_s) / (elapsed_s * cores))), 4)


def other_gpu_processes(nvml: Nvml, root: Path = host.ROOT) -> int | None:
    """Number of processes of others that compute on the GPU.

    None if this process, which has a context there, is not in the driver's list: then the list is hidden, or
    counts processes as another container does, and whose they are cannot be told.
    """
    pids = [one.pid for one in nvml.processes() or ()]
    if os.getpid() not in pids:
        return None
    return sum(not host.is_ours(pid, root) for pid in pids)


def clock(nvml: Nvml) -> dict[str, Any]:
    """Clock of a GPU, the highest that it can have, and why it is what it is, as in `NAMES`."""
    reasons = nvml.throttle_reasons()
    return {
        "sm_clock_mhz": nvml.sm_clock_mhz(),
        "throttle": None if reasons is None else reason_words(reasons),
        "max_sm_clock_mhz": nvml.max_sm_clock_mhz(),
    }


def _gpu(nvml: Nvml, root: Path) -> dict[str, Any]:
    return {
        **clock(nvml),
        "gpu_temperature_c": nvml.temperature_c(),
        "gpu_power_w": nvml.power_w(),
        "other_gpu_processes": other_gpu_processes(nvml, root),
        "mig": nvml.mig(),
    }


@dataclass(frozen=True, slots=True)
class _Reading:
    wall_s: float
    user_s: float
    system_s: float
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int


class UsageMeter:
    """Adds up what the blocks of a round take; `begin` and `end` stand around each."""

    def __init__(self) -> None:
        self._sum: Usage | None = None
        self._before: _Reading | None = None

    def begin(self) -> None:
        """Before a block."""
        self._before = _read()

    def end(self, calls: int) -> None:
        """After a block of so many calls."""
        before, after = self._before, _read()
        if before is None or after is None:
            return
        was = self._sum
        self._sum = Usage(
            calls=calls + (was.calls if was else 0),
            **{
                name: getattr(after, name) - getattr(before, name) + (getattr(was, name) if was else 0)
                for name in _Reading.__dataclass_fields__
            },
        )

    @property
    def total(self) -> tuple[Usage, ...]:
        """The sum as a record holds it; empty where the system says nothing."""
        return () if self._sum is None else (self._sum,)


def _read() -> _Reading | None:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    now = resource.getrusage(resource.RUSAGE_SELF)
    return _Reading(
        wall_s=time.monotonic(),
        user_s=now.ru_utime,
        system_s=now.ru_stime,
        minor_faults=now.ru_minflt,
        major_faults=now.ru_majflt,
        voluntary_switches=now.ru_nvcsw,
        involuntary_switches=now.ru_nivcsw,
    )
