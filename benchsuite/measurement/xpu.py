"""Intel GPUs, through `torch.accelerator` and `torch.xpu`. Nothing here has ever run on one: see docs/gpu.md.

Cold calls hold the gaps of launching, since torch has no way to keep an XPU waiting meanwhile, and nobody
reads how long it is busy, its clocks or its energy.
"""

from __future__ import annotations

from typing import Any

import torch

from benchsuite.measurement.accelerator import AcceleratorDevice
from benchsuite.results.cell import DType


class XpuDevice(AcceleratorDevice):
    """One XPU."""

    kind = "xpu"
    method = "xpu_events"
    activity = "XPU"

    def units(self) -> int:
        return int(getattr(self._properties(), "gpu_subslice_count", 1))

    def missing(self, dtype: DType) -> str:
        if dtype == "fp64" and self.count() and not self._properties().has_fp64:
            return f"{self._properties().name} has no fp64"
        return super().missing(dtype)

    def driver(self) -> str | None:
        return getattr(self._properties(), "driver_version", None)

    def _properties(self) -> Any:
        return torch.xpu.get_device_properties(self.device)
