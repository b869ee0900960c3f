"""Counts of products against torch's own counter over random equations and shapes, and by hand where it has
none: torch counts matrix products, so what is only elementwise, and a product of two vectors, is 0 there."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.op_rules import einsum_count

Shape = tuple[int, ...]


class Product(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        return self.function(*factors)  # type: ignore[no-any-return]


def by_torch(function: Any, shapes: list[Shape]) -> int:
    """Multiply–adds of the matrix products that torch runs."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function(*(torch.zeros(shape, device="meta") for shape in shapes))
    return int(counter.get_total_flops()) // 2


@st.composite
def einsums(draw: st.DrawFn) -> tuple[str, list[Shape]]:
    """An equation and its shapes: sizes of 1 that are broadcast, repeated labels, ellipses of unlike length,
    implicit outputs, factors without axes."""
    sizes = {label: draw(st.integers(1, 4), label) for label in "abcd"}
    hidden = [draw(st.integers(1, 3)) for _ in range(2)]
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        labels = draw(st.lists(st.sampled_from("abcd"), max_size=4))
        one = {label: 1 if draw(st.booleans()) and draw(st.booleans()) else sizes[label] for label in labels}
        dots = draw(st.integers(0, 2)) if draw(st.booleans()) else None
        at = draw(st.integers(0, len(labels)))
        middle = [size if draw(st.booleans()) else 1 for size in hidden[2 - dots :]] if dots else []
        terms.append("".join(labels[:at]) + ("" if dots is None else "...") + "".join(labels[at:]))
        shapes.append((*(one[x] for x in labels[:at]), *middle, *(one[x] for x in labels[at:])))
    equation = ",".join(terms)
    if draw(st.booleans()):
        there = sorted(set(equation) & set("abcd"))
        output = draw(st.lists(st.sampled_from(there), unique=True)) if there else []
        equation += "->" + ("..." if "..." in equation and draw(st.booleans()) else "") + "".join(output)
    return equation, shapes


@settings(max_examples=400, deadline=None, derandomize=True)
@given(einsums())
def test_an_einsum_costs_the_matrix_products_that_torch_makes_of_it(case: tuple[str, list[Shape]]) -> None:
    equation, shapes = case

    def function(*factors: torch.Tensor) -> torch.Tensor:
        return torch.einsum(equation, *factors)

    try:
        right = by_torch(function, shapes)
    except RuntimeError:  # an equation that torch refuses
        assume(False)
    assert einsum_count(equation, shapes).get("macs.matmul", 0) == right
    cost = count_cost(Product(function), tuple(torch.zeros(shape, device="meta") for shape in shapes))
    assert (cost.macs, cost.cross_check_macs, dict(cost.uncounted)) == (right, right, {})


@st.composite
def matmuls(draw: st.DrawFn) -> list[Shape]:
    n, k, m = (draw(st.integers(1, 4)) for _ in range(3))
    batch = draw(st.lists(st.integers(1, 3), max_size=3))
    sides = [
        tuple(size if draw(st.booleans()) else 1 for size in batch[draw(st.integers(0, len(batch))) :])
        for _ in range(2)
    ]
    left = (k,) if draw(st.booleans()) and not sides[0] else (*sides[0], n, k)
    right = (k,) if draw(st.booleans()) and not sides[1] else (*sides[1], k, m)
    return [left, right]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(matmuls())
def test_a_matmul_costs_what_torch_says_and_by_hand_where_it_says_nothing(shapes: list[Shape]) -> None:
    cost = count_cost(Product(torch.matmul), tuple(torch.zeros(shape, device="meta") for shape in shapes))
    out = torch.matmul(*(torch.zeros(shape) for shape in shapes)).shape
    assert cost.macs == cost.cross_check_macs == math.prod(out) * shapes[0][-1]
    if all(len(shape) > 1 for shape in shapes):  # torch has no count of a vector's products
        assert cost.macs == by_torch(torch.matmul, shapes)


@pytest.mark.parametrize(
    ("equation", "shapes", "counts"),
    [
        ("bnd,de", [(2, 3, 4), (4, 5)], {"macs.matmul": 2 * 3 * 4 * 5}),
        ("...nd,...md->...nm", [(2, 7, 3, 4), (7, 5, 4)], {"macs.matmul": 2 * 7 * 3 * 5 * 4}),
        ("bhnd,bhmd->bhnm", [(2, 4, 3, 8), (2, 1, 5, 8)], {"macs.matmul": 2 * 4 * 3 * 5 * 8}),
        ("bhnd,bhmd->bhnm", [(2, 1, 3, 8), (2, 4, 5, 8)], {"macs.matmul": 2 * 4 * 3 * 5 * 8}),
        # c is only in the first: 2·3·6 elements are summed, then 2·3·4 multiplied and added
        ("abc,bd->ad", [(2, 3, 6), (3, 4)], {"reduction": 36, "macs.matmul": 24}),
        ("a,a->", [(5,), (5,)], {"macs.matmul": 5}),
        ("aab,b->a", [(3, 3, 4), (4,)], {"macs.matmul": 12}),  # of the diagonal
        ("ab->a", [(3, 4)], {"reduction": 12}),
        ("ab->ba", [(3, 4)], {}),
        ("nd,md->nm", [(3, 1), (4, 1)], {"elementwise": 12}),  # nothing to sum
        (",a->a", [(), (4,)], {"elementwise": 4}),
    ],
)
def test_einsums_by_hand(equation: str, shapes: list[Shape], counts: dict[str, int]) -> None:
    assert dict(einsum_count(equation, shapes)) == counts


def test_a_path_says_which_pair_is_contracted_first() -> None:
    """ab,bc,cd: the last two first are 3·4·5, then ab,bd is 2·3·5."""
    shapes = [(2, 3), (3, 4), (4, 5)]
    assert einsum_count("ab,bc,cd->ad", shapes, path=[1, 2, 0, 1]) == {"macs.matmul": 60 + 30}


def test_an_equation_that_does_not_fit_its_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        einsum_count("ab,bc->ac", [(2, 3), (4, 5)])
