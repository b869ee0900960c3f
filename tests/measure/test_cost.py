"""Counts against products worked out by hand."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.measure.cost import count_cost
from benchsuite.measure.op_counts import einsum_count


class Formula(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)  # type: ignore[operator]


def macs_of(function: object, *shapes: tuple[int, ...], device: str = "meta") -> int:
    return count_cost(Formula(function), tuple(torch.zeros(shape, device=device) for shape in shapes)).macs


@pytest.mark.parametrize(
    ("function", "shapes", "macs"),
    [
        (torch.matmul, [(3, 4, 5), (5, 6)], 3 * 4 * 5 * 6),
        (torch.matmul, [(4, 5), (3, 5, 6)], 3 * 4 * 5 * 6),  # the second factor brings the batch
        (torch.matmul, [(2, 1, 4, 5), (3, 5, 6)], 2 * 3 * 4 * 5 * 6),
        (torch.matmul, [(4, 5), (5,)], 4 * 5),
        (torch.bmm, [(3, 4, 5), (3, 5, 6)], 3 * 4 * 5 * 6),
        (torch.mm, [(4, 5), (5, 6)], 4 * 5 * 6),
        (torch.addmm, [(4, 6), (4, 5), (5, 6)], 4 * 5 * 6),
        (torch.baddbmm, [(3, 4, 6), (3, 4, 5), (3, 5, 6)], 3 * 4 * 5 * 6),
        (F.linear, [(2, 7, 5), (6, 5)], 2 * 7 * 5 * 6),
        (lambda x, w: F.conv2d(x, w, padding=1), [(2, 8, 9, 10), (16, 8, 3, 3)], 2 * 16 * 8 * 9 * 90),
        (lambda x, w: F.conv2d(x, w, groups=8), [(1, 8, 9, 9), (8, 1, 3, 3)], 8 * 9 * 49),
        (lambda x, w: F.conv2d(x, w, stride=2), [(1, 4, 8, 8), (6, 4, 2, 2)], 6 * 4 * 4 * 16),
        (lambda x, w: F.conv2d(x, w, padding="same"), [(1, 4, 8, 8), (6, 4, 3, 3)], 6 * 4 * 9 * 64),
        (lambda x, w: F.conv2d(x, w, padding=1), [(8, 9, 10), (16, 8, 3, 3)], 16 * 8 * 9 * 90),  # one image
        (F.conv1d, [(2, 8, 9), (16, 8, 3)], 2 * 16 * 8 * 3 * 7),
        (lambda x, w: F.conv_transpose2d(x, w, stride=2), [(1, 4, 5, 5), (4, 6, 2, 2)], 4 * 6 * 4 * 25),
        (lambda q, k: torch.einsum("bnd,bmd->bnm", q, k), [(2, 3, 5), (2, 4, 5)], 2 * 3 * 4 * 5),
        (lambda x, w: (x * w).sum(-1), [(2, 3, 5), (2, 3, 5)], 2 * 3 * 5),  # multiply–adds in disguise
    ],
)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_multiply_adds_are_counted_once_each(
    function: object, shapes: list[tuple[int, ...]], macs: int, device: str
) -> None:
    assert macs_of(function, *shapes, device=device) == macs


def test_fused_attention_costs_what_its_two_products_cost() -> None:
    """Of q (2, 3 heads, 4 queries, 5), keys 6, values 7 wide; fvcore alone counts zero."""
    assert macs_of(
        F.scaled_dot_product_attention, (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 7)
    ) == 2 * 3 * 4 * 6 * (5 + 7)


def test_multihead_attention_of_torch_is_counted_in_spite_of_its_fast_path() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(768, 12, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.attention(x, x, x, need_weights=False)[0]
            return out

    with torch.device("meta"):
        cost = count_cost(Layer(), (torch.empty(1, 196, 768),))
    assert cost.macs == 521_428_992
    assert torch.backends.mha.get_fastpath_enabled()


def test_three_factors_are_contracted_from_the_left() -> None:
    """ab,bc → ac is 2·3·4, then ac,cd → ad is 2·4·5."""
    assert einsum_count("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]) == {"macs.matmul": 2 * 3 * 4 + 2 * 4 * 5}


def test_an_einsum_without_a_sum_is_elementwise() -> None:
    assert einsum_count("ab,b->ab", [(2, 3), (3,)]) == {"elementwise": 6}


@pytest.mark.parametrize("equation", ["ab,bc", "...b,bc->...c"])
def test_an_einsum_that_cannot_be_read_off_is_refused(equation: str) -> None:
    with pytest.raises(ValueError, match="write the output and no ellipsis"):
        einsum_count(equation, [(2, 3), (3, 4)])


def test_norms_softmax_and_elementwise_work_stand_apart_from_macs() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)

        def forward(self, x: Tensor) -> Tensor:
            return F.gelu(self.norm(x)).softmax(-1)

    cost = count_cost(Layer(), (torch.empty(1, 4, 8),))
    assert cost.macs == 0
    assert cost.other_ops == {"elementwise": 32, "norm": 5 * 32, "softmax": 32}
    assert cost.complete


def test_an_operator_without_a_rule_makes_the_count_a_lower_bound_and_is_named() -> None:
    cost = count_cost(Formula(torch.cdist), (torch.empty(4, 3), torch.empty(5, 3)))
    assert not cost.complete
    assert list(cost.uncounted) == ["aten::cdist"]


def test_moves_and_views_are_free_and_not_listed() -> None:
    def shuffle(x: Tensor) -> Tensor:
        return (
            torch.roll(F.pad(x, (0, 1)).flip(0), 1, 0).unsqueeze(0).repeat(2, 1, 1).transpose(0, 1).flatten(1)
        )

    cost = count_cost(Formula(shuffle), (torch.empty(4, 3),))
    assert (cost.macs, dict(cost.uncounted), dict(cost.other_ops)) == (0, {}, {})


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_arithmetic_of_sizes_is_no_work(device: str) -> None:
    def halved(x: Tensor) -> Tensor:
        return x.reshape(x.shape[0] * x.size(1) // 2, -1) * (x.numel() % 7) * x.shape[-1] ** -0.5

    cost = count_cost(Formula(halved), (torch.zeros(2, 6, 5, device=device),))
    assert cost.other_ops == {"elementwise": 2 * 60}
    assert cost.complete


def test_sizes_are_numbers_while_a_module_on_meta_is_counted() -> None:
    seen: list[object] = []

    def look(x: Tensor) -> Tensor:
        seen.extend((*x.shape, x.size(1), *x.size(), x.numel()))
        return x + 1

    count_cost(Formula(look), (torch.zeros(2, 6, device="meta"),))
    assert seen == [2, 6, 6, 2, 6, 12]
    assert {type(value) for value in seen} == {int}


def test_a_module_called_twice_costs_twice_and_its_weights_are_counted_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.again = nn.Linear(5, 5)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.again(self.first(x))
            return out

    with torch.device("meta"):
        module = Twice()
        cost = count_cost(module, (torch.empty(3, 5),))
    assert (cost.macs, cost.params) == (2 * 3 * 25, 30)
    assert list(module.state_dict()) == ["first.weight", "first.bias", "again.weight", "again.bias"]


def test_recurrent_cells_are_counted_by_their_products() -> None:
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(16, 8)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.cell(x)
            return out

    with torch.device("meta"):
        cost = count_cost(Cell(), (torch.empty(20, 16),))
    assert cost.macs == 20 * 3 * 8 * (16 + 8)


def test_counts_are_per_image() -> None:
    layer = nn.Linear(5, 6, device="meta")
    assert count_cost(layer, (torch.empty(4, 7, 5, device="meta"),), images=4).macs == 7 * 5 * 6


def test_counting_leaves_the_mode_of_the_module_as_it_was() -> None:
    layer = nn.Linear(5, 6).train()
    count_cost(layer, (torch.empty(1, 5),))
    assert layer.training


def test_counting_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count_cost(nn.Linear(5, 6, device="meta"), (torch.empty(1, 5, device="meta"),))


def test_parameters_are_those_that_learn() -> None:
    layer = nn.Linear(5, 6)
    layer.bias.requires_grad_(False)
    assert count_cost(layer, (torch.empty(1, 5),)).params == 30


def test_flops_are_twice_the_macs() -> None:
    cost = count_cost(nn.Linear(5, 6), (torch.empty(1, 5),))
    assert (cost.macs, cost.flops) == (30, 60)
