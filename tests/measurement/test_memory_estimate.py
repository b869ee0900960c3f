"""The peak foreseen on "meta" against the peak on a CPU, and against byte counts worked out by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.measurement.memory import measure_memory
from benchsuite.measurement.memory_estimate import estimate_memory, peak_bytes
from benchsuite.results.record import Memory
from benchsuite.worker.build import Subject
from benchsuite.worker.steps import steps_of

MODES = ("inference", "forward_backward", "training_step")
B, HEADS, N, WIDTH = 2, 2, 512, 16
OUT, NORMALIZERS, MATRIX = B * HEADS * N * WIDTH * 4, B * HEADS * N * 4, B * HEADS * N * N * 4
"""Bytes of what attention returns, of one number a query, and of all queries with all keys."""


def layers() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.LayerNorm(256), nn.Linear(256, 64), nn.Softmax(-1))


def subject_of(module: nn.Module, device: str, dtype: torch.dtype = torch.float32) -> Subject:
    return Subject(module.to(device, dtype), (torch.zeros(32, 64, device=device, dtype=dtype),))


def foreseen(subject: Subject, mode: str, device: str = "cpu") -> int:
    if mode == "inference":
        step = torch.no_grad()(lambda: subject.module(*subject.inputs))
        return estimate_memory(step, subject.module, subject.tensor, autocast=subject.autocast, device=device)
    steps = steps_of(subject, mode)
    return estimate_memory(
        steps.first,
        subject.module,
        subject.tensor,
        optimizer=steps.optimizer,
        autocast=subject.autocast,
        device=device,
    )


def measured(subject: Subject, mode: str) -> Memory:
    steps = steps_of(subject, mode)
    return measure_memory(
        steps.whole, subject.module, subject.tensor, optimizer=steps.optimizer, backward=mode != "inference"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_estimate_is_the_peak_to_the_byte_where_no_kernel_needs_scratch_space(
    mode: str, dtype: torch.dtype
) -> None:
    there = measured(subject_of(layers(), "cpu", dtype), mode)
    scalars = 64 if mode == "training_step" else 0  # AdamW's counters, and numbers it makes tensors of
    assert there.peak_allocated_bytes - foreseen(subject_of(layers(), "meta", dtype), mode) <= scalars


def test_activations_that_the_backward_pass_needs_are_held_until_it_runs() -> None:
    """Eight layers in inference hold two maps at a time; before the backward pass every output is there."""
    module = nn.Sequential(*(nn.Sigmoid() for _ in range(8)))
    size = 32 * 64 * 4
    assert foreseen(subject_of(module, "meta"), "inference") == (1 + 2) * size
    # The input and the outputs; the gradient of the last, those of two neighbours. None is freed until then:
    # the last output is the step's own.
    assert foreseen(subject_of(module, "meta"), "forward_backward") == (1 + 8 + 1 + 2) * size


def test_a_gpus_optimizer_has_temporaries_of_all_weights_at_once_and_a_cpus_of_one_or_two() -> None:
    module = nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(8)))
    module.append(nn.Linear(256, 64, bias=False)).insert(0, nn.Linear(64, 256, bias=False))
    ends, matrix = 2 * 64 * 256 * 4, 256 * 256 * 4
    there = 4 * (8 * matrix + ends)  # weights, gradients and two moments
    on_cpu, on_gpu = (
        foreseen(subject_of(module, "meta"), "training_step", device) for device in ("cpu", "cuda:0")
    )
    few = 4 * 32 * 64 * 4  # input, output and their gradients; the counters of the optimizer
    assert 0 <= on_cpu - there - 3 * matrix <= few
    assert 8 * matrix <= on_gpu - there
    assert on_cpu < on_gpu


def attention(q: Tensor, mask: Tensor | None = None) -> Tensor:
    return F.scaled_dot_product_attention(q, q, q, attn_mask=mask)


def query(**options: bool) -> Tensor:
    return torch.zeros(B, HEADS, N, WIDTH, device="meta", **options)


def test_fused_attention_forms_no_matrix_and_the_definition_does() -> None:
    q = query()
    with torch.no_grad():
        assert peak_bytes(lambda: attention(q)) == OUT + NORMALIZERS
        assert peak_bytes(lambda: (q @ q.transpose(-2, -1)).softmax(-1) @ q) == 2 * MATRIX


def test_fused_attention_back_and_forth_makes_three_gradients_and_no_matrix() -> None:
    q, k, v = (query(requires_grad=True) for _ in range(3))
    cotangent = query()

    def step() -> None:
        F.scaled_dot_product_attention(q, k, v).backward(cotangent)

    # OUT is gone with its last reference, unless it was kept for the backward pass, which it is.
    assert peak_bytes(step) == OUT + NORMALIZERS + 3 * OUT
    assert q.grad is not None
    assert q.grad.shape == q.shape


@pytest.mark.parametrize(
    ("device", "matrices"),
    [("cpu", 2), ("cuda:0", 1)],
)
def test_a_mask_that_learns_costs_matrices_as_the_device_has_them(device: str, matrices: int) -> None:
    """A CPU's fused kernel refuses such a mask; a GPU's makes the gradient of every pair."""
    q, mask = query(), torch.zeros(1, HEADS, N, N, device="meta", requires_grad=True)
    peak = peak_bytes(lambda: attention(q, mask).backward(q), device)
    assert matrices * MATRIX <= peak < (matrices + 2) * MATRIX
    assert mask.grad is not None
    assert mask.grad.shape == mask.shape


def test_queries_that_a_fused_kernel_does_not_take_are_not_fused() -> None:
    strided = torch.zeros(B, HEADS, WIDTH, N, device="meta").transpose(-2, -1)
    five = query()[None]
    with torch.no_grad():
        for q in (strided, five):
            assert peak_bytes(lambda q=q: attention(q)) >= MATRIX  # type: ignore[misc]


@pytest.mark.parametrize("mode", MODES)
def test_autocast_is_foreseen_though_meta_has_none(mode: str) -> None:
    def subject(device: str) -> Subject:
        module = nn.Sequential(nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 256)).to(device)
        return Subject(module, (torch.zeros(512, 256, device=device),), autocast=torch.bfloat16)

    there = measured(subject("cpu"), mode).peak_allocated_bytes
    # A CPU's library copies bf16 matrices into a layout of its own, which nobody foresees.
    assert foreseen(subject("meta"), mode) == pytest.approx(there, rel=0.12)


def test_autocast_casts_a_weight_once_and_products_only() -> None:
    layer, x = nn.Linear(256, 256, bias=False, device="meta"), torch.zeros(8, 256, device="meta")
    found: list[Tensor] = []

    def twice() -> None:
        with torch.no_grad():
            found.append(layer(layer(x)).softmax(-1))

    held = layer.weight.nbytes + x.nbytes
    peak = estimate_memory(twice, layer, x, autocast=torch.bfloat16) - held
    assert found[0].dtype == torch.bfloat16
    few = 4 * x.nbytes
    assert layer.weight.nbytes // 2 <= peak <= layer.weight.nbytes // 2 + few
    estimate_memory(twice, layer, x, autocast=torch.bfloat16, device="cuda:0")
    assert found[1].dtype == torch.float32  # a GPU takes softmax in fp32
