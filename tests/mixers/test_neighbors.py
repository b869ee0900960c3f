"""Neighbourhoods as views, against explicit loops over positions and offsets."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchsuite.mixers import _neighbors, _shifts
from benchsuite.mixers._checks import check_odd
from benchsuite.mixers._neighbors import (
    GridEmbedding,
    aggregate,
    correlate,
    neighbors,
    position_wise_conv,
    reflect,
)

GEOMETRY = pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 1, 1), (3, 1, 2), (3, 2, 2), (1, 2, 1)]
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(padded: tuple[int, int], kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    rows, columns = ((side - dilation * (kernel_size - 1) - 1) // stride + 1 for side in padded)
    return rows, columns


@GEOMETRY
def test_neighbors_are_a_view_of_each_window(kernel_size: int, stride: int, dilation: int) -> None:
    x = random(2, 3, 8, 10)
    windows = neighbors(x, kernel_size, stride, dilation)
    assert windows.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    rows, columns = outputs((8, 10), kernel_size, stride, dilation)
    assert windows.shape == (2, 3, kernel_size, kernel_size, rows, columns)
    for i in range(kernel_size):
        for j in range(kernel_size):
            for row in range(rows):
                for column in range(columns):
                    at = x[..., row * stride + i * dilation, column * stride + j * dilation]
                    assert torch.equal(windows[..., i, j, row, column], at)


@GEOMETRY
def test_aggregation_sums_each_window_weighted(kernel_size: int, stride: int, dilation: int) -> None:
    x = random(2, 4, 3, 8, 10)
    rows, columns = outputs((8, 10), kernel_size, stride, dilation)
    weights = random(2, 4, 1, kernel_size**2, rows, columns, seed=1)
    expected = torch.zeros(2, 4, 3, rows, columns, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            for number in range(kernel_size**2):
                i, j = divmod(number, kernel_size)
                value = x[..., row * stride + i * dilation, column * stride + j * dilation]
                expected[..., row, column] += weights[..., number, row, column] * value
    out = aggregate(weights, x, kernel_size, stride=stride, dilation=dilation)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 1)])
def test_correlation_is_the_product_with_each_key_of_the_window(kernel_size: int, stride: int) -> None:
    k = random(2, 4, 3, 8, 10)
    rows, columns = outputs((8, 10), kernel_size, stride, 1)
    q = random(2, 4, 3, rows, columns, seed=1)
    logits = correlate(q, k, kernel_size, stride=stride)
    for row in range(rows):
        for column in range(columns):
            for number in range(kernel_size**2):
                i, j = divmod(number, kernel_size)
                key = k[..., row * stride + i, column * stride + j]
                expected = (q[..., row, column] * key).sum(-1)
                torch.testing.assert_close(logits[:, :, number, row, column], expected)


@GEOMETRY
def test_derivatives_of_both_are_right_and_have_derivatives(
    kernel_size: int, stride: int, dilation: int
) -> None:
    x = random(2, 2, 5, 6).requires_grad_()
    size = outputs((5, 6), kernel_size, stride, dilation)
    for leading in ((2, 2), (1, 2)):
        weights = random(*leading, kernel_size**2, *size, seed=1).requires_grad_()

        def sums(weights: Tensor, x: Tensor) -> Tensor:
            return aggregate(weights, x, kernel_size, stride=stride, dilation=dilation)

        assert torch.autograd.gradcheck(sums, (weights, x))
        assert torch.autograd.gradgradcheck(sums, (weights, x))
    if dilation == 1:
        q = random(2, 2, *size, seed=1).requires_grad_()
        assert torch.autograd.gradgradcheck(lambda q, x: correlate(q, x, kernel_size, stride=stride), (q, x))


@pytest.mark.parametrize("at_once", [0, _shifts.AT_ONCE])
@GEOMETRY
def test_rows_of_windows_give_what_shifts_of_the_map_give(
    kernel_size: int, stride: int, dilation: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GPUs, half precision, compilers and counters take the rows; a CPU otherwise takes the shifts."""
    monkeypatch.setattr(_shifts, "AT_ONCE", at_once)  # by offsets, or a row of the window at once
    x = random(2, 2, 8, 10).requires_grad_()
    size = outputs((8, 10), kernel_size, stride, dilation)
    for leading in ((2, 2), (1, 2)):
        weights = random(*leading, kernel_size**2, *size, seed=1).requires_grad_()
        cotangent = random(2, 2, *size, seed=2)

        def results(weights: Tensor = weights, cotangent: Tensor = cotangent) -> tuple[Tensor, ...]:
            out = aggregate(weights, x, kernel_size, stride=stride, dilation=dilation)
            return out, *torch.autograd.grad(out, (weights, x), cotangent)

        assert _shifts.suit(weights, x)
        by_shifts = results()
        with monkeypatch.context() as patched:
            patched.setattr(_shifts, "suit", lambda one, other: False)
            by_rows = results()
        torch.testing.assert_close(by_shifts, by_rows)


