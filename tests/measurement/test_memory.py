"""Peaks against byte counts worked out by hand."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from benchsuite.measurement import nvml
from benchsuite.measurement.cpu import CpuDevice, peak_resident_bytes
from benchsuite.measurement.cuda import CudaDevice, bytes_on_card
from benchsuite.measurement.memory import measure_memory, module_bytes
from benchsuite.measurement.nvml import GpuProcess
from benchsuite.results.record import Memory
from benchsuite.worker.build import Subject
from benchsuite.worker.steps import steps_of
from tests.doubles.fake_nvml import FakeNvml


def inferred(module: nn.Module, x: Tensor) -> Memory:
    def step() -> Tensor:
        with torch.inference_mode():
            out: Tensor = module(x)
            return out

    return measure_memory(step, module, x)


def test_a_linear_layer_adds_its_output_to_weights_and_input() -> None:
    memory = inferred(nn.Linear(256, 512), torch.randn(64, 256))
    assert memory.weights_bytes == (256 * 512 + 512) * 4
    assert memory.input_bytes == 64 * 256 * 4
    assert memory.activations_bytes == 64 * 512 * 4
    assert memory.peak_reserved_bytes is None
    assert memory.method == "torch_profiler"


def test_what_is_freed_before_the_peak_does_not_count() -> None:
    """Three layers hold two outputs at a time, never three."""
    memory = inferred(nn.Sequential(*(nn.Linear(64, 64) for _ in range(3))), torch.randn(128, 64))
    assert memory.activations_bytes == 2 * 128 * 64 * 4


def test_a_second_cell_does_not_inherit_the_peak_of_the_first() -> None:
    inferred(nn.Linear(64, 4096), torch.randn(256, 64))
    memory = inferred(nn.Linear(64, 64), torch.randn(2, 64))
    assert memory.activations_bytes == 2 * 64 * 4


def test_what_a_module_makes_once_and_keeps_is_not_the_peak_of_a_step() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.table is None:
                self.table = torch.zeros(1 << 20)
            return x.neg()

    assert inferred(Lazy(), torch.randn(16)).activations_bytes == 16 * 4


def test_buffers_count_as_weights() -> None:
    norm = nn.BatchNorm2d(8)
    assert module_bytes(norm) == (4 * 8) * 4 + 8  # weight, bias, mean, variance; the counter is an int64


N, IN, OUT = 64, 256, 512
"""Rows, and features before and after, of the linear layer of the closed forms; 4 bytes each."""
WEIGHTS = (IN * OUT + OUT) * 4


def trained(mode: str, device: str = "cpu") -> Memory:
    layer, x = nn.Linear(IN, OUT, device=device), torch.randn(N, IN, device=device)
    steps = steps_of(Subject(layer, (x,)), mode)
    return measure_memory(steps.whole, layer, x, optimizer=steps.optimizer, backward=True)


def test_the_output_of_the_forward_pass_is_told_and_inference_has_no_gradients() -> None:
    memory = inferred(nn.Linear(IN, OUT), torch.randn(N, IN))
    assert memory.output_bytes == N * OUT * 4
    assert memory.gradient_bytes == 0
    assert memory.optimizer_bytes == 0


def test_a_linear_layer_back_and_forth_holds_its_gradients_and_that_of_its_output() -> None:
    """At the end there are the output, the gradient that it began from, and those of weights and input."""
    memory = trained("forward_backward")
    assert (memory.weights_bytes, memory.input_bytes) == (WEIGHTS, N * IN * 4)
    assert memory.output_bytes == N * OUT * 4
    assert memory.gradient_bytes == WEIGHTS
    assert memory.optimizer_bytes == 0
    assert memory.activations_bytes == 2 * N * OUT * 4 + N * IN * 4 + WEIGHTS


SCRATCH = 33 << 20
"""Of a reduction, and before torch 2.8 of cuBLASLt: 32 MiB on Hopper, taken from torch's allocator in each
call with a bias."""


@pytest.mark.gpu
def test_on_a_gpu_a_linear_layer_back_and_forth_holds_the_same() -> None:
    memory = trained("forward_backward", "cuda")
    assert memory.gradient_bytes == WEIGHTS
    closed = 2 * N * OUT * 4 + N * IN * 4 + WEIGHTS
    assert closed <= memory.activations_bytes <= closed + SCRATCH
    assert memory.peak_reserved_bytes is not None
    assert trained("training_step", "cuda").optimizer_bytes == 2 * WEIGHTS  # its counters are on the CPU


SCALARS = 24
"""Bytes of numbers that AdamW's arithmetic on a CPU makes tensors of on the way."""


