"""The k × k neighbours of each position of a map, without a copy of the map for each neighbour.

What ACmix, SAN and involution share. Their authors unfold the map into k² copies; here the neighbours are
strided views of the padded map, of which one row of a window at a time meets the queries or the weights, so
that neither the forward nor the backward pass holds more than a k-th of those copies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


def _row(x: Tensor, row: int, rows: int, kernel_size: int, stride: int, dilation: int) -> Tensor:
    """The windows' row number `row`: (..., Hp, Wp) → (..., k, rows, W), a view."""
    first = row * dilation
    x = x[..., first : first + stride * (rows - 1) + 1 : stride, :]
    return x.unfold(-1, dilation * (kernel_size - 1) + 1, stride)[..., ::dilation].movedim(-1, -3)


def correlate(q: Tensor, k: Tensor, kernel_size: int, *, stride: int = 1) -> Tensor:
    """Product of each query with the keys of its window.

    Args:
        q: (..., C, H, W).
        k: (..., C, Hp, Wp), padded.

    Returns:
        (..., kernel_size², H, W).
    """
    rows = q.shape[-2]
    products = [
        (q.unsqueeze(-3) * _row(k, row, rows, kernel_size, stride, 1)).sum(-4) for row in range(kernel_size)
    ]
    return torch.cat(products, dim=-3)


def aggregate(weights: Tensor, x: Tensor, kernel_size: int, *, stride: int = 1, dilation: int = 1) -> Tensor:
    """Sum of the values of each window, weighted.

    Args:
        weights: (..., kernel_size², H, W).
        x: (..., Hp, Wp), padded; its leading axes broadcast with those of the weights.

    Returns:
        (..., H, W).
    """
    rows = weights.shape[-2]
    weights = torch.unflatten(weights, -3, (kernel_size, kernel_size))
    parts = [
        (weights[..., row, :, :, :] * _row(x, row, rows, kernel_size, stride, dilation)).sum(-3)
        for row in range(kernel_size)
    ]
    out = parts[0]
    for part in parts[1:]:
        out = out + part
    return out


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
