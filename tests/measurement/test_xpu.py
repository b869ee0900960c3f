"""The XPU on a machine without one: scripted calls stand in for torch's, and their order is noted."""

from __future__ import annotations

import contextlib
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchsuite.errors import DeviceError, Unsupported
from benchsuite.measurement.ceilings import sizes_of
from benchsuite.measurement.cpu import MOST_FLUSH_BYTES
from benchsuite.measurement.device import open_device, resolve
from benchsuite.measurement.precision import require_dtype
from benchsuite.measurement.stopping import FixedCount
from benchsuite.measurement.timing import SamplingPlan, WarmUp, measure_busy, measure_time
from benchsuite.measurement.xpu import XpuDevice
from benchsuite.results.devices import kind_of


class Gpu:
    """What torch says of an XPU, on a clock that the steps advance, in milliseconds.

    Attributes:
        log: what was done, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.clock = 0.0
        self.live = self.peak = 1000
        gpu = self

        class Event:
            def __init__(self, device: torch.device, *, enable_timing: bool) -> None:
                assert (device.type, enable_timing) == ("xpu", True)

            def record(self, stream: object) -> None:
                gpu.log.append("record")
                self.at = gpu.clock

            def elapsed_time(self, end: Event) -> float:
                return end.at - self.at

        stream = SimpleNamespace(synchronize=lambda: self.log.append("wait"))
        self.properties = SimpleNamespace(
            name="Intel Arc",
            total_memory=16 << 30,
            gpu_subslice_count=32,
            driver_version="1.6",
            has_fp64=False,
        )
        monkeypatch.setattr(torch, "Event", Event)
        for name, value in {
            "current_accelerator": lambda: torch.device("xpu"),
            "device_count": lambda: 1,
            "current_stream": lambda device: stream,
            "synchronize": lambda device: self.log.append("wait"),
        }.items():
            monkeypatch.setattr(torch.accelerator, name, value)
        for name, value in {
            "device": lambda device: contextlib.nullcontext(),
            "is_available": lambda: True,
            "get_device_properties": lambda device: self.properties,
            "synchronize": lambda device: self.log.append("wait"),
            "empty_cache": lambda: self.log.append("empty"),
            "reset_peak_memory_stats": self._reset,
            "memory_allocated": lambda device: self.live,
            "max_memory_allocated": lambda device: self.peak,
            "max_memory_reserved": lambda device: 4096,
            "memory_reserved": lambda device: 4096,
            "mem_get_info": lambda device: (10 << 30, 16 << 30),
        }.items():
            monkeypatch.setattr(torch.xpu, name, value)

    def _reset(self, device: object) -> None:
        self.log.append("reset")
        self.peak = self.live

    def step(self, milliseconds: float = 1.0, added: int = 0) -> Any:
        def run() -> None:
            self.log.append("step")
            self.clock += milliseconds
            self.peak = max(self.peak, self.live + added)

        return run


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch)


def test_an_xpu_is_taken_where_it_is_named_and_never_by_itself(gpu: Gpu) -> None:
    assert resolve("xpu") == "xpu:0"
    assert resolve("auto") == "cpu"
    assert isinstance(open_device("xpu:0"), XpuDevice)
    assert not kind_of("xpu:0").on_host


def test_where_there_is_none_it_is_not_there() -> None:
    with pytest.raises(DeviceError, match="device 'xpu' is not present; this machine has: cpu"):
        resolve("xpu")
    assert XpuDevice.release()


def test_each_call_stands_between_two_events_and_one_wait_ends_the_block(gpu: Gpu) -> None:
    assert XpuDevice().time_calls(gpu.step(2.0), 3) == pytest.approx([0.002] * 3)
    assert gpu.log == ["record", "step", "record"] * 3 + ["wait"]


def test_parts_share_the_events_between_them(gpu: Gpu) -> None:
    found = XpuDevice().time_parts({"forward": gpu.step(1.0), "backward": gpu.step(2.0)}, 2)
    assert found == {"forward": pytest.approx([0.001] * 2), "backward": pytest.approx([0.002] * 2)}


def test_a_cold_call_comes_after_a_flush_that_is_not_timed(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def flusher(size: int, device: object) -> Any:
        written.append(size)
        return gpu.step(50.0)

    monkeypatch.setattr("benchsuite.measurement.accelerator.flusher", flusher)
    assert XpuDevice().time_cold([gpu.step(1.0), gpu.step(2.0)], 3) == pytest.approx([0.001, 0.002, 0.001])
    assert written == [MOST_FLUSH_BYTES]


def test_a_cell_is_timed_by_events_and_nobody_says_how_long_it_is_busy(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(0.0, 0.05)
    monkeypatch.setattr(XpuDevice, "now", lambda self: next(now))
    device = XpuDevice()
    timing = measure_time(
        gpu.step(1.0), device, SamplingPlan(WarmUp(2, 0.0), FixedCount(5, 5, 9.0), threads=1)
    )
    assert (timing.method, timing.calls_per_sample) == ("xpu_events", 1)
    assert timing.samples_s == pytest.approx((0.001,) * 5)
    assert measure_busy(gpu.step(), device) is None


def test_the_peak_is_what_the_step_adds_to_what_was_there(gpu: Gpu) -> None:
    peak = XpuDevice().step_peak(gpu.step(added=300))
    assert (peak.added, peak.reserved, peak.method) == (300, 4096, "xpu_allocator")
    assert gpu.log == ["wait", "empty", "reset", "step", "wait"]


def test_formats_that_an_xpu_lacks_are_unsupported(gpu: Gpu) -> None:
    require_dtype("bf16", "xpu:0")
    for dtype in ("tf32", "fp64"):
        with pytest.raises(Unsupported):
            require_dtype(dtype, "xpu:0")  # type: ignore[arg-type]
    gpu.properties.has_fp64 = True
    require_dtype("fp64", "xpu:0")


def test_it_is_described_and_given_work_by_its_size(gpu: Gpu) -> None:
    device = XpuDevice()
    described = device.describe()
    assert described == {"name": "Intel Arc", "index": 0, "memory_bytes": 16 << 30, "multiprocessors": 32}
    assert (device.driver(), device.card()[0]) == ("1.6", None)
    assert (device.room_bytes(), device.elsewhere_bytes()) == (10 << 30, (6 << 30) - 4096)
    assert sizes_of(device).images == 4 * 32
