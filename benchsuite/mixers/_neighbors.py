"""The k × k neighbours of each position of a map, without a copy of the map for each neighbour.

What ACmix, SAN, involution and the inhomogeneous dynamic convolution share. Their authors unfold the map into
k² copies; here the neighbours are strided views of the padded map, of which one row of a window at a time
meets the queries or the weights, so that neither the forward nor the backward pass holds more than a k-th of
those copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from benchsuite.mixers import _shifts
from benchsuite.mixers._watched import watched


def check_stride(stride: int, size: tuple[int, int]) -> tuple[int, int]:
    """Size of the output; raises ValueError if the stride does not divide the grid."""
    height, width = size
    if height % stride or width % stride:
        raise ValueError(f"stride {stride} does not divide the {height} × {width} grid")
    return height // stride, width // stride


def reflect(x: Tensor, padding: int) -> Tensor:
    """Pad the last two axes of (..., H, W) by reflection.

    Raises:
        ValueError: the map is too small to be reflected so far.
    """
    height, width = x.shape[-2:]
    if padding >= min(height, width):
        raise ValueError(f"a {height} × {width} grid cannot be reflected by {padding} tokens")
    flat = x.reshape(-1, 1, height, width) if x.dim() != 4 else x
    padded = F.pad(flat, (padding,) * 4, mode="reflect")
    return padded.reshape(*x.shape[:-2], *padded.shape[-2:])


def neighbors(x: Tensor, kernel_size: int, stride: int = 1, dilation: int = 1) -> Tensor:
    """Windows of a padded map: (..., Hp, Wp) → (..., k, k, H, W), a view."""
    span = dilation * (kernel_size - 1) + 1
    windows = x.unfold(-2, span, stride)[..., ::dilation].unfold(-2, span, stride)[..., ::dilation]
    # ..., H, W, k, k: `unfold` appends, so the second one finds W in the place before last.
    return windows.movedim((-2, -1), (-4, -3))


def unfolded(x: Tensor, kernel_size: int, stride: int = 1, dilation: int = 1, *, zeros: int = 0) -> Tensor:
    """`neighbors` of a (B, C, Hp, Wp) map with so many zeros around it, for who computes with them at once.

    With gradients on a CPU a copy, whose gradients are summed in one pass and not in one for each axis.
    """
    if not (torch.is_grad_enabled() and x.is_cpu) or watched():
        return neighbors(F.pad(x, (zeros,) * 4) if zeros else x, kernel_size, stride, dilation)
    span = dilation * (kernel_size - 1) + 1
    rows = (x.shape[2] + 2 * zeros - span) // stride + 1
    windows = F.unfold(x, kernel_size, dilation=dilation, padding=zeros, stride=stride)
    return windows.view(*x.shape[:2], kernel_size, kernel_size, rows, -1)


def correlate(q: Tensor, k: Tensor, kernel_size: int, *, stride: int = 1) -> Tensor:
    """Product of each query with the keys of its window.

    Args:
        q: (..., C, H, W).
        k: (..., C, Hp, Wp), padded.

    Returns:
        (..., kernel_size², H, W).
    """
    windows = _Windows(kernel_size, stride, 1, (q.dim() - 3,), (k.shape[-2], k.shape[-1]))
    return _contract(_Products, q, k, windows).squeeze(-4)


def aggregate(weights: Tensor, x: Tensor, kernel_size: int, *, stride: int = 1, dilation: int = 1) -> Tensor:
    """Sum of the values of each window, weighted.

    Args:
        weights: (..., kernel_size², H, W); a leading axis of 1 is shared by what x has there.
        x: (..., Hp, Wp), padded.

    Returns:
        (..., H, W).
    """
    lengths = zip(weights.shape[:-3], x.shape[:-2], strict=True)
    shared = tuple(axis for axis, (one, other) in enumerate(lengths) if one != other)
    windows = _Windows(kernel_size, stride, dilation, shared, (x.shape[-2], x.shape[-1]))
    return _contract(_Sums, weights, x, windows)


def position_wise_conv(x: Tensor, weights: Tensor, kernel_size: int, *, stride: int = 1) -> Tensor:
    """Convolve with another kernel at each position, around zero padding.

    Args:
        x: (B, C, H, W).
        weights: (B, groups, kernel_size², H', W'); each group has C / groups consecutive channels.

    Returns:
        (B, C, H', W').
    """
    # Factors that lie in unlike order in memory would double the time; what convolutions put out may.
    padded = torch.unflatten(F.pad(x.contiguous(), (kernel_size // 2,) * 4), 1, (weights.shape[1], -1))
    return aggregate(weights.contiguous().unsqueeze(2), padded, kernel_size, stride=stride).flatten(1, 2)


# Of Σ w[j, p] x[p + j] g[p] over positions p and offsets j of a window, the derivative by g sums the values
# of each window, that by w multiplies g with each of them, and that by x spreads w g over the map: each of
# the three has the two others as its derivatives. Left to itself, torch would go back through products, sums
# and views one by one, each in a pass of its own over k maps.


class _Windows(NamedTuple):
    """Windows of a padded map.

    Attributes:
        shared: leading axes of the map that one weight serves.
        padded: height and width of the map.
    """

    kernel_size: int
    stride: int
    dilation: int
    shared: tuple[int, ...]
    padded: tuple[int, int]


def _row(x: Tensor, row: int, rows: int, windows: _Windows) -> Tensor:
    """The windows' row number `row`: (..., Hp, Wp) → (..., k, rows, W), a view."""
    kernel_size, stride, dilation, _, _ = windows
    first = row * dilation
    x = x[..., first : first + stride * (rows - 1) + 1 : stride, :]
    return x.unfold(-1, dilation * (kernel_size - 1) + 1, stride)[..., ::dilation].movedim(-1, -3)


