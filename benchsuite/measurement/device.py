"""Devices that steps run on: the protocol that each kind has a class of.

The classes are in `cpu.py`, `cuda.py` and `xpu.py`, their table is `results/devices.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from benchsuite.errors import DeviceError
from benchsuite.measurement.nvml import Nvml
from benchsuite.results.cell import DType
from benchsuite.results.devices import DEVICES

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class StepPeak:
    """Memory that one step takes beyond what was there before it, in bytes.

    Attributes:
        added: largest sum of live tensors less what was live before.
        reserved: largest amount that the caching allocator held, in all; None where there is none.
        method: how they were read, as in `Memory.method`.
    """

    added: int
    reserved: int | None
    method: str


class Device(Protocol):
    """One device: how steps are timed there, what memory they take, what it can do, and its state.

    All durations are in seconds and all sizes in bytes. A block of calls is timed at once, so that a GPU is
    not made to wait for the host after each of them.
    """

    kind: str
    """Class of device: a key of `DEVICES`."""
    method: str
    """Way in which durations are read; goes into the record."""
    least_s: float
    """Shortest duration that its clock reads well; of a shorter step several calls make one sample."""
    activity: str | None
    """Name of its `torch.profiler.ProfilerActivity` beside CPU; None where there is none."""
    captures: bool
    """True where a step can be captured and replayed as one graph."""

    def __init__(self, index: int = 0) -> None:
        """Open the device of this number among those of its kind."""

    @classmethod
    def count(cls) -> int:
        """Number of devices of the kind that the machine has."""
        ...

    @classmethod
    def release(cls) -> bool:
        """Hand back memory that torch keeps for later; whether this process can go on."""
        ...

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
        """Method of reading the time that the device works on one step, and `calls` such times or their mean
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

    def step_peak(self, step: Step) -> StepPeak:
        """Run a step; the largest amount of memory that its tensors take meanwhile."""
        ...

    def process_bytes(self, step: Step) -> int | None:
        """Largest memory of this process during a step like the one that ran last, as the system sees it:
        libraries, caches and tensors. May run it; None if nobody says."""
        ...

    def elsewhere_bytes(self) -> int | None:
        """Memory of a GPU in use that torch has not taken in this process: that of others, and the contexts
        of all, this one's among them. None for another kind of device."""
        ...

    def room_bytes(self) -> int | None:
        """Memory that a process that begins now may have: what is free on a GPU, and all that a host has,
        used or free. None if the device is not there or nobody says."""
        ...

    def units(self) -> int:
        """Number of threads or multiprocessors that want work at the same time."""
        ...

    def missing(self, dtype: DType) -> str:
        """Reason why the device lacks a dtype; empty if it has it, or is not there to be asked."""
        ...

    def describe(self, *, ask_tools: bool = False) -> dict[str, Any] | None:
        """Description that an environment holds under "gpu", JSON-able; None for a CPU.

        Args:
            ask_tools: also ask the vendor's programs, which takes a second or two.
        """
        ...

    def driver(self) -> str | None:
        """Version of the driver; None where there is none, or nobody says."""
        ...

    def card(self) -> tuple[Nvml | None, str]:
        """Reader of clocks, heat, power and neighbours; None and the reason if there is none."""
        ...


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
    available: list[str] = []
    automatic: list[str] = []
    for row in DEVICES.values():
        names = ["cpu"] if row.on_host else [f"{row.name}:{i}" for i in range(device_class(row.name).count())]
        available += names
        if row.automatic:
            automatic[:0] = names
    if name == "auto":
        return automatic[0]
    wanted = f"{name}:0" if name in DEVICES and not DEVICES[name].on_host else name
    if wanted not in available:
        raise DeviceError(f"device {name!r} is not present; this machine has: {', '.join(available)}")
    return wanted


def device_class(kind: str) -> type[Device]:
    """The class of a kind of device, a key of `DEVICES`."""
    module, _, name = DEVICES[kind].implementation.partition(":")
    found: type[Device] = getattr(importlib.import_module(module), name)
    return found


def open_device(name: str | torch.device) -> Device:
    """A device by the name that `resolve` has given it. Nothing is asked of it yet."""
    device = torch.device(name)
    return device_class(device.type)(device.index or 0)


def release_memory() -> bool:
    """Hand back the memory that torch keeps on any device; whether this process can go on: not after a CUDA
    error, nor after a capture that failed."""
    released = [device_class(kind).release() for kind in DEVICES]  # all of them, whatever the first says
    return all(released)