def test_functions_of_torch_func_see_through_shifts() -> None:
    q, keys = random(2, 8, 10), random(3, 2, 10, 12, seed=1)
    each = torch.func.vmap(lambda k: correlate(q, k, 3))(keys)
    torch.testing.assert_close(each, torch.stack([correlate(q, k, 3) for k in keys]))

    def spread(weights: Tensor, g: Tensor) -> Tensor:
        return _shifts.spread(weights, g, 3, 1, 1, (10, 12))

    weights = random(1, 9, 8, 10)
    torch.testing.assert_close(torch.func.functionalize(spread)(weights, q), spread(weights, q))


def test_a_counter_of_operators_sees_the_products_of_the_windows_alone() -> None:
    """A shifted row is longer than the map's, and what stands beyond the map is no part of the formula."""
    x, weights = torch.zeros(1, 2, 8, 10), torch.zeros(1, 2, 9, 6, 8)
    with FlopCounterMode(display=False):
        assert not _shifts.suit(weights, x)
    assert not _shifts.suit(weights.bfloat16(), x.bfloat16())
    assert not _shifts.suit(weights.to("meta"), x.to("meta"))


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_convolution_by_position_equals_the_unfolded_one_with_its_gradients(channels_last: bool) -> None:
    x, weight = random(2, 8, 5, 7), random(2, 4, 9, 5, 7, seed=1)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    x, weight = x.requires_grad_(), weight.requires_grad_()
    columns = F.unfold(x, 3, padding=1).reshape(2, 4, 2, 9, 5, 7)
    unfolded = (columns * weight.reshape(2, 4, 1, 9, 5, 7)).sum(3).reshape(2, 8, 5, 7)
    ours = position_wise_conv(x, weight, 3)
    torch.testing.assert_close(ours, unfolded)
    cotangent = torch.randn_like(ours)
    for a, b in zip(
        torch.autograd.grad(ours, (x, weight), cotangent),
        torch.autograd.grad(unfolded, (x, weight), cotangent),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_a_convolution_by_position_keeps_no_unfolded_copy_for_the_backward_pass() -> None:
    """All that autograd keeps are views of the padded input and of the weights, which are there anyway."""
    x, weight = random(2, 8, 14, 14).requires_grad_(), random(2, 4, 49, 14, 14, seed=1)
    weight.requires_grad_()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        position_wise_conv(x, weight, 7)
    assert sum(kept.values()) <= 8 * (2 * 8 * 20 * 20 + weight.numel())


def test_reflection_leaves_out_the_edge_itself() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    padded = reflect(x, 2)
    rows, columns = [2, 1, 0, 1, 2, 1, 0], [2, 1, 0, 1, 2, 3, 2, 1]
    assert torch.equal(padded, x[rows][:, columns])


def test_reflection_takes_any_number_of_axes() -> None:
    x = random(2, 3, 2, 5, 6)
    torch.testing.assert_close(reflect(x, 2).flatten(0, 1), F.pad(x.flatten(0, 1), (2,) * 4, mode="reflect"))


def test_a_map_that_is_too_small_to_reflect_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a 3 × 7 grid cannot be reflected by 3 tokens$"):
        reflect(torch.zeros(1, 1, 3, 7), 3)


@pytest.mark.parametrize("kernel_size", [0, 2, -1])
def test_a_kernel_without_a_centre_is_refused(kernel_size: int) -> None:
    with pytest.raises(ValueError, match=f"^conv_kernel_size {kernel_size} is not odd and positive$"):
        check_odd("conv_kernel_size", kernel_size)


@pytest.mark.parametrize("size", [(3, 5), (1, 4)])
def test_coordinates_run_from_minus_one_to_one_along_the_width_first(size: tuple[int, int]) -> None:
    embedding = GridEmbedding(2)
    with torch.no_grad():
        embedding.weight.copy_(torch.eye(2).reshape(2, 2, 1, 1))
        embedding.bias.zero_()
    across, down = embedding(torch.zeros(3, 7, *size))[0]
    torch.testing.assert_close(across, torch.linspace(-1, 1, size[1]).expand(size))
    torch.testing.assert_close(down, torch.linspace(-1, 1, size[0])[:, None].expand(size))


def test_coordinates_are_made_once_for_a_size_and_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int]] = []
    original = _neighbors._coordinates

    def counted(height: int, width: int, like: Tensor) -> Tensor:
        made.append((height, width))
        return original(height, width, like)

    monkeypatch.setattr(_neighbors, "_coordinates", counted)
    embedding = GridEmbedding(4)
    for _ in range(3):
        embedding(torch.zeros(2, 8, 4, 6))
    embedding(torch.zeros(2, 8, 6, 4))
    embedding.bfloat16()(torch.zeros(2, 8, 6, 4, dtype=torch.bfloat16))
    assert made == [(4, 6), (6, 4), (6, 4)]
