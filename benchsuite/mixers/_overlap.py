"""Overlapping windows of a map, and their sum back onto a map: each is the gradient of the other.

torch does not know that: its gradient of a sum into slices copies the map once for each place of a window,
and that of an unfolded map sums one axis after the other. Here the gradient of the sum is a view.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def cut(x: Tensor, num_heads: int, kernel_size: int, stride: int) -> Tensor:
    """Windows of a padded map: (B, Hp, Wp, dim) → (B, rows, columns, heads, k, k, head_dim), a view."""
    if not torch.is_grad_enabled():  # a tracer that counts sees operators, and no function of our own
        return _cut(x, num_heads, kernel_size, stride)
    windows: Tensor = _Cut.apply(x, num_heads, kernel_size, stride)  # type: ignore[no-untyped-call]
    return windows


def lay(windows: Tensor, shape: torch.Size, stride: int) -> Tensor:
    """Sum of what falls on the same position: the windows of `cut` → (B, Hp, Wp, dim) of this shape.

    F.fold wants channels first, for which it costs a transposed copy of all k² · dim values.
    """
    if not torch.is_grad_enabled():
        return _lay(windows, shape, stride)
    laid: Tensor = _Lay.apply(windows, shape, stride)  # type: ignore[no-untyped-call]
    return laid


def _cut(x: Tensor, num_heads: int, kernel_size: int, stride: int) -> Tensor:
    windows = x.unfold(1, kernel_size, stride).unfold(2, kernel_size, stride)  # B, rows, columns, dim, k, k
    return torch.unflatten(windows, 3, (num_heads, -1)).permute(0, 1, 2, 3, 5, 6, 4)


def _lay(windows: Tensor, shape: torch.Size, stride: int) -> Tensor:
    rows, columns, kernel_size = windows.shape[1], windows.shape[2], windows.shape[4]
    laid = windows.new_zeros(shape)
    for y in range(kernel_size):
        for x in range(kernel_size):
            down = slice(y, y + stride * (rows - 1) + 1, stride)
            across = slice(x, x + stride * (columns - 1) + 1, stride)
            laid[:, down, across] += windows[:, :, :, :, y, x].flatten(3)
    return laid


class _Cut(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, num_heads: int, kernel_size: int, stride: int) -> Tensor:
        ctx.of = x.shape, stride
        return _cut(x, num_heads, kernel_size, stride)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        return lay(grads[0], *ctx.of), None, None, None


class _Lay(Function):
    @staticmethod
    def forward(ctx: Any, windows: Tensor, shape: torch.Size, stride: int) -> Tensor:
        ctx.of = windows.shape[3], windows.shape[4], stride
        return _lay(windows, shape, stride)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return cut(grads[0], *ctx.of), None, None
