"""Memory that a plan estimates, against what the step takes on a CPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from benchsuite.measurement.memory import measure_memory
from benchsuite.results.record import Cell, Cost, Failure
from benchsuite.runner.estimate import estimate
from benchsuite.runner.prepare import Prepared
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.build import build
from benchsuite.worker.cost import peak_bytes_of
from benchsuite.worker.steps import steps_of
from benchsuite.worker.worker_reply import Plan, WorkerReply
from tests.builders import make_cell


def estimated(cell: Cell) -> int:
    return peak_bytes_of(cell, build(cell, "meta"))


def taken(cell: Cell) -> int:
    subject = build(cell, "cpu")
    steps = steps_of(subject, cell.mode)
    memory = measure_memory(
        steps.whole,
        subject.module,
        subject.tensor,
        optimizer=steps.optimizer,
        backward=cell.mode != "inference",
    )
    return memory.peak_allocated_bytes


@pytest.mark.parametrize("mode", ["inference", "forward_backward", "training_step"])
@pytest.mark.parametrize(
    ("name", "kernel"),
    [(name, kernel) for name in ("msa", "hilo", "sra", "window") for kernel in ("math", "sdpa")]
    + [(name, "math") for name in ("performer", "xca", "token_mlp", "focalnet_modulation")],
)
def test_the_estimate_is_what_a_step_takes(name: str, kernel: str, mode: str) -> None:
    """Within a tenth: a fused kernel has scratch space, and a convolution a copy of its weights."""
    cell = make_cell(target=name, kernel=kernel, mode=mode, resolution=(224, 224), dim=32, batch=4)
    assert estimated(cell) == pytest.approx(taken(cell), rel=0.1)


@pytest.mark.parametrize("mode", ["inference", "training_step"])
@pytest.mark.parametrize("dtype", ["bf16", "autocast_bf16"])
def test_in_16_bits_a_quarter_of_what_a_step_takes_may_be_copies_of_the_library(
    dtype: str, mode: str
) -> None:
    cell = make_cell(target="msa", mode=mode, resolution=(224, 224), dim=64, batch=4, dtype=dtype)
    assert estimated(cell) == pytest.approx(taken(cell), rel=0.25)


def test_a_training_step_is_estimated_to_take_more_than_a_forward_pass() -> None:
    cells = [make_cell(mode=mode) for mode in ("inference", "forward_backward", "training_step")]
    inference, back, trained = (estimated(cell) for cell in cells)
    weights = sum(one.nbytes for one in build(cells[0], "meta").module.parameters())
    assert inference < back
    assert trained >= back + 2 * weights  # the optimizer's moments, which are there before the gradients


class NoWayBack(nn.Module):
    """Its backward pass is not to be had on "meta"."""

    layout: ClassVar[str] = "BNC"

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = _Blocked.apply(self.linear(x))
        return out


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        if grad.is_meta:
            raise NotImplementedError("not on meta")
        return grad


def test_a_step_that_meta_cannot_run_is_estimated_by_its_forward_pass() -> None:
    target = f"{__name__}:NoWayBack"
    trained = estimated(make_cell(target=target, mode="training_step"))
    assert trained == estimated(make_cell(target=target, mode="inference"))
    assert trained > 0


def test_an_operator_that_meta_lacks_in_16_bits_is_estimated_in_32() -> None:
    """A Fourier mixer takes complex numbers of bf16, of which there are none."""
    plain, cast = (estimated(make_cell(target="afno", dtype=dtype)) for dtype in ("fp32", "autocast_bf16"))
    assert plain == cast


GIB = 1 << 30


def reasons(plan: WorkerReply[Plan], memory_limit: int | None = None, device: str = "cpu") -> tuple[Any, ...]:
    """What a dry run says of one cell: MACs, bytes, and why there will be no numbers."""
    scenario: Any = SimpleNamespace(measure=Measure(memory_limit=memory_limit))
    prepared = Prepared(scenario, {}, (make_cell(device=device),), (), (plan,), {})
    executor: Any = SimpleNamespace(matmul_rate=lambda device: 1e9)
    (found,) = estimate(prepared, executor)
    return found.macs, found.memory_bytes, found.reason


def test_a_dry_run_says_what_does_not_fit_the_memory_limit_and_by_how_much() -> None:
    plan = WorkerReply(value=Plan(cost=Cost(params=1, macs=1000), memory_bytes=3 * GIB))
    said = "will not fit: needs about 3 GiB, memory_limit is 2 GiB"
    assert reasons(plan, 2 * GIB) == (None, 3 * GIB, said)
    assert reasons(plan, 4 * GIB) == (1000, 3 * GIB, None)
    assert reasons(plan) == (1000, 3 * GIB, None)
    assert reasons(plan, 2 * GIB, "cuda:0") == (1000, 3 * GIB, None)  # the limit is the host's


def test_a_dry_run_says_what_does_not_fit_the_device() -> None:
    message = "will not fit: needs about 3 GiB, there is 2 GiB; not tried"
    refusal = Failure(stage="build", kind="TooLarge", message=message)
    plan = WorkerReply(Plan(cost=Cost(params=1, macs=1000), memory_bytes=3 * GIB), "oom", refusal)
    assert reasons(plan) == (None, 3 * GIB, "will not fit: needs about 3 GiB, there is 2 GiB")


def test_a_dry_run_says_what_could_not_be_counted_or_estimated_of_a_cell_that_is_measured() -> None:
    plan = WorkerReply(Plan(cost=None, memory_bytes=None, not_counted="a", not_estimated="b"))
    assert reasons(plan, 2 * GIB) == (None, None, "not counted: a; memory not estimated: b")
    cost = Cost(params=1, macs=1000)
    assert reasons(WorkerReply(Plan(cost=cost, memory_bytes=None, not_estimated="b"))) == (
        1000,
        None,
        "memory not estimated: b",
    )
