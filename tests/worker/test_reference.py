"""What a cell computes beside what the papers' own arithmetic does: what passes, what is caught, what is not
comparable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.errors import Mismatch, Unsupported
from benchsuite.mixers import MIXERS
from benchsuite.results.cell import Cell
from benchsuite.results.record import Check
from benchsuite.worker import reference
from benchsuite.worker.build import Subject, build, mixer_class
from benchsuite.worker.reference import FACTOR, FULL, LEAST, MOST, MOST_IN_TRAINING, compare, relative_error
from benchsuite.worker.steps import steps_of
from tests.builders import make_cell

HERE = "tests.worker.test_reference"
LOW = ("fp16", "bf16", "autocast_fp16", "autocast_bf16")


class Attends(nn.Module):
    """One head; its fused kernel has the logits scaled by `scale` too much, or does what `fault` says."""

    layout: ClassVar[str] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math", "sdpa")

    def __init__(self, dim: int, kernel: str, scale: float = 1.0, fault: str = "") -> None:
        super().__init__()
        self.kernel, self.scale, self.fault = kernel, scale, fault
        self.qkv = nn.Linear(dim, 3 * dim)
        self.register_buffer("drawn", torch.randn(dim), persistent=False)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q, k, v = (self.qkv(x) * self.drawn.repeat(3)).chunk(3, dim=-1)
        if self.kernel == "math":
            if self.fault == "math runs out":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
            return ((q @ k.transpose(1, 2)) * q.shape[-1] ** -0.5).softmax(dim=-1) @ v
        out = F.scaled_dot_product_attention(q * self.scale, k, v)
        if self.fault == "nan":
            out = out * float("nan")
        if self.fault == "shape":
            out = out[:, 1:]
        if self.fault == "mixes images":
            out = out.roll(1, 0)
        return out.mean() if self.fault == "no rows" else out


class Routed(Attends):
    """Chooses by scores, it says."""

    routes: ClassVar[bool] = True


class Grows(nn.Module):
    """Has more parameters on its fused kernel."""

    def __init__(self, dim: int, kernel: str) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=kernel != "math")

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.linear(x)
        return out


class Normed(nn.Module):
    """Batch norm, then what chance drops."""

    layout: ClassVar[str] = "NCHW"

    def __init__(self, dim: int, drop: float = 0.0) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(dim), nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.norm(x))
        return out


def planted(name: str = "Attends", **changes: Any) -> Cell:
    fields: dict[str, Any] = {"name": name, "target": f"{HERE}:{name}", "kernel": "sdpa", "batch": 3}
    return make_cell(**(fields | changes))


def checked(cell: Cell) -> Check | None:
    subject = build(cell, "cpu")
    output = steps_of(subject, cell.mode).first()
    assert isinstance(output, Tensor)
    return compare(cell, subject, output).check


def compared(cell: Cell) -> Check:
    found = checked(cell)
    assert found is not None
    return found


def refused(cell: Cell) -> tuple[str, Check]:
    with pytest.raises(Mismatch) as caught:
        checked(cell)
    assert isinstance(caught.value.check, Check)
    return str(caught.value), caught.value.check


@pytest.mark.parametrize("mode", ["inference", "forward_backward", "training_step"])
def test_a_cell_that_is_its_own_reference_is_not_compared(mode: str) -> None:
    assert checked(make_cell(mode=mode)) is None


def test_an_honest_fused_kernel_is_within_a_ten_thousandth_in_single_precision() -> None:
    found = compared(planted())
    assert found.reference == "math fp32"
    assert found.error is not None
    assert found.error < 1e-6
    assert (found.tolerance, found.images, found.reason) == (FULL, 2, "")


@pytest.mark.parametrize("dtype", ["fp32", "fp64", *LOW])
@pytest.mark.parametrize("mode", ["inference", "forward_backward", "training_step"])
def test_a_scale_that_is_off_by_a_tenth_is_a_mismatch(dtype: str, mode: str) -> None:
    cell = planted(dtype=dtype, mode=mode)
    assert compared(cell).error is not None
    message, found = refused(replace(cell, config={"scale": 1.1}))
    assert message.startswith(f"sdpa {dtype} differs from math fp32 by 0.0")
    assert found.error is not None
    assert found.tolerance < found.error < 0.1


def wrong_attention(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    return RIGHT_ATTENTION(q * 1.1, k, v, **options)


RIGHT_ATTENTION = F.scaled_dot_product_attention


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("name", ["msa", "hilo", "window", "sra"])
def test_the_papers_mixers_pass_and_fail_with_a_wrong_scale(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make_cell(target=name, kernel="sdpa", dtype=dtype, resolution=(224, 224), batch=1)
    assert compared(cell).error is not None
    monkeypatch.setattr(F, "scaled_dot_product_attention", wrong_attention)
    refused(cell)


@pytest.mark.parametrize("fault", ["nan", "shape"])
def test_what_is_no_number_or_of_another_shape_is_a_mismatch_without_an_error(fault: str) -> None:
    message, found = refused(planted(config={"fault": fault}))
    what = "its output is not finite" if fault == "nan" else "its output is (2, 15, 32), not (2, 16, 32)"
    assert message == f"sdpa fp32 differs from math fp32: {what}"
    assert found.error is None
    assert found.reason == what


def test_images_that_mix_are_a_mismatch() -> None:
    _, found = refused(planted(config={"fault": "mixes images"}))
    assert found.error == pytest.approx(2**0.5, rel=0.2)  # two outputs that have nothing to do with another


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"config": {"fault": "math runs out"}},
            "the reference cannot be run: CUDA out of memory. Tried to allocate 20.00 GiB",
        ),
        ({"config": {"fault": "no rows"}}, "its output, (), is not one row an image"),
        ({"name": "Grows"}, "the reference cannot be run: on the math kernel it has other parameters"),
    ],
)
def test_what_cannot_be_compared_says_why_and_is_no_mismatch(changes: dict[str, Any], reason: str) -> None:
    name = changes.pop("name", "Attends")
    found = compared(planted(name, **changes))
    assert found.error is None
    assert found.reason == reason


def test_what_chooses_by_scores_is_compared_in_single_precision_only() -> None:
    for dtype in LOW:
        found = compared(planted("Routed", dtype=dtype))
        assert found.error is None
        assert "chooses" in found.reason
    assert compared(planted("Routed")).error is not None
    refused(planted("Routed", config={"scale": 1.1}))


def test_the_mixers_that_choose_by_scores_say_so_and_no_others_do() -> None:
    choosing = {name for name in MIXERS if getattr(mixer_class(name), "routes", False)}
    assert choosing == {"biformer_bra", "biformer_bra_nchw", "quadtree"}


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_what_is_drawn_at_random_is_the_same_in_the_reference(dtype: str) -> None:
    """`drawn` is in no state dict; another seed would draw another."""
    cell = planted(dtype=dtype)
    subject = build(cell, "cpu", seed=5)
    output = steps_of(subject, "inference").first()
    assert isinstance(output, Tensor)
    found = compare(cell, subject, output, seed=9).check
    assert found is not None
    assert found.error is not None


def test_batch_norm_in_training_is_compared_over_the_whole_batch() -> None:
    cell = planted("Normed", kernel="math", dtype="bf16", mode="training_step", batch=4)
    found = compared(cell)
    assert found.images == 4
    assert found.error is not None


def test_what_chance_drops_in_training_is_not_comparable_but_is_in_inference() -> None:
    cell = planted("Normed", kernel="math", dtype="bf16", batch=4, config={"drop": 0.5})
    assert compared(cell).error is not None
    found = compared(replace(cell, mode="training_step"))
    assert found.error is None
    assert found.reason.startswith("chance decides in training")


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_another_memory_format_is_compared_too(memory_format: str) -> None:
    cell = make_cell(name="Map", target="tests.planted:Map", memory_format=memory_format)
    found = checked(cell)
    assert (found is None) == (memory_format == "contiguous")


def test_the_reference_runs_without_tf32_whatever_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = reference.step_of

    def noting(subject: Subject, mode: str) -> Any:
        seen.append(torch.get_float32_matmul_precision())
        return real(subject, mode)

    monkeypatch.setattr(reference, "step_of", noting)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        compared(planted())
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == ["highest"] * 2


@pytest.mark.parametrize(("dtype", "unit"), [("fp16", 2**-11), ("autocast_bf16", 2**-8)])
def test_the_tolerance_in_low_precision_is_what_math_loses_and_never_beyond_its_bounds(
    dtype: str, unit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compared(planted(dtype=dtype))
    assert LEAST * unit <= found.tolerance <= MOST * unit
    errors = {0.0: LEAST * unit, 3 * unit: FACTOR * 3 * unit, 1.0: MOST * unit}
    cell = planted(dtype=dtype)
    subject = build(cell, "cpu")
    for honest, tolerance in errors.items():
        monkeypatch.setattr(reference, "relative_error", lambda ours, theirs, honest=honest: honest)
        assert reference._tolerance(cell, subject, subject.tensor, 0) == pytest.approx(tolerance)


def test_the_papers_arithmetic_in_low_precision_has_bounds_of_its_own() -> None:
    cell = planted(kernel="math", dtype="bf16")
    assert compared(cell).tolerance == MOST * 2**-8
    assert compared(replace(cell, mode="training_step")).tolerance == MOST_IN_TRAINING * 2**-8


def test_the_relative_error_is_the_norm_of_the_difference_over_that_of_the_reference() -> None:
    theirs = torch.tensor([3.0, 4.0])
    assert relative_error(torch.tensor([3.0, 4.5]), theirs) == pytest.approx(0.1)
    assert relative_error(torch.zeros(2), torch.zeros(2)) == 0
    assert relative_error(torch.ones(2), torch.zeros(2)) == float("inf")


def _low_precision(name: str) -> list[Cell]:
    config = {"block_size": 7} if name == "halo" else {}
    cell = make_cell(target=name, config=config, resolution=(224, 224), batch=1)
    fused = [kernel for kernel in ("sdpa",) if kernel in mixer_class(name).kernels]
    return [
        replace(cell, kernel=kernel, dtype=dtype)
        for kernel in ("math", *fused)
        for dtype in ("fp32", "bf16", "autocast_fp16")
        if (kernel, dtype) != ("math", "fp32")
    ]


@pytest.mark.parametrize("name", MIXERS)
def test_every_mixer_is_what_it_says_on_every_kernel_and_in_every_precision(name: str) -> None:
    for cell in _low_precision(name):
        try:
            found = compared(cell)
        except Unsupported:
            continue
        routes = getattr(mixer_class(name), "routes", False)
        assert (found.error is None) == (routes and cell.dtype != "fp32"), (cell.kernel, cell.dtype, found)
