"""Peaks against byte counts worked out by hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.measure.estimate import peak_bytes
from benchsuite.measure.memory import measure_memory, module_bytes
from benchsuite.results.record import Memory


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


def test_the_estimate_on_meta_equals_the_peak_on_the_device() -> None:
    def build(device: str) -> tuple[nn.Module, Tensor]:
        layers = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64), nn.Softmax(-1))
        return layers.to(device), torch.zeros(32, 64, device=device)

    module, x = build("meta")
    with torch.no_grad():
        estimate = peak_bytes(lambda: module(x))
    assert estimate == inferred(*build("cpu")).activations_bytes


def test_the_estimate_of_fused_attention_has_no_matrix() -> None:
    q = torch.zeros(1, 2, 512, 16, device="meta")
    with torch.no_grad():
        assert peak_bytes(lambda: F.scaled_dot_product_attention(q, q, q)) == q.numel() * 4
        assert peak_bytes(lambda: (q @ q.transpose(-2, -1)).softmax(-1) @ q) == 2 * 2 * 512 * 512 * 4
