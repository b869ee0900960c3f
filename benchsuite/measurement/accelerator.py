"""Devices that the host hands work to and goes on: durations between events on the current stream.

What is here holds for every backend that `torch.accelerator` knows and whose module in torch (`torch.cuda`,
`torch.xpu`) counts its memory.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import torch

from benchsuite.measurement.cpu import MOST_FLUSH_BYTES
from benchsuite.measurement.device import Step, StepPeak, flusher
from benchsuite.measurement.nvml import Nvml
from benchsuite.results.cell import DType

LEAST_S = 2e-4
"""Two events cost one to two microseconds: a hundredth of so long."""


class AcceleratorDevice:
    """One device of an accelerator. Each call stands between two events on the current stream; one wait ends
    the block.

    The events are made once and used again: making one costs about as much as launching a small kernel.
    """

    kind: str
    method = "accelerator_events"
    least_s = LEAST_S
    activity: str | None = None
    captures = False

    def __init__(self, index: int = 0) -> None:
        self.device = torch.device(self.kind, index)
        self._events: list[Any] = []
        self._flush: Step | None = None

    @classmethod
    def count(cls) -> int:
        present = torch.accelerator.current_accelerator()
        return torch.accelerator.device_count() if present and present.type == cls.kind else 0

    @classmethod
    def release(cls) -> bool:
        if not cls.count():
            return True
        try:
            torch.get_device_module(cls.kind).empty_cache()
        except RuntimeError:
            return False
        return True

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        with self._current():
            events = self._take(2 * calls)
            stream = self._stream()
            pairs = list(zip(events[::2], events[1::2], strict=True))
            for start, end in pairs:
                if before is not None:
                    before()
                start.record(stream)
                step()
                end.record(stream)
            stream.synchronize()
        return [_seconds(start, end) for start, end in pairs]

    def time_block(self, step: Step, calls: int) -> float:
        with self._current():
            self.synchronize()
            start = time.perf_counter_ns()
            for _ in range(calls):
                step()
            self.synchronize()
            return (time.perf_counter_ns() - start) * 1e-9

    def time_cold(self, steps: Sequence[Step], calls: int) -> list[float]:
        with self._current():
            self._flush = self._flush or flusher(self._flush_bytes(), self.device)
            before = self._before_cold(steps, self._flush)
            turns = itertools.islice(itertools.cycle(steps), calls)
            return [self.time_calls(step, 1, before=before)[0] for step in turns]

    def time_parts(self, parts: Mapping[str, Step], calls: int) -> dict[str, list[float]]:
        with self._current():
            each = len(parts) + 1
            events = self._take(each * calls)
            stream = self._stream()
            for call in range(calls):
                marks = iter(events[call * each : (call + 1) * each])
                next(marks).record(stream)
                for part, mark in zip(parts.values(), marks, strict=True):
                    part()
                    mark.record(stream)
            stream.synchronize()
        return {
            name: [_seconds(events[call * each + i], events[call * each + i + 1]) for call in range(calls)]
            for i, name in enumerate(parts)
        }

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> tuple[str, list[float]] | None:
        return None

    def eraser(self, size: int) -> Step:
        buffer = torch.empty(size, dtype=torch.uint8, device=self.device)
        return buffer.zero_

    def synchronize(self) -> None:
        torch.accelerator.synchronize(self.device)

    def now(self) -> float:
        return time.monotonic()

    def step_peak(self, step: Step) -> StepPeak:
        """The caching allocator's own peaks, less what other cells have left allocated."""
        memory = torch.get_device_module(self.device)
        memory.synchronize(self.device)
        memory.empty_cache()
        memory.reset_peak_memory_stats(self.device)
        before = memory.memory_allocated(self.device)
        step()
        memory.synchronize(self.device)
        return StepPeak(
            added=memory.max_memory_allocated(self.device) - before,
            reserved=memory.max_memory_reserved(self.device),
            method=f"{self.kind}_allocator",
        )

    def process_bytes(self, step: Step) -> int | None:
        return None

    def elsewhere_bytes(self) -> int | None:
        memory = torch.get_device_module(self.device)
        with suppress(RuntimeError):  # a lost context fails the step, not the look at the machine
            free, total = memory.mem_get_info(self.device)
            return int(total - free - memory.memory_reserved(self.device))
        return None

    def room_bytes(self) -> int | None:
        memory = torch.get_device_module(self.device)
        with suppress(RuntimeError):  # not even the memory for a context
            return int(memory.mem_get_info(self.device)[0]) if memory.is_available() else None
        return None

    def units(self) -> int:
        return 1

    def missing(self, dtype: DType) -> str:
        return f"{self.kind} devices have no TF32" if dtype == "tf32" else ""

    def describe(self, *, ask_tools: bool = False) -> dict[str, Any] | None:
        properties = torch.get_device_module(self.device).get_device_properties(self.device)
        return {
            "name": properties.name,
            "index": self.device.index,
            "memory_bytes": properties.total_memory,
            "multiprocessors": self.units(),
        }

    def driver(self) -> str | None:
        return None

    def card(self) -> tuple[Nvml | None, str]:
        return None, f"NVML knows no {self.device}"

    def _current(self) -> AbstractContextManager[Any]:
        """Make it the device that work goes to where nothing else is said."""
        entered: AbstractContextManager[Any] = torch.get_device_module(self.device).device(self.device)
        return entered

    def _stream(self) -> Any:
        return torch.accelerator.current_stream(self.device)

    def _event(self) -> Any:
        return torch.Event(self.device, enable_timing=True)

    def _flush_bytes(self) -> int:
        """Bytes to write before a cold call."""
        return MOST_FLUSH_BYTES

    def _before_cold(self, steps: Sequence[Step], flush: Step) -> Step:
        """Step that runs before each cold call of the steps."""
        return flush

    def _take(self, count: int) -> list[Any]:
        while len(self._events) < count:
            self._events.append(self._event())
        return self._events[:count]


def _seconds(start: Any, end: Any) -> float:
    return float(start.elapsed_time(end)) * 1e-3  # elapsed_time is in milliseconds
