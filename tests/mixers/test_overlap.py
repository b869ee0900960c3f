"""Cutting a map into overlapping windows, and summing windows back onto it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.volo import cut, lay

HEADS, DIM = 2, 6

SIZES = pytest.mark.parametrize(
    ("kernel_size", "stride", "size"),
    [(3, 1, (5, 6)), (3, 2, (7, 9)), (3, 2, (8, 6)), (2, 2, (4, 6)), (2, 3, (8, 5)), (1, 1, (3, 2))],
)
"""Windows that overlap, that leave rows and columns over, that touch, and that leave gaps."""


def random_map(size: tuple[int, int]) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, *size, DIM, dtype=torch.float64)


@SIZES
def test_windows_are_those_of_unfold(kernel_size: int, stride: int, size: tuple[int, int]) -> None:
    x = random_map(size)
    windows = cut(x, HEADS, kernel_size, stride)
    columns = windows.permute(0, 3, 6, 4, 5, 1, 2).reshape(2, DIM * kernel_size**2, -1)
    assert torch.equal(columns, F.unfold(x.permute(0, 3, 1, 2), kernel_size, stride=stride))


@SIZES
def test_laying_windows_is_fold(kernel_size: int, stride: int, size: tuple[int, int]) -> None:
    x = random_map(size)
    windows = torch.randn_like(cut(x, HEADS, kernel_size, stride))
    columns = windows.permute(0, 3, 6, 4, 5, 1, 2).reshape(2, DIM * kernel_size**2, -1)
    folded = F.fold(columns, size, kernel_size, stride=stride).permute(0, 2, 3, 1)
    torch.testing.assert_close(lay(windows, x.shape, stride), folded)


@SIZES
def test_gradients_of_both_are_right_and_so_are_theirs(
    kernel_size: int, stride: int, size: tuple[int, int]
) -> None:
    x = random_map(size)[:1].requires_grad_()
    windows = torch.randn_like(cut(x, HEADS, kernel_size, stride)).requires_grad_()

    def cut_map(x: Tensor) -> Tensor:
        return cut(x, HEADS, kernel_size, stride)

    def lay_windows(windows: Tensor) -> Tensor:
        return lay(windows, x.shape, stride)

    for function, given in ((cut_map, x), (lay_windows, windows)):
        assert torch.autograd.gradcheck(function, given)
        assert torch.autograd.gradgradcheck(function, given)


def test_the_same_comes_out_whether_gradients_are_recorded_or_not() -> None:
    x = random_map((7, 5))
    recorded = cut(x, HEADS, 3, 2)
    laid = lay(recorded, x.shape, 2)
    with torch.no_grad():
        assert torch.equal(cut(x, HEADS, 3, 2), recorded)
        assert torch.equal(lay(recorded, x.shape, 2), laid)


def test_the_gradient_of_laying_is_a_view() -> None:
    windows = cut(random_map((7, 7)), HEADS, 3, 2).clone().requires_grad_()
    laid = lay(windows, torch.Size((2, 7, 7, DIM)), 2)
    cotangent = torch.ones_like(laid)
    (grad,) = torch.autograd.grad(laid, windows, cotangent)
    assert grad.untyped_storage().data_ptr() == cotangent.untyped_storage().data_ptr()
