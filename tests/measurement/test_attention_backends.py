"""Which backend attention ran on, as seen from the operators of a real step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.measurement.operator_profile import attention_backends
from benchsuite.mixers import MIXERS
from benchsuite.mixers._attention import attend
from benchsuite.results.record import Mode
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.build import build, mixer_class
from benchsuite.worker.passes import inspect
from benchsuite.worker.steps import steps_of
from tests.builders import make_cell

FUSED = [name for name in MIXERS if "sdpa" in getattr(mixer_class(name), "kernels", ())]
LEARNED_BIAS = {
    *("window", "relpos_msa", "acmix_swin", "nat", "halo", "focal", "dat", "swinv2_window_attention"),
    *("maxvit_block_attention", "maxvit_grid_attention", "coatnet_attention"),
}
"""Mixers whose bias wants a gradient, which no fused kernel of a CPU has."""
UNEQUAL = {"cascaded_group"}
"""Mixers whose values are wider than their keys, which no fused kernel of a CPU takes."""


def backends(name: str, mode: Mode, **params: Any) -> tuple[str, ...]:
    """On 14 × 14 tokens of 32 channels."""
    config = params | ({"block_size": 7} if name == "halo" else {})
    cell = make_cell(target=name, resolution=(224, 224), batch=1, kernel="sdpa", mode=mode, config=config)
    return attention_backends(steps_of(build(cell, "cpu"), mode).whole)


def qkv() -> Tensor:
    return torch.randn(3, 1, 2, 8, 16)


@pytest.mark.parametrize(
    ("attention", "seen"),
    [
        (lambda q, k, v: attend(q, k, v, kernel="sdpa"), ("flash",)),
        (lambda q, k, v: attend(*(t.mT.contiguous().mT for t in (q, k, v)), kernel="sdpa"), ("flash",)),
        (lambda q, k, v: F.scaled_dot_product_attention(q.mT.contiguous().mT, k, v), ("math",)),
        (lambda q, k, v: attend(q, k, v, kernel="sdpa", dropout=0.5), ("math",)),
        (
            lambda q, k, v: attend(q, k, v, kernel="sdpa") + attend(q, k, v[..., :8], kernel="sdpa").sum(),
            ("flash", "math"),
        ),
        (lambda q, k, v: attend(q, k, v, kernel="math"), ()),
    ],
)
def test_the_backend_that_ran_is_told_and_not_the_kernel_that_was_asked_for(
    attention: Callable[..., Tensor], seen: tuple[str, ...]
) -> None:
    q, k, v = qkv()
    assert attention_backends(lambda: attention(q, k, v)) == seen


@pytest.mark.parametrize("kernel", ["math", "sdpa"])
def test_attention_is_the_same_however_its_channels_lie_in_memory(kernel: str) -> None:
    q, k, v = qkv()
    apart = (t.mT.contiguous().mT for t in (q, k, v))
    torch.testing.assert_close(attend(*apart, kernel=kernel), attend(q, k, v, kernel=kernel))


@pytest.mark.parametrize("name", FUSED)
def test_on_a_cpu_every_mixer_reaches_the_fused_kernel_unless_its_values_are_wider(name: str) -> None:
    assert backends(name, "inference") == (("math",) if name in UNEQUAL else ("flash",))


def test_acmix_of_stride_2_reaches_the_fused_kernel() -> None:
    assert backends("acmix", "inference", stride=2) == ("flash",)


@pytest.mark.parametrize("name", FUSED)
def test_back_and_forth_a_bias_that_learns_is_recorded_as_math(name: str) -> None:
    assert backends(name, "forward_backward") == (("math",) if name in LEARNED_BIAS | UNEQUAL else ("flash",))


@pytest.mark.parametrize(("kernel", "seen"), [("math", ()), ("sdpa", ("flash",))])
def test_a_cell_is_inspected_for_it_once(kernel: Any, seen: tuple[str, ...]) -> None:
    found = inspect(make_cell(kernel=kernel), Measure(metrics=("memory",)))
    assert found.attention_backend == seen
