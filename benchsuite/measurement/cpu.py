"""The host as a device: each call is read off the monotonic clock, memory off torch's allocator and Linux."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchsuite.measurement import allocator
from benchsuite.measurement.device import Step, StepPeak, flusher
from benchsuite.measurement.host import ROOT, read
from benchsuite.measurement.nvml import Nvml
from benchsuite.results.cell import DType

MIB = 1 << 20
FLUSH_FACTOR = 2
"""Bytes written per byte of cache: with an associative cache that is not strictly least recently used, a
single pass over its own size leaves some lines behind."""
UNKNOWN_CACHE_BYTES = 32 * MIB
"""Taken for the last level where the system does not tell it: no desktop CPU has much more, so 64 MiB are
written."""
MOST_FLUSH_BYTES = 512 * MIB
"""A virtual machine may report the caches of its whole host; more than this is never written."""

CPU0 = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30}
_RESET_PEAK = "5"
"""Word that /proc/self/clear_refs takes to let the peak begin anew; see proc(5)."""


class CpuDevice:
    """The host."""

    kind = "cpu"
    method = "monotonic_clock"
    least_s = 0.0
    activity: str | None = None
    captures = False

    def __init__(self, index: int = 0) -> None:
        self._flush: Step | None = None

    @classmethod
    def count(cls) -> int:
        return 1

    @classmethod
    def release(cls) -> bool:
        return True  # torch keeps nothing of it

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        durations = []
        clock = time.perf_counter_ns
        for _ in range(calls):
            if before is not None:
                before()
            start = clock()
            step()
            durations.append((clock() - start) * 1e-9)
        return durations

    def time_block(self, step: Step, calls: int) -> float:
        start = time.perf_counter_ns()
        for _ in range(calls):
            step()
        return (time.perf_counter_ns() - start) * 1e-9

    def time_cold(self, steps: Sequence[Step], calls: int) -> list[float]:
        flush = self._flush = self._flush or flusher(cpu_flush_bytes(), "cpu")
        turns = itertools.islice(itertools.cycle(steps), calls)
        return [self.time_calls(step, 1, before=flush)[0] for step in turns]

    def time_parts(self, parts: Mapping[str, Step], calls: int) -> dict[str, list[float]]:
        durations: dict[str, list[float]] = {name: [] for name in parts}
        clock = time.perf_counter_ns
        for _ in range(calls):
            start = clock()
            for name, part in parts.items():
                part()
                end = clock()
                durations[name].append((end - start) * 1e-9)
                start = end
        return durations

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> tuple[str, list[float]] | None:
        """None: the host works on a step for as long as the step takes."""
        return None

    def eraser(self, size: int) -> Step:
        buffer = torch.empty(size, dtype=torch.uint8)
        return buffer.zero_

    def synchronize(self) -> None:
        """Nothing to wait for: torch's CPU operators return when they are done."""

    def now(self) -> float:
        return time.monotonic()

    def step_peak(self, step: Step) -> StepPeak:
        """Largest sum of bytes allocated and not yet freed, from the memory events of torch's profiler;
        scratch space that a library allocates past torch (MKL, oneDNN) is not seen."""
        from torch.autograd.profiler import profile

        with profile(
            use_kineto=True, profile_memory=True
        ) as profiler:  # the one inside of `torch.profiler`'s
            step()
        results = profiler.kineto_results
        events = [event for event in results.events() if event.name() == "[memory]"] if results else []
        live = peak = 0
        for event in sorted(events, key=lambda event: event.start_ns()):
            live += event.nbytes()
            peak = max(peak, live)
        return StepPeak(peak, None, "torch_profiler")

    def process_bytes(self, step: Step) -> int | None:
        """Largest resident set, in a step of its own, which no profiler watches."""
        return peak_resident_bytes(step)

    def elsewhere_bytes(self) -> int | None:
        return None

    def room_bytes(self) -> int | None:
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError, AttributeError):
            return None

    def units(self) -> int:
        return torch.get_num_threads()

    def missing(self, dtype: DType) -> str:
        return "a CPU has no TF32: it is a format of NVIDIA's tensor cores" if dtype == "tf32" else ""

    def describe(self, *, ask_tools: bool = False) -> dict[str, Any] | None:
        return None

    def driver(self) -> str | None:
        return None

    def card(self) -> tuple[Nvml | None, str]:
        return None, "cpu is no GPU"


def peak_resident_bytes(step: Step, root: Path = ROOT) -> int | None:
    """Largest resident set of this process during one call of `step`, in bytes.

    None where the system has no such peak or does not let it begin anew, which only Linux does: a peak since
    the process began would be an earlier cell's.
    """
    own = root / "proc/self"
    gc.collect()
    allocator.trim()
    try:
        with (own / "clear_refs").open("w", encoding="ascii") as file:
            file.write(_RESET_PEAK)
    except OSError:
        return None
    step()
    for line in read(own / "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024  # in kB, which are KiB
    return None


@functools.cache
def cpu_flush_bytes(caches: Path = CPU0) -> int:
    """Bytes to write on a CPU before a cold call: twice the last-level cache, within limits."""
    return min(FLUSH_FACTOR * (last_level_bytes(caches) or UNKNOWN_CACHE_BYTES), MOST_FLUSH_BYTES)


def last_level_bytes(caches: Path = CPU0) -> int | None:
    """Size of the last-level cache that the first core uses, as Linux tells it; None if it does not."""
    sizes: dict[int, int] = {}
    for index in sorted(caches.glob("index*")):
        try:
            level = int((index / "level").read_text())
            size = _bytes((index / "size").read_text().strip())
        except (OSError, ValueError):
            continue
        sizes[level] = max(size, sizes.get(level, 0))
    return sizes[max(sizes)] if sizes else None


def _bytes(text: str) -> int:
    """ "2048K" in bytes. Raises ValueError if it is no size."""
    return int(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else int(text)
