"""Counts against products worked out by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import benchsuite
from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.op_rules import einsum_count
from benchsuite.measurement.op_table import count_operator, rule_of

_library = torch.library.Library("counted", "FRAGMENT")  # type: ignore[no-untyped-call]


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
        # Products of vectors, whose results have no axes
        (torch.dot, [(5,), (5,)], 5),
        (torch.matmul, [(5,), (5,)], 5),
        (torch.vdot, [(5,), (5,)], 5),
        (torch.matmul, [(5,), (3, 5, 4)], 3 * 5 * 4),
        (torch.mv, [(4, 5), (5,)], 4 * 5),
        (torch.inner, [(3, 4, 5), (6, 5)], 3 * 4 * 6 * 5),
        (lambda a, b: torch.tensordot(a, b, dims=([1, 2], [0, 1])), [(3, 4, 5), (4, 5, 6)], 3 * 4 * 5 * 6),
        (torch.addbmm, [(4, 6), (3, 4, 5), (3, 5, 6)], 3 * 4 * 5 * 6),
        (F.bilinear, [(2, 7, 4), (2, 7, 5), (6, 4, 5)], 2 * 7 * 6 * (4 * 5 + 5)),
        (lambda a, b: torch.linalg.multi_dot([a, b]), [(3, 4), (4, 5)], 3 * 4 * 5),
        (F.cosine_similarity, [(3, 4), (3, 4)], 3 * 4),
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


@pytest.mark.parametrize(
    ("function", "shapes", "macs", "others"),
    [
        (lambda x, w: (x * w).unsqueeze(-1).sum(-2), [(2, 3, 5), (2, 3, 5)], 30, {}),
        (lambda x, w: (x * w).permute(2, 0, 1).reshape(5, 6).sum(0), [(2, 3, 5), (3, 5)], 30, {}),
        (lambda x, w: sum(one.sum(-1) for one in (x * w).chunk(3, 1)), [(2, 3, 5), (3, 5)], 30, {}),
        (lambda x, w: torch.multiply(x, w).contiguous().sum(), [(2, 3, 5), (5,)], 30, {}),
        # Products that are summed twice are multiplied once.
        (lambda x, w: (p := x * w).sum(-1)[..., None] + p.sum(), [(2, 3, 5), (5,)], 30, {"reduction": 30}),
        # Half of them are summed.
        (lambda x, w: (x * w)[:, :1].sum(), [(2, 2, 5), (5,)], 10, {"elementwise": 10}),
        # What is added to them in between makes them no multiply–adds.
        (lambda x, w: ((x * w) + 1).sum(), [(2, 3, 5), (5,)], 0, {"elementwise": 60, "reduction": 30}),
        (lambda x, w: (2 * x).sum(), [(2, 3, 5), (5,)], 0, {"elementwise": 30, "reduction": 30}),
    ],
)
@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_products_may_be_separated_from_their_sum_by_views(
    function: object, shapes: list[tuple[int, ...]], macs: int, others: dict[str, int], device: str
) -> None:
    cost = count_cost(Formula(function), tuple(torch.zeros(shape, device=device) for shape in shapes))
    assert (cost.macs, cost.cross_check_macs) == (macs, macs)
    assert {kind: cost.other_ops.get(kind, 0) for kind in others} == others
    assert cost.other_ops.get("elementwise", 0) >= 0


def test_what_a_rule_cannot_read_is_listed_as_uncounted_and_stops_nothing() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.mish(x @ x.mT)

    def breaks(inputs: object, outputs: object) -> int:
        raise KeyError("planted")

    before = rule_of("aten::mish")
    assert before is not None
    count_operator("aten::mish", breaks)
    try:
        cost = count_cost(Broken(), (torch.empty(3, 4),))
    finally:
        count_operator("aten::mish", before)
    assert (cost.macs, dict(cost.uncounted)) == (3 * 4 * 3, {"aten::mish": 1})


def test_an_operator_of_ones_own_is_counted_by_its_own_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.library.define("counted::mm", "(Tensor x, Tensor w) -> Tensor", lib=_library)
    torch.library.impl("counted::mm", "CompositeExplicitAutograd", torch.matmul, lib=_library)
    shapes = (3, 4), (4, 5)
    function = torch.ops.counted.mm
    unknown = count_cost(Formula(function), tuple(torch.empty(shape, device="meta") for shape in shapes))
    assert dict(unknown.uncounted) == {"counted::mm": 1}
    count_operator("counted::mm", lambda inputs, outputs: inputs[0].shape[-1] * outputs[0].elements)
    assert macs_of(function, *shapes) == 3 * 4 * 5
    count_operator("counted::mm", lambda inputs, outputs: {"macs.mine": 7, "lookups": 2})
    assert macs_of(function, *shapes) == 7


def test_a_rule_is_for_an_operator_with_its_namespace() -> None:
    with pytest.raises(ValueError, match="operator 'mm': write it as \"namespace::operator\""):
        benchsuite.count_operator("mm", lambda inputs, outputs: 0)


def test_both_counters_say_what_they_found_and_only_exact_ones_are_held_together() -> None:
    exact = count_cost(nn.Linear(5, 6), (torch.empty(1, 5),))
    assert exact.cross_check_macs == exact.macs == 30
    open_ended = count_cost(Formula(torch.cdist), (torch.empty(4, 3), torch.empty(5, 3)))
    assert open_ended.cross_check_macs is None


@pytest.mark.parametrize(
    "made", [lambda a, b: (a, b), lambda a, b: {"out": a, "aux": b}, lambda a, b: [None, {"deep": (a, b)}]]
)
def test_multiply_adds_of_every_output_count(made: Callable[[Tensor, Tensor], object]) -> None:
    both = Formula(lambda x, w: made(x + 1, x @ w))
    cost = count_cost(both, (torch.zeros(3, 4, device="meta"), torch.zeros(4, 5, device="meta")))
    assert (cost.macs, cost.cross_check_macs) == (3 * 4 * 5, 3 * 4 * 5)
    assert "traced graph" in cost.counter


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
    assert seen == [2, 6, 6, 2, 6, 12] * 2  # by two counters
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


def test_parameters_are_all_of_them_and_those_that_learn_are_a_second_number() -> None:
    layer = nn.Linear(5, 6)
    layer.bias.requires_grad_(False)
    cost = count_cost(layer, (torch.empty(1, 5),))
    assert (cost.params, cost.trainable_params) == (36, 30)


def test_flops_are_twice_the_macs() -> None:
    cost = count_cost(nn.Linear(5, 6), (torch.empty(1, 5),))
    assert (cost.macs, cost.flops) == (30, 60)


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(
    ("weight", "options", "dense"),
    [
        ((6, 4, 3, 3), {"padding": 1}, 10 * 10 * 6 * 4 * 9),
        ((6, 4, 3, 3), {}, 8 * 8 * 6 * 4 * 9),
        ((6, 4, 3, 3), {"padding": 1, "stride": 2}, 0),
        ((6, 2, 3, 3), {"padding": 1, "groups": 2}, 0),
        ((4, 1, 3, 3), {"padding": 1, "groups": 4}, 0),
        ((6, 4, 1, 1), {}, 0),
        ((6, 4, 5, 5), {"padding": 2}, 0),
    ],
)
def test_multiply_adds_of_dense_3_x_3_convolutions_of_unit_stride_are_told_apart(
    weight: tuple[int, ...], options: dict[str, int], dense: int, device: str
) -> None:
    module = Formula(lambda x, w: F.conv2d(x, w, **options))  # type: ignore[arg-type]
    found = count_cost(module, (torch.zeros(1, 4, 10, 10, device=device), torch.zeros(weight, device=device)))
    assert found.dense_3x3_macs == dense
    assert found.macs >= dense
    assert (found.macs == dense) == (dense > 0)


def test_a_transposed_convolution_is_none_of_them() -> None:
    module = Formula(lambda x, w: F.conv_transpose2d(x, w, padding=1))
    found = count_cost(module, (torch.zeros(1, 4, 10, 10), torch.zeros(4, 4, 3, 3)))
    assert (found.dense_3x3_macs, found.macs) == (0, 10 * 10 * 4 * 4 * 9)
