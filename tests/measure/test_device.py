"""Real clocks: what they read, not how fast they are."""

from __future__ import annotations

import pytest
import torch

from benchsuite.errors import DeviceError
from benchsuite.measure.device import CpuDevice, CudaDevice, open_device, resolve


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
