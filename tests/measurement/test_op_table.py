""" "≥" stands only where multiply–adds may be missing: operators that hold none, and some that do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.op_rules import RULES
from benchsuite.measurement.op_table import FREE, rule_of

Function = Callable[[Tensor], Tensor]


class Applied(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


HARMLESS: list[tuple[Function, dict[str, int]]] = [
    (lambda x: F.rms_norm(x, (8,)), {"norm": 4 * 64}),
    (F.glu, {"elementwise": 32}),
    (lambda x: F.prelu(x, torch.ones(1, device=x.device)), {"elementwise": 64}),
    (F.mish, {"elementwise": 64}),
    (lambda x: F.mish(x, inplace=True), {"elementwise": 64}),
    (F.selu, {"elementwise": 64}),
    (F.celu, {"elementwise": 64}),
    (F.logsigmoid, {"elementwise": 64}),
    (F.hardshrink, {"elementwise": 64}),
    (F.tanhshrink, {"elementwise": 128}),
    (lambda x: torch.std_mean(x, -1)[0], {"reduction": 64}),
    (lambda x: torch.var_mean(x, -1)[0], {"reduction": 64}),
    (lambda x: torch.aminmax(x, dim=-1)[0], {"reduction": 64}),
    (lambda x: x.isfinite().all(), {"elementwise": 64, "reduction": 64}),
    (lambda x: x.median(-1)[0], {"reduction": 64}),
    (lambda x: x.logcumsumexp(-1), {"elementwise": 64}),
    (lambda x: x.cumprod(-1), {"elementwise": 64}),
    (lambda x: x.lerp(x, 0.5), {"elementwise": 64}),
    (lambda x: torch.atan2(x, x), {"elementwise": 64}),
    (lambda x: x.expm1().log1p().erfc(), {"elementwise": 3 * 64}),
    (lambda x: torch.logaddexp(x, x), {"elementwise": 64}),
    (lambda x: torch.arccosh(x).absolute(), {"elementwise": 2 * 64}),
    (lambda x: torch.outer(x.flatten(), x.flatten()), {"elementwise": 64 * 64}),
    (lambda x: F.embedding(torch.arange(8, device=x.device), x.view(8, 8)), {}),
    (lambda x: x[..., torch.tensor([0, 1], device=x.device)], {}),
    (lambda x: torch.linspace(0, 1, 8, device=x.device).expand(8, 8), {}),
    (lambda x: torch.logspace(0, 1, 8, device=x.device).expand(8, 8), {}),
    (lambda x: torch.hann_window(8, device=x.device).expand(8, 8), {}),
    (torch.rand_like, {}),
    (lambda x: torch.ones_like(x, dtype=torch.bool), {}),
    (lambda x: F.pad(x, (1, 1), mode="reflect"), {}),
    (lambda x: F.pad(x, (1, 1), mode="circular"), {}),
    (lambda x: F.channel_shuffle(x.view(1, 8, 2, 4), 2), {}),
    (lambda x: torch.block_diag(x[0], x[0]), {}),
    (lambda x: torch.hstack([x, x]), {}),
    (torch.diag_embed, {}),
    (lambda x: x.index_add(0, torch.zeros(2, dtype=torch.long, device=x.device), x), {"elementwise": 64}),
    (lambda x: x.scatter_add(1, torch.zeros(2, 4, 8, dtype=torch.long, device=x.device), x), {}),
    (lambda x: F.max_pool1d(x, 2), {"pooling": 64}),
    (lambda x: F.avg_pool3d(x.view(1, 1, 2, 4, 8), 2), {"pooling": 64}),
    (lambda x: F.adaptive_max_pool1d(x, 2), {"pooling": 64}),
    (lambda x: F.interpolate(x, scale_factor=2, mode="linear"), {"elementwise": 2 * 128}),
    (lambda x: F.interpolate(x[None], scale_factor=2, mode="bicubic"), {"elementwise": 16 * 256}),
    (lambda x: torch.bucketize(x, torch.ones(3, device=x.device)), {}),
    (lambda x: x.int().bitwise_and(1), {"elementwise": 64}),
    (torch.trunc, {"elementwise": 64}),
    (lambda x: F.alpha_dropout(x, 0.5, training=False), {}),
    (lambda x: x.unsafe_chunk(2)[0], {}),
]


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(("function", "others"), HARMLESS)
def test_what_holds_no_multiply_adds_makes_no_lower_bound(
    function: Function, others: dict[str, int], device: str
) -> None:
    cost = count_cost(Applied(function), (torch.ones(2, 4, 8, device=device),))
    assert (cost.macs, dict(cost.uncounted), cost.cross_check_macs) == (0, {}, 0)
    for kind, number in others.items():
        assert cost.other_ops[kind] == number


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: torch.fft.rfft(x).real, {"aten::fft_rfft"}),
        (lambda x: torch.cdist(x, x), {"aten::cdist"}),
        (lambda x: torch.linalg.inv(x @ x.mT), {"aten::linalg_inv"}),
        (lambda x: torch.linalg.svd(x)[1], {"aten::linalg_svd"}),
        (lambda x: torch.matrix_exp(x @ x.mT), {"aten::linalg_matrix_exp"}),
    ],
)
def test_what_holds_some_that_no_rule_knows_is_named(function: Function, names: set[str]) -> None:
    cost = count_cost(Applied(function), (torch.rand(2, 4, 8),))
    assert set(cost.uncounted) == names


def test_an_operator_in_place_costs_what_it_costs_out_of_place() -> None:
    assert rule_of("aten::add_") is rule_of("aten::add")
    assert rule_of("aten::relu_") is rule_of("aten::relu")
    assert rule_of("aten::__and__") is not None


def test_no_operator_is_both_free_and_counted() -> None:
    assert not FREE & set(RULES)


def test_nobody_knows_what_an_operator_of_unknown_name_costs() -> None:
    assert rule_of("nobody::knows") is None
