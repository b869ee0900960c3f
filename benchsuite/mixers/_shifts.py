"""Sums and products over the windows of a map by shifts of the map, flattened: how a CPU does them fastest.

Rows of a map are short, and a loop over each is slow. With the weights padded to rows as long as those of the
padded map, position p and its neighbour by an offset lie as far apart in memory for every p, so that each of
the k² offsets is one loop over all rows. What stands beyond a row's end is multiplied as well and not used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._watched import watched

AT_ONCE = 2**17
"""Most products that are made by one call and then summed: more do not stay in a cache."""


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
    weights = _long(weights, width)
    length = weights.shape[-1]
    shifted = _shifted(x.flatten(-2), kernel_size, dilation * width, length, stride, dilation)
    (first, *others), (start, *starts) = weights.unbind(-2), _each(shifted)
    total = F.pad(first * start, (0, width - columns))
    used = total[..., :length]
    for weight, neighbor in zip(others, starts, strict=True):
        used.addcmul_(weight, neighbor)
    return torch.unflatten(total, -1, (height, width))[..., :columns].contiguous()


def products(
    g: Tensor, x: Tensor, kernel_size: int, stride: int, dilation: int, shared: tuple[int, ...]
) -> Tensor:
    """(..., H, W) and (..., Hp, Wp) → (..., k², H, W), summed to length 1 over the axes `shared`."""
    height, columns = g.shape[-2:]
    width = x.shape[-1]
    g = _long(g, width).unsqueeze(-2)
    length = g.shape[-1]
    columns_at_once = kernel_size if g.numel() * kernel_size <= AT_ONCE else 1
    out: Tensor | None = None
    rows = _shifted(x.flatten(-2), kernel_size, dilation * width, length, stride, dilation)
    for row, windows in enumerate(rows):
        for column in range(0, kernel_size, columns_at_once):
            some = slice(column, column + columns_at_once)
            product = g * windows[..., some, :]
            if shared:
                product = product.sum(shared, keepdim=True)
            if out is None:
                out = product.new_empty((*product.shape[:-2], kernel_size, kernel_size, height * width))
            out[..., row, some, :length] = product
    assert out is not None
    return torch.unflatten(out.flatten(-3, -2), -1, (height, width))[..., :columns].contiguous()


def spread(
    weights: Tensor, g: Tensor, kernel_size: int, stride: int, dilation: int, padded: tuple[int, int]
) -> Tensor:
    """(..., k², H, W) and (..., H, W) → (..., Hp, Wp): each g over its window, weighted."""
    width = padded[1]
    weights, g = _long(weights, width), _long(g, width)
    out = g.new_zeros((*g.shape[:-1], padded[0] * width))
    span = stride * (g.shape[-1] - 1) + 1
    for number, weight in enumerate(weights.unbind(-2)):
        start = dilation * (number // kernel_size * width + number % kernel_size)
        out[..., start : start + span : stride].addcmul_(weight, g)
    return torch.unflatten(out, -1, padded)


def _long(x: Tensor, width: int) -> Tensor:
    """(..., H, W) → (..., (H − 1) · width + W): flattened, with zeros between the rows."""
    height, columns = x.shape[-2:]
    return F.pad(x, (0, width - columns)).flatten(-2)[..., : (height - 1) * width + columns]


def _shifted(x: Tensor, kernel_size: int, rows: int, length: int, stride: int, columns: int) -> list[Tensor]:
    """For each row of the window the `length` neighbours of all positions: (..., k, length), a view.

    Args:
        x: a flattened map.
        stride: from position to position in it.
        rows, columns: from one row or column of the window to the next.
    """
    span = stride * (length - 1) + 1
    across = span + columns * (kernel_size - 1)
    starts = range(0, rows * kernel_size, rows)
    return [x[..., start : start + across].unfold(-1, span, columns)[..., ::stride] for start in starts]


def _each(rows: Iterable[Tensor]) -> Iterator[Tensor]:
    """(..., length) for each offset of a window, row by row."""
    return chain.from_iterable(row.unbind(-2) for row in rows)
