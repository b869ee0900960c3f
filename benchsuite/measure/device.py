"""Devices that can time calls: CPU, CUDA, and a scripted fake for tests.

A device times a block of calls at once, so that a GPU is not made to wait for the host after each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import torch

from benchsuite.errors import DeviceError

Step = Callable[[], object]


class Device(Protocol):
    """Where a step runs and how its time is read."""

    method: str
    """How durations are read; goes into the record."""

    def time_calls(self, step: Step, calls: int) -> list[float]:
        """Run `step` `calls` times back to back; the seconds that each took on the device."""
        ...

    def synchronize(self) -> None:
        """Wait until all work handed to the device is done."""
        ...

    def now(self) -> float:
        """Seconds on a monotonic host clock, for budgets."""
        ...


class CpuDevice:
    """The host. Each call is read off the monotonic clock."""

    method = "monotonic_clock"

    def time_calls(self, step: Step, calls: int) -> list[float]:
        durations = []
        clock = time.perf_counter_ns
        for _ in range(calls):
            start = clock()
            step()
            durations.append((clock() - start) * 1e-9)
        return durations

    def synchronize(self) -> None:
        """Nothing to wait for: torch's CPU operators return when they are done."""

    def now(self) -> float:
        return time.monotonic()


class CudaDevice:
    """One CUDA device. Each call stands between two events on the current stream; one wait ends the block.

    The events are made once and used again: making one costs about as much as launching a small kernel.
    """

    method = "cuda_events"

    def __init__(self, index: int) -> None:
        self.device = torch.device("cuda", index)
        self._pairs: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def time_calls(self, step: Step, calls: int) -> list[float]:
        with torch.cuda.device(self.device):
            while len(self._pairs) < calls:
                self._pairs.append((_event(), _event()))
            pairs = self._pairs[:calls]
            stream = torch.cuda.current_stream()
            for start, end in pairs:
                start.record(stream)
                step()
                end.record(stream)
            stream.synchronize()
        return [start.elapsed_time(end) * 1e-3 for start, end in pairs]  # elapsed_time is in milliseconds

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)

    def now(self) -> float:
        return time.monotonic()


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch gives it no types


class FakeDevice:
    """A device with a scripted clock: call i takes the i-th duration of the script. For tests.

    Attributes:
        calls: how often a step has run.
        blocks: the size of each block asked for, in order.
    """

    method = "fake_clock"

    def __init__(self, durations: Iterator[float], host_seconds_per_call: float | None = None) -> None:
        self._durations = durations
        self._host = host_seconds_per_call
        self._now = 0.0
        self.calls = 0
        self.blocks: list[int] = []
        self.synchronized = 0

    def time_calls(self, step: Step, calls: int) -> list[float]:
        self.blocks.append(calls)
        durations = []
        for _ in range(calls):
            step()
            self.calls += 1
            duration = next(self._durations)
            self._now += duration if self._host is None else self._host
            durations.append(duration)
        return durations

    def synchronize(self) -> None:
        self.synchronized += 1

    def now(self) -> float:
        return self._now


def resolve(name: str) -> str:
    """The device that a scenario's word means here: "auto" is the first CUDA device, else the CPU.

    Raises:
        DeviceError: the machine has no such device; says what it has.
    """
    available = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name == "auto":
        return "cuda:0" if len(available) > 1 else "cpu"
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in available:
        raise DeviceError(f"device {name!r} is not present; this machine has: {', '.join(available)}")
    return wanted


def open_device(name: str) -> Device:
    """The timer of a device that `resolve` has named."""
    device = torch.device(name)
    return CudaDevice(device.index or 0) if device.type == "cuda" else CpuDevice()
