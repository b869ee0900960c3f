"""CUDA devices: durations between events on the current stream."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence

import torch

from benchsuite.measurement import cuda_busy
from benchsuite.measurement.caches import FLUSH_FACTOR
from benchsuite.measurement.device import Step, flusher

LEAST_DELAY_S, MOST_DELAY_S = 1e-4, 0.05
"""Bounds of the time that the GPU is kept waiting while the host hands it a step. Beyond about a thousand
kernels the launch queue is full, and the host waits for the GPU, however long the delay."""
DELAY_FACTOR = 1.5
"""Delay per second that handing over a step has taken before."""
LEAST_S = 2e-4
"""Two events cost one to two microseconds: a hundredth of so long."""
CYCLES_PER_S = 2e9
"""Taken for the clock where torch does not tell it: faster than most, so that a delay is not too short."""


class CudaDevice:
    """One CUDA device. Each call stands between two events on the current stream; one wait ends the block.

    The events are made once and used again: making one costs about as much as launching a small kernel.
    """

    kind = "cuda"
    method = "cuda_events"
    least_s = LEAST_S

    def __init__(self, index: int) -> None:
        self.device = torch.device("cuda", index)
        self._events: list[torch.cuda.Event] = []
        self._flush: Step | None = None

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        with torch.cuda.device(self.device):
            events = self._take(2 * calls)
            stream = torch.cuda.current_stream()
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
        with torch.cuda.device(self.device):
            self.synchronize()
            start = time.perf_counter_ns()
            for _ in range(calls):
                step()
            self.synchronize()
            return (time.perf_counter_ns() - start) * 1e-9

    def time_cold(self, steps: Sequence[Step], calls: int) -> list[float]:
        """As of `Device`. The GPU spins until the host has handed over the whole step, so that the gaps of
        launching are not in it; how long that takes is learnt from an untimed call of each step."""
        with torch.cuda.device(self.device):
            flush = self._flush = self._flush or flusher(FLUSH_FACTOR * _l2_bytes(self.device), self.device)
            launch_s = max(self._launch_seconds(step) for step in steps)
            delay = self._delay(DELAY_FACTOR * launch_s)

            def before() -> None:
                flush()
                delay()

            turns = itertools.islice(itertools.cycle(steps), calls)
            return [self.time_calls(step, 1, before=before)[0] for step in turns]

    def time_parts(self, parts: Mapping[str, Step], calls: int) -> dict[str, list[float]]:
        with torch.cuda.device(self.device):
            each = len(parts) + 1
            events = self._take(each * calls)
            stream = torch.cuda.current_stream()
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
        with torch.cuda.device(self.device):
            replay = cuda_busy.captured(step) if capture else None
            if replay is not None:
                replay()  # the first replay uploads the graph
                # One launch is left, that of the graph, and it hides behind the delay.
                return "cuda_graph", self.time_calls(replay, calls, before=self._delay(LEAST_DELAY_S))
            seconds = cuda_busy.kernel_seconds(step, calls)
            return None if seconds is None else ("profiler", [seconds])

    def eraser(self, size: int) -> Step:
        buffer = torch.empty(size, dtype=torch.uint8, device=self.device)
        return buffer.zero_

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    def now(self) -> float:
        return time.monotonic()

    def _take(self, count: int) -> list[torch.cuda.Event]:
        while len(self._events) < count:
            self._events.append(_event())
        return self._events[:count]

    def _launch_seconds(self, step: Step) -> float:
        """How long the host takes to hand over a step."""
        self.synchronize()
        start = time.perf_counter_ns()
        step()
        launched = (time.perf_counter_ns() - start) * 1e-9
        self.synchronize()
        return launched

    def _delay(self, seconds: float) -> Step:
        """A step that keeps the GPU, not the host, waiting for about so long, within limits."""
        rate = getattr(torch.cuda.get_device_properties(self.device), "clock_rate", 0) * 1e3 or CYCLES_PER_S
        cycles = int(min(max(seconds, LEAST_DELAY_S), MOST_DELAY_S) * rate)

        def delay() -> object:
            return torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]  # torch gives it no types

        return delay


def _l2_bytes(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).L2_cache_size)


def _seconds(start: torch.cuda.Event, end: torch.cuda.Event) -> float:
    return float(start.elapsed_time(end)) * 1e-3  # elapsed_time is in milliseconds


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch gives it no types
