"""Sums and products over the windows of a map by shifts of the map, flattened: how a CPU does them fastest.

Rows of a map are short, and a loop over each is slow. With the weights padded to rows as long as those of the
padded map, position p and its neighbour by an offset lie as far apart in memory for every p, so that each of
the k² offsets is one loop over all rows. What stands beyond a row's end is multiplied as well and not used.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._watched import watched


def suit(one: Tensor, other: Tensor) -> bool:
    """Whether these tensors are for this file: in single or double precision on a CPU.

    Sums of half-precision numbers would be rounded k² times, and a GPU would have k² launches. Whoever
    watches is shown the products of the windows alone.
    """
    exact = one.dtype == other.dtype and one.dtype in (torch.float32, torch.float64)
    return exact and one.is_cpu and other.is_cpu and not watched()


def sums(weights: Tensor, x: Tensor, kernel_size: int, stride: int, dilation: int) -> Tensor:
    """(..., k², H, W) and (..., Hp, Wp) → (..., H, W): the values of each window, weighted and summed."""
    height, columns = weights.shape[-2:]
    width = x.shape[-1]
    weights, x = _long(weights, width), x.flatten(-2)
    length = weights.shape[-1]
    shifted = _starts(kernel_size, dilation, width)
    total = F.pad(weights[..., 0, :] * _from(x, next(shifted), length, stride), (0, width - columns))
    used = total[..., :length]
    for number, start in enumerate(shifted, 1):
        used.addcmul_(weights[..., number, :], _from(x, start, length, stride))
    return torch.unflatten(total, -1, (height, width))[..., :columns].contiguous()


def products(
    g: Tensor, x: Tensor, kernel_size: int, stride: int, dilation: int, shared: tuple[int, ...]
) -> Tensor:
    """(..., H, W) and (..., Hp, Wp) → (..., k², H, W), summed to length 1 over the axes `shared`."""
    height, columns = g.shape[-2:]
    width = x.shape[-1]
    g, x = _long(g, width), x.flatten(-2)
    length = g.shape[-1]
    out: Tensor | None = None
    for number, start in enumerate(_starts(kernel_size, dilation, width)):
        product = g * _from(x, start, length, stride)
        if shared:
            product = product.sum(shared, keepdim=True)
        if out is None:
            out = product.new_empty((*product.shape[:-1], kernel_size**2, height * width))
        out[..., number, :length] = product
    assert out is not None
    return torch.unflatten(out, -1, (height, width))[..., :columns].contiguous()


def spread(
    weights: Tensor, g: Tensor, kernel_size: int, stride: int, dilation: int, padded: tuple[int, int]
) -> Tensor:
    """(..., k², H, W) and (..., H, W) → (..., Hp, Wp): each g over its window, weighted."""
    width = padded[1]
    weights, g = _long(weights, width), _long(g, width)
    length = g.shape[-1]
    out = g.new_zeros((*g.shape[:-1], padded[0] * width))
    for number, start in enumerate(_starts(kernel_size, dilation, width)):
        _from(out, start, length, stride).addcmul_(weights[..., number, :], g)
    return torch.unflatten(out, -1, padded)


def _long(x: Tensor, width: int) -> Tensor:
    """(..., H, W) → (..., (H − 1) · width + W): flattened, with zeros between the rows."""
    height, columns = x.shape[-2:]
    return F.pad(x, (0, width - columns)).flatten(-2)[..., : (height - 1) * width + columns]


def _starts(kernel_size: int, dilation: int, width: int) -> Iterator[int]:
    """Place of the first position's neighbours in the flattened map, row by row of the window."""
    for row in range(kernel_size):
        for column in range(kernel_size):
            yield dilation * (row * width + column)


def _from(x: Tensor, start: int, length: int, stride: int) -> Tensor:
    """`length` entries of the last axis, `stride` apart: a view."""
    return x[..., start : start + stride * (length - 1) + 1 : stride]
