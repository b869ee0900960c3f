"""A GPU as NVML tells of it, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchsuite.measurement.nvml import GpuProcess


@dataclass
class FakeNvml:
    """A GPU whose state the test chooses. `joules` is read off one by one; its last value stays."""

    clock: int | None = 1980
    max_clock: int | None = 1980
    temperature: int | None = 45
    reasons: int | None = 0
    watts: float | None = 120.0
    joules: Iterator[float | None] = field(default_factory=lambda: iter(()))
    running: tuple[GpuProcess, ...] | None = ()
    split: bool | None = False
    used: int | None = None
    before_bytes: int | None = None
    _joules: float | None = None

    def about(self) -> dict[str, Any]:
        return {"name": "fake", "driver": "0", "power_limit_w": 700.0, "persistence": True}

    def sm_clock_mhz(self) -> int | None:
        return self.clock

    def max_sm_clock_mhz(self) -> int | None:
        return self.max_clock

    def temperature_c(self) -> int | None:
        return self.temperature

    def throttle_reasons(self) -> int | None:
        return self.reasons

    def power_w(self) -> float | None:
        return self.watts

    def energy_j(self) -> float | None:
        self._joules = next(self.joules, self._joules)
        return self._joules

    def processes(self) -> tuple[GpuProcess, ...] | None:
        return self.running

    def used_bytes(self) -> int | None:
        return self.used

    def mig(self) -> bool | None:
        return self.split
