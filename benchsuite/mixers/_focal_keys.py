"""Places of the keys of a focal window: token numbers of its own, of neighbours and of pooled sub-windows.

Token numbers count through the map, then through the pooled maps of all levels in turn; the last one is a
token of zeros, for what lies outside of a pooled map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite.mixers._windows import partition, shift_mask

Size = tuple[int, int]

OUTSIDE = -100.0
"""Added to the logits of what lies outside of a pooled map; the authors use −100, and not −inf."""


def neighbor_count(window_size: int, expand_size: int) -> int:
    """Keys from four rolled copies of the map: of each, the part of a window that is not its own."""
    own = window_size - expand_size
    return 4 * (window_size * window_size - own * own)


def pooled_size(grid: Size, window_size: int, level: int) -> Size:
    """Size of the pooled map of a level: 2^level sub-windows a window and axis."""
    rows, columns = (side // window_size * 2**level for side in grid)
    return rows, columns


def pooled_span(focal_window: int, level: int) -> int:
    """Side of the square of sub-windows that a window sees."""
    return focal_window + (1 << level) - 1


def key_tokens(
    grid: Size, window_size: int, expand_size: int, focal_window: int, levels: int, device: torch.device
) -> Tensor:
    """(windows, keys): the token of each key, in the authors' order. Windows tile the grid."""
    height, width = grid
    number = torch.arange(height * width, device=device).view(1, height, width, 1)
    parts = [partition(number, grid, window_size)[0, :, :, 0]]
    if expand_size:
        parts.append(_neighbors(number, grid, window_size, expand_size))
    first = height * width
    zeros = first + sum(_area(pooled_size(grid, window_size, level)) for level in range(levels))
    for level in range(levels):
        pooled = pooled_size(grid, window_size, level)
        rows, columns = (
            _spans(side, level, pooled_span(focal_window, level), device) for side in pooled
        )  # each windows along the axis, span
        token = first + rows[:, None, :, None] * pooled[1] + columns[None, :, None, :]
        inside = _within(rows, pooled[0])[:, None, :, None] & _within(columns, pooled[1])[None, :, None, :]
        token = torch.where(inside, token, zeros)
        parts.append(token.flatten(2).flatten(0, 1))
        first += _area(pooled)
    return torch.cat(parts, dim=1)


def _area(size: Size) -> int:
    return size[0] * size[1]


def _spans(side: int, level: int, span: int, device: torch.device) -> Tensor:
    """(windows, span) rows or columns of a pooled map, a window's own in the middle; some are outside."""
    own = 2**level
    start = torch.arange(side // own, device=device) * own - (span - own) // 2
    spans: Tensor = start[:, None] + torch.arange(span, device=device)
    return spans


def _within(place: Tensor, side: int) -> Tensor:
    inside: Tensor = (place >= 0) & (place < side)
    return inside


def _neighbors(number: Tensor, grid: Size, window_size: int, expand_size: int) -> Tensor:
    """(windows, neighbours): tokens of the copies rolled to the four corners. They wrap around the map."""
    e, places = expand_size, range(window_size)
    early, late = set(places[:e]), set(places[-e:])
    neighbors = []
    for roll, outside in (
        ((-e, -e), (late, late)),
        ((-e, e), (late, early)),
        ((e, -e), (early, late)),
        ((e, e), (early, early)),
    ):
        rolled = partition(number.roll(roll, (1, 2)), grid, window_size)[0, :, :, 0]
        kept = [y * window_size + x for y in places for x in places if y in outside[0] or x in outside[1]]
        neighbors.append(rolled[:, torch.tensor(kept, device=number.device)])
    return torch.cat(neighbors, dim=1)


def key_mask(
    tokens: Tensor, grid: Size, window_size: int, shift_size: int, zeros: int, like: Tensor
) -> Tensor:
    """Mask that is added to the logits: (windows, 1, window² or 1, keys).

    Args:
        tokens: of `key_tokens`.
        zeros: number of the token of zeros.
        like: its device and dtype are the mask's.
    """
    outside = torch.zeros(tokens.shape, device=like.device, dtype=like.dtype)
    mask = outside.masked_fill(tokens == zeros, OUTSIDE)[:, None, None]
    if not shift_size:
        return mask
    own = shift_mask(grid, window_size, shift_size, like)  # windows, 1, window², window²
    area = window_size**2
    return torch.cat((mask[..., :area] + own, mask[..., area:].expand(-1, -1, area, -1)), dim=-1)


def span_bias_index(window_size: int, span: int, device: torch.device) -> Tensor:
    """(window², span²): entry of a level's bias table for each token of a window and sub-window."""
    side = window_size + span - 1
    step = torch.arange(window_size, device=device)[:, None] - torch.arange(span, device=device) + span - 1
    index = step[:, None, :, None] * side + step[None, :, None, :]
    return index.reshape(window_size**2, span**2)
