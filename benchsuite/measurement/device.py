"""Where steps run and how their time is read: the host here, CUDA in `cuda.py`, a script in `fake.py`.

A device times a block of calls at once, so that a GPU is not made to wait for the host after each of them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch

from benchsuite.errors import DeviceError
from benchsuite.measurement.caches import cpu_flush_bytes

Step = Callable[[], object]


class Device(Protocol):
    """Where a step runs and how its time is read. All durations are in seconds."""

    kind: str
    """Class of device: "cpu" or "cuda"."""
    method: str
    """How durations are read; goes into the record."""
    least_s: float
    """Shortest duration that its clock reads well; of a shorter step several calls make one sample."""

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        """Run `step` `calls` times back to back; what each took on the device.

        Args:
            before: runs before each call, on the device but outside of the time that is read.
        """
        ...

    def time_block(self, step: Step, calls: int) -> float:
        """Run `step` `calls` times; what all of them took on the host's clock, which is read with the device
        idle before the first and after the last, and never between."""
        ...

    def time_cold(self, steps: Sequence[Step], calls: int) -> list[float]:
        """Isolated calls of the steps in turns: before each the caches are overwritten, and nothing else is
        under way. A step's input has left the caches when its turn comes again."""
        ...

    def time_parts(self, parts: Mapping[str, Step], calls: int) -> dict[str, list[float]]:
        """Run the parts one after the other, `calls` times; what each took. They leave no gap: the sum of a
        call's parts is what the call took."""
        ...

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> tuple[str, list[float]] | None:
        """How the time that the device works on one step was read, and `calls` such times or their mean
        alone; None where it cannot be told from the time that the step takes.

        Args:
            capture: whether the step may be captured and replayed; false where it is known that it cannot.
        """
        ...

    def eraser(self, size: int) -> Step:
        """A step that writes `size` bytes of the device's memory."""
        ...

    def synchronize(self) -> None:
        """Wait until all work handed to the device is done."""
        ...

    def now(self) -> float:
        """Seconds on a monotonic host clock, for budgets."""
        ...


class CpuDevice:
    """The host. Each call is read off the monotonic clock."""

    kind = "cpu"
    method = "monotonic_clock"
    least_s = 0.0

    def __init__(self) -> None:
        self._flush: Step | None = None

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

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> None:
        """The host works on a step for as long as the step takes."""

    def eraser(self, size: int) -> Step:
        buffer = torch.empty(size, dtype=torch.uint8)
        return buffer.zero_

    def synchronize(self) -> None:
        """Nothing to wait for: torch's CPU operators return when they are done."""

    def now(self) -> float:
        return time.monotonic()


def flusher(size: int, device: str | torch.device) -> Step:
    """A step after which caches hold nothing of what ran before, nor anything that must be written back: it
    writes a buffer of `size` bytes, whose lines a timed step would pay for, and then reads another."""
    written = torch.empty(size, dtype=torch.uint8, device=device)
    read = torch.ones(size // 4, device=device)  # written once, so that each page is one of its own

    def flush() -> object:
        written.zero_()
        return read.sum()

    return flush


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
    from benchsuite.measurement.cuda import CudaDevice  # it names the types of this file

    device = torch.device(name)
    return CudaDevice(device.index or 0) if device.type == "cuda" else CpuDevice()
