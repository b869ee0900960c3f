"""A device with a scripted clock, for tests: nothing sleeps, and counts are exact."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.device import Step
from benchsuite.measurement.nvml import Nvml


class FakeDevice(CpuDevice):
    """Call i takes the i-th duration of the script; memory and all else are the host's.

    Args:
        durations: of the calls, or of the parts where parts are timed.
        host_seconds_per_call: what the host's clock advances a call; the call's duration if None.
        busy: what `time_busy` says of a step; None as on a CPU.
        card: what tells clocks and energy; None as on a CPU.

    Attributes:
        calls: how often a step has run.
        blocks: the size of each block asked for, in order.
        log: what was done, in order: "before", "call", "flush", "erase <bytes>", "wait", or a part's name.
    """

    method = "fake_clock"

    def __init__(
        self,
        durations: Iterator[float],
        host_seconds_per_call: float | None = None,
        *,
        kind: str = "cpu",
        least_s: float = 0.0,
        busy: Callable[[Step], float] | None = None,
        card: Nvml | None = None,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.least_s = least_s
        self._durations = durations
        self._host = host_seconds_per_call
        self._busy = busy
        self._card = card
        self.captures = kind == "cuda"
        self._now = 0.0
        self.calls = 0
        self.blocks: list[int] = []
        self.synchronized = 0
        self.log: list[str] = []

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        self.blocks.append(calls)
        return [self._call(step, before) for _ in range(calls)]

    def time_block(self, step: Step, calls: int) -> float:
        self.blocks.append(calls)
        self.synchronize()
        start = self._now
        for _ in range(calls):
            self._call(step)
        self.synchronize()
        return self._now - start

    def time_cold(self, steps: Sequence[Step], calls: int) -> list[float]:
        self.blocks.append(calls)
        turns = itertools.islice(itertools.cycle(steps), calls)
        return [self._call(step, lambda: self.log.append("flush")) for step in turns]

    def time_parts(self, parts: Mapping[str, Step], calls: int) -> dict[str, list[float]]:
        self.blocks.append(calls)
        durations: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(calls):
            for name, part in parts.items():
                durations[name].append(self._call(part, log=name))
        return durations

    def time_busy(self, step: Step, calls: int, *, capture: bool = True) -> tuple[str, list[float]] | None:
        return None if self._busy is None else ("fake_replay", [self._busy(step) for _ in range(calls)])

    def eraser(self, size: int) -> Step:
        return lambda: self.log.append(f"erase {size}")

    def synchronize(self) -> None:
        self.synchronized += 1
        self.log.append("wait")

    def now(self) -> float:
        return self._now

    def card(self) -> tuple[Nvml | None, str]:
        return self._card, ""

    def _call(self, step: Step, before: Step | None = None, log: str = "call") -> float:
        if before is not None:
            before()
        step()
        self.calls += 1
        self.log.append(log)
        duration = next(self._durations)
        self._now += duration if self._host is None else self._host
        return duration
