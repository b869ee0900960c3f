"""The CUDA path on a machine without one: scripted calls stand in for torch's, and their order is noted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from benchsuite.measure import memory
from benchsuite.measure.device import CudaDevice

LOG: list[str] = []


class Event:
    """A CUDA event on a clock that the steps advance, in milliseconds."""

    clock = 0.0
    made = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        Event.made += 1
        self.at = -1.0

    def record(self, stream: object) -> None:
        LOG.append("record")
        self.at = Event.clock

    def elapsed_time(self, end: Event) -> float:
        LOG.append("read")
        return end.at - self.at


class Stream:
    def synchronize(self) -> None:
        LOG.append("wait")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[CudaDevice]:
    LOG.clear()
    Event.clock, Event.made = 0.0, 0
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    yield CudaDevice(0)
    LOG.clear()


def step_of(*milliseconds: float) -> Any:
    script = iter(milliseconds)

    def step() -> None:
        LOG.append("step")
        Event.clock += next(script)

    return step


def test_each_call_stands_between_two_events_and_one_wait_ends_the_block(cuda: CudaDevice) -> None:
    durations = cuda.time_calls(step_of(1.0, 2.0, 4.0), 3)
    assert durations == pytest.approx([0.001, 0.002, 0.004])
    assert LOG == ["record", "step", "record"] * 3 + ["wait"] + ["read"] * 3


def test_events_are_made_once_and_used_again(cuda: CudaDevice) -> None:
    cuda.time_calls(step_of(1.0, 1.0), 2)
    cuda.time_calls(step_of(*[1.0] * 3), 3)
    cuda.time_calls(step_of(1.0), 1)
    assert Event.made == 2 * 3


def test_time_between_calls_is_not_theirs(cuda: CudaDevice) -> None:
    def step() -> None:
        Event.clock += 1.0

    first = cuda.time_calls(step, 1)
    Event.clock += 50.0  # the host was busy with something else
    assert first + cuda.time_calls(step, 1) == pytest.approx([0.001, 0.001])


class Allocator:
    """What torch.cuda says of its memory: 1000 bytes of other cells, and a step that needs 300 more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.live = self.peak = 1000
        for name in ("synchronize", "empty_cache"):
            monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: self.calls.append(name))
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", self._reset)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: self.live)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: self.peak)
        monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda _: 4096)

    def _reset(self, _: object) -> None:
        self.calls.append("reset")
        self.peak = self.live

    def step(self) -> None:
        self.calls.append("step")
        self.peak = max(self.peak, self.live + 300)


def test_the_peak_on_cuda_is_what_the_step_adds_to_weights_and_input(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = Allocator(monkeypatch)
    found = memory._cuda_peak(allocator.step, 100, 40, torch.device("cuda", 0))
    assert found.peak_allocated_bytes == 100 + 40 + 300  # and not the 1000 of other cells
    assert found.activations_bytes == 300
    assert found.peak_reserved_bytes == 4096
    assert found.method == "cuda_allocator"
    assert allocator.calls == ["synchronize", "empty_cache", "reset", "step", "synchronize"]


@pytest.mark.gpu
def test_a_linear_layer_on_cuda_adds_its_output() -> None:
    layer, x = nn.Linear(1024, 2048, device="cuda"), torch.randn(512, 1024, device="cuda")

    def step() -> torch.Tensor:
        with torch.inference_mode():
            out: torch.Tensor = layer(x)
            return out

    found = memory.measure_memory(step, layer, x)
    assert found.activations_bytes == 512 * 2048 * 4
    assert found.peak_reserved_bytes is not None
    assert found.peak_reserved_bytes >= found.peak_allocated_bytes