def _sums(weights: Tensor, x: Tensor, windows: _Windows) -> Tensor:
    """(..., k², H, W) and (..., Hp, Wp) → (..., H, W)."""
    if _shifts.suit(weights, x):
        return _shifts.sums(weights, x, *windows[:3])
    side, rows = windows.kernel_size, weights.shape[-2]
    weights = torch.unflatten(weights, -3, (side, side))
    out = (weights[..., 0, :, :, :] * _row(x, 0, rows, windows)).sum(-3)
    for row in range(1, side):
        out = out + (weights[..., row, :, :, :] * _row(x, row, rows, windows)).sum(-3)
    return out


def _products(g: Tensor, x: Tensor, windows: _Windows) -> Tensor:
    """(..., H, W) and (..., Hp, Wp) → (..., k², H, W), of length 1 where weights are shared."""
    if _shifts.suit(g, x):
        return _shifts.products(g, x, *windows[:4])
    side, shared, size = windows.kernel_size, list(windows.shared), g.shape[-2:]
    leading = [1 if axis in shared else length for axis, length in enumerate(g.shape[:-2])]
    dtype = torch.promote_types(g.dtype, x.dtype)
    out = torch.empty((*leading, side, side, *size), dtype=dtype, device=g.device)
    for row in range(side):
        product = g.unsqueeze(-3) * _row(x, row, size[0], windows)
        out[..., row, :, :, :] = product.sum(shared, keepdim=True) if shared else product
    return out.flatten(-4, -3)


def _spread(weights: Tensor, g: Tensor, windows: _Windows) -> Tensor:
    """(..., k², H, W) and (..., H, W) → (..., Hp, Wp)."""
    if _shifts.suit(weights, g):
        return _shifts.spread(weights, g, *windows[:3], windows.padded)
    side, stride, dilation, _, (_, width) = windows
    height, leading = g.shape[-2], g.shape[:-2]
    out = g.new_zeros((*leading, *windows.padded))
    # Products of a row of the window, each written as far to the right as its key lies: the sum is in place.
    skewed = g.new_zeros((*leading, side, height, width))
    strides = (*skewed.stride()[:-3], height * width + dilation, width, stride)
    products = skewed.as_strided((*leading, side, *g.shape[-2:]), strides)
    weights = torch.unflatten(weights, -3, (side, side))
    for row in range(side):
        factors = weights[..., row, :, :, :], g.unsqueeze(-3)
        if torch.compiler.is_compiling():  # which knows no output with gaps, and makes one loop of both steps
            products.copy_(torch.mul(*factors))
        else:
            torch.mul(*factors, out=products)
        first = row * dilation
        out[..., first : first + stride * (height - 1) + 1 : stride, :] += skewed.sum(-3)
    return out


class _Contraction(Function):
    """A formula of two tensors whose derivatives are such formulas."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.windows = inputs[2]


def _contract(kind: type[_Contraction], one: Tensor, other: Tensor, windows: _Windows) -> Tensor:
    """Without gradients, or traced, the formula alone: a counter sees operators, and no function of ours."""
    traced = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    trains = torch.is_grad_enabled() and not traced
    call: Callable[..., Tensor] = kind.apply if trains else kind.forward
    return call(one, other, windows)


class _Sums(_Contraction):
    forward = staticmethod(_sums)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (weights, x), windows = ctx.saved_tensors, ctx.windows
        by_weights = _contract(_Products, grads[0], x, windows)
        return by_weights, _contract(_Spread, weights, grads[0], windows), None


class _Products(_Contraction):
    forward = staticmethod(_products)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (g, x), windows = ctx.saved_tensors, ctx.windows
        by_g = _contract(_Sums, grads[0], x, windows)
        return by_g, _contract(_Spread, grads[0], g, windows), None


class _Spread(_Contraction):
    forward = staticmethod(_spread)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (weights, g), windows = ctx.saved_tensors, ctx.windows
        by_weights = _contract(_Products, g, grads[0], windows)
        return by_weights, _contract(_Sums, weights, grads[0], windows), None


class GridEmbedding(nn.Conv2d):
    """A 1 × 1 convolution of the coordinates of a map: (B, C, H, W) → (1, channels, H, W).

    The coordinates run from −1 to 1, first along the width, then along the height. They are made once for a
    size of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(2, channels, kernel_size=1)
        self._made_for: tuple[object, ...] | None = None
        self._coordinates: Tensor | None = None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  the name that torch gives it
        height, width = input.shape[-2:]
        made_for = (height, width, input.device, input.dtype)
        if made_for != self._made_for:
            with torch.inference_mode(False):  # what inference mode makes, a later backward may not save
                self._coordinates = _coordinates(height, width, input)
            self._made_for = made_for
        assert self._coordinates is not None
        return super().forward(self._coordinates)


def _coordinates(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 2, H, W), in `like`'s dtype and on its device."""
    down, across = (
        torch.arange(side, device=like.device, dtype=torch.float64) * (2 / max(side - 1, 1)) - 1
        for side in (height, width)
    )
    grid = torch.stack([across.expand(height, width), down[:, None].expand(height, width)])
    return grid.to(like.dtype)[None]