def test_a_training_step_holds_two_moments_a_weight_and_two_temporaries_of_the_largest() -> None:
    """AdamW counts its steps for each tensor. Its update of the matrix takes a root and a quotient."""
    memory = trained("training_step")
    assert memory.gradient_bytes == WEIGHTS
    assert memory.optimizer_bytes == 2 * WEIGHTS + 2 * 4
    after_backward = 2 * N * OUT * 4 + N * IN * 4 + WEIGHTS
    assert 0 <= memory.activations_bytes - (after_backward + 2 * IN * OUT * 4) <= SCALARS
    assert memory.activations_bytes == (
        memory.peak_allocated_bytes - memory.weights_bytes - memory.input_bytes - memory.optimizer_bytes
    )


def test_gradients_of_an_earlier_step_are_not_memory_that_a_step_frees() -> None:
    layer, x = nn.Linear(IN, OUT), torch.randn(N, IN)
    steps = steps_of(Subject(layer, (x,)), "forward_backward")
    for _ in range(3):
        steps.whole()
    again = measure_memory(steps.whole, layer, x, backward=True)
    assert again.peak_allocated_bytes == trained("forward_backward").peak_allocated_bytes


LARGE = 64 << 20


def touched(size: int) -> Memory:
    """The memory of a step that writes to so many bytes."""
    return inferred(Writes(size), torch.randn(16))


class Writes(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(self.size // 4).sum() + x


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak of a process cannot begin anew"
)
def test_the_process_holds_what_a_step_writes_to_and_a_small_cell_after_a_large_one_does_not() -> None:
    before, large, after = touched(64), touched(LARGE), touched(64)
    assert before.process_bytes is not None
    assert large.process_bytes is not None
    assert after.process_bytes is not None
    assert large.process_bytes - before.process_bytes > 0.9 * LARGE
    assert large.process_bytes - after.process_bytes > 0.9 * LARGE
    assert after.peak_allocated_bytes == before.peak_allocated_bytes


def test_where_a_peak_cannot_begin_anew_the_process_has_none(tmp_path: Path) -> None:
    calls: list[str] = []
    assert peak_resident_bytes(lambda: calls.append("step"), tmp_path) is None
    assert calls == []


def test_the_peak_of_the_process_is_read_after_it_was_reset_and_the_step_ran(tmp_path: Path) -> None:
    own = tmp_path / "proc" / "self"
    own.mkdir(parents=True)
    (own / "clear_refs").write_text("")

    def step() -> None:
        assert (own / "clear_refs").read_text() == "5"
        (own / "status").write_text("Name:\tpython\nVmPeak:\t 900 kB\nVmHWM:\t     300 kB\nVmRSS:\t 200 kB\n")

    assert peak_resident_bytes(step, tmp_path) == 300 * 1024


def test_on_a_gpu_the_process_is_found_by_its_pid_among_those_that_the_driver_lists() -> None:
    others, own = GpuProcess(1, 500), GpuProcess(os.getpid(), 700)
    assert bytes_on_card(FakeNvml(running=(others, own))) == 700
    assert bytes_on_card(FakeNvml(running=(others,))) is None  # another namespace
    assert bytes_on_card(FakeNvml(running=None)) is None


def test_in_a_container_the_process_has_what_is_in_use_on_the_card_since_it_came() -> None:
    others = (GpuProcess(1, 500),)
    assert bytes_on_card(FakeNvml(running=(), used=1700, before_bytes=1000)) == 700
    assert bytes_on_card(FakeNvml(running=others, used=1700, before_bytes=1000)) == 700
    assert bytes_on_card(FakeNvml(running=(), used=900, before_bytes=1000)) == 0  # one has gone
    assert bytes_on_card(FakeNvml(running=(), used=1700)) is None  # nobody looked in time


@pytest.mark.parametrize(("reserved", "before"), [(0, 1000), (64, None)])
def test_memory_in_use_before_this_process_is_known_only_if_it_had_none_then(
    monkeypatch: pytest.MonkeyPatch, reserved: int, before: int | None
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="abc"))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: reserved)
    monkeypatch.setattr(nvml, "open_card", lambda uuid: (FakeNvml(used=1000), ""))
    card, _ = nvml.for_device.__wrapped__("cuda:0")
    assert card is not None
    assert card.before_bytes == before


def test_memory_elsewhere_is_in_use_and_not_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (300, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 500)
    assert CudaDevice(0).elsewhere_bytes() == 200
    assert CpuDevice().elsewhere_bytes() is None

    def lost(_: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lost)
    assert CudaDevice(0).elsewhere_bytes() is None
