"""Real clocks: what they read, not how fast they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchsuite.errors import DeviceError
from benchsuite.measurement.cpu import MIB, MOST_FLUSH_BYTES, CpuDevice, cpu_flush_bytes, last_level_bytes
from benchsuite.measurement.cuda import CudaDevice
from benchsuite.measurement.device import Step, flusher, open_device, resolve


def test_the_cpu_times_each_call_on_its_own() -> None:
    calls: list[int] = []
    durations = CpuDevice().time_calls(lambda: calls.append(1), 5)
    assert len(durations) == len(calls) == 5
    assert all(duration > 0 for duration in durations)


def test_the_host_clock_never_runs_backwards() -> None:
    device = CpuDevice()
    readings = [device.now() for _ in range(100)]
    assert readings == sorted(readings)


def test_a_device_that_is_not_there_is_named_with_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match=r"device 'cuda:7' is not present; this machine has: cpu, cuda:0"):
        resolve("cuda:7")


@pytest.mark.parametrize(
    ("count", "word", "device"),
    [
        (0, "auto", "cpu"),
        (2, "auto", "cuda:0"),
        (2, "cuda", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
        (2, "cpu", "cpu"),
    ],
)
def test_words_for_devices(monkeypatch: pytest.MonkeyPatch, count: int, word: str, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert resolve(word) == device


def test_the_timer_fits_the_device() -> None:
    assert isinstance(open_device("cpu"), CpuDevice)
    timer = open_device("cuda:1")
    assert isinstance(timer, CudaDevice)
    assert timer.device == torch.device("cuda", 1)


@pytest.mark.gpu
def test_cuda_events_read_about_what_the_host_clock_reads_over_a_block() -> None:
    device = CudaDevice(0)
    factor = torch.randn(4096, 4096, device="cuda:0")
    device.time_calls(lambda: factor @ factor, 5)
    start = device.now()
    durations = device.time_calls(lambda: factor @ factor, 50)
    elapsed = device.now() - start
    assert 0.5 * elapsed < sum(durations) <= 1.01 * elapsed


def test_what_comes_before_a_call_comes_before_each_of_them() -> None:
    done: list[str] = []
    CpuDevice().time_calls(lambda: done.append("step"), 3, before=lambda: done.append("before"))
    assert done == ["before", "step"] * 3


class Clock:
    """A host clock that only steps advance, in nanoseconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ns = 0
        monkeypatch.setattr(time, "perf_counter_ns", lambda: self.ns)

    def step(self, ns: int) -> Step:
        def run() -> None:
            self.ns += ns

        return run


def test_the_time_before_a_call_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert CpuDevice().time_calls(clock.step(2), 2, before=clock.step(100)) == pytest.approx([2e-9, 2e-9])


def test_a_block_is_the_time_of_all_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert CpuDevice().time_block(clock.step(3), 7) == pytest.approx(21e-9)


def test_the_parts_of_a_step_are_timed_one_by_one_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    parts = {"forward": clock.step(1), "backward": clock.step(2), "optimizer": clock.step(4)}
    found = CpuDevice().time_parts(parts, 2)
    assert list(found) == list(parts)
    assert found == {
        "forward": pytest.approx([1e-9, 1e-9]),
        "backward": pytest.approx([2e-9, 2e-9]),
        "optimizer": pytest.approx([4e-9, 4e-9]),
    }


def test_cold_calls_take_the_inputs_in_turns_and_the_flush_is_not_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    written: list[int] = []

    def flusher(size: int, device: str) -> Step:
        written.append(size)
        return clock.step(1000)

    monkeypatch.setattr("benchsuite.measurement.cpu.flusher", flusher)
    device = CpuDevice()
    steps = [clock.step(1), clock.step(2)]
    assert device.time_cold(steps, 3) == pytest.approx([1e-9, 2e-9, 1e-9])
    assert device.time_cold(steps, 1) == pytest.approx([1e-9])
    assert clock.ns == 4 * 1000 + 5
    assert written == [cpu_flush_bytes()]  # the buffer is made once


def test_a_flush_writes_one_buffer_and_then_reads_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that were written would be written back in the timed step, at its expense."""
    seen: list[tuple[str, int, int]] = []

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func.overloadpacket.__name__ in ("zero_", "sum"):
                tensor = args[0]
                seen.append((func.overloadpacket.__name__, tensor.data_ptr(), tensor.nbytes))
            return func(*args, **(kwargs or {}))

    flush = flusher(1 << 16, "cpu")
    with Seen():
        flush()
    assert [(word, size) for word, _, size in seen] == [("zero_", 1 << 16), ("sum", 1 << 16)]
    assert seen[0][1] != seen[1][1]
    assert float(str(flush()).strip("tensor()")) == (1 << 16) / 4  # written before, so its pages are there


def test_an_eraser_writes_so_many_bytes() -> None:
    written = CpuDevice().eraser(1000)()
    assert isinstance(written, torch.Tensor)
    assert written.numel() * written.element_size() == 1000
    assert not written.any()


def test_the_time_that_a_cpu_is_busy_is_not_told_apart() -> None:
    assert CpuDevice().time_busy(lambda: None, 3) is None


def caches(folder: Path, *levels: tuple[str, str]) -> Path:
    for position, (level, size) in enumerate(levels):
        index = folder / f"index{position}"
        index.mkdir()
        (index / "level").write_text(f"{level}\n")
        (index / "size").write_text(f"{size}\n")
    return folder


def test_the_last_level_is_the_highest_one_that_linux_tells(tmp_path: Path) -> None:
    found = last_level_bytes(caches(tmp_path, ("1", "48K"), ("1", "64K"), ("2", "2048K"), ("3", "32M")))
    assert found == 32 * MIB


def test_a_cpu_that_tells_nothing_has_an_assumed_cache(tmp_path: Path) -> None:
    assert last_level_bytes(tmp_path) is None
    assert cpu_flush_bytes(tmp_path) == 64 * MIB


def test_a_size_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    assert last_level_bytes(caches(tmp_path, ("2", "1M"), ("3", "much"))) == MIB


def test_twice_the_last_level_is_written_within_limits(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    assert cpu_flush_bytes(caches(small, ("3", "24M"))) == 48 * MIB
    assert cpu_flush_bytes(caches(large, ("3", "2G"))) == MOST_FLUSH_BYTES
