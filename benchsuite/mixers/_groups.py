"""Groups of tokens that attend among themselves: cutting a map into them, joining, attention within.

What SwinV2, MaxViT and BiFormer share. A group is a window of neighbours or, dilated, tokens spread evenly
over the whole map. Groups are in row-major order, and so are the tokens of a group.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite.mixers._attention import attend

Size = tuple[int, int]


def as_pair(side: int | tuple[int, int], name: str) -> Size:
    """Height and width of a window given by one side or both.

    Raises:
        ValueError: a side is not positive; `name` is the option's.
    """
    height, width = (side, side) if isinstance(side, int) else side
    if height < 1 or width < 1:
        raise ValueError(f"{name} {side} is not positive")
    return height, width


def check_tiles(window: Size, size: Size, name: str) -> None:
    """Raise ValueError if groups of `window` tokens do not make up the grid; `name` is the option's."""
    if size[0] < window[0] or size[1] < window[1] or size[0] % window[0] or size[1] % window[1]:
        side = window[0] if window[0] == window[1] else f"{window[0]} × {window[1]}"
        raise ValueError(f"{name} {side} does not divide the {size[0]} × {size[1]} grid")


def cut(x: Tensor, window: Size, *, dilated: bool = False) -> Tensor:
    """(B, H, W, C) → (B, groups, tokens of a group, C).

    Args:
        window: height and width of a group in tokens; they divide H and W.
        dilated: a group's tokens lie H / height rows and W / width columns apart, and not side by side.
    """
    batch, height, width, channels = x.shape
    rows, columns = height // window[0], width // window[1]
    if dilated:
        x = x.reshape(batch, window[0], rows, window[1], columns, channels).permute(0, 2, 4, 1, 3, 5)
    else:
        x = x.reshape(batch, rows, window[0], columns, window[1], channels).transpose(2, 3)
    return x.reshape(batch, rows * columns, window[0] * window[1], channels)


def join(groups: Tensor, size: Size, window: Size, *, dilated: bool = False) -> Tensor:
    """The inverse of `cut`: (B, groups, tokens, …) → (B, H, W, C), trailing axes flattened to C.

    One copy at most.
    """
    rows, columns = size[0] // window[0], size[1] // window[1]
    x = groups.reshape(groups.shape[0], rows, columns, *window, *groups.shape[3:])
    trailing = range(5, x.dim())
    order = (0, 3, 1, 4, 2) if dilated else (0, 1, 3, 2, 4)
    return x.permute(*order, *trailing).reshape(groups.shape[0], *size, -1)


def attend_in_groups(
    q: Tensor, k: Tensor, v: Tensor, *, kernel: str, bias: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Multi-head attention of each group's queries to its keys, without a loop over groups or heads.

    Args:
        q: (B, groups, heads, tokens, head_dim); k, v: the same with as many keys as there are in a group.
        bias: (groups or 1, heads or 1, tokens, keys), added to the logits.
        kernel, dropout: as for `attend`. "math" scales the queries and not the logits.

    Returns:
        (B, groups, tokens, heads, head_dim), a view.
    """
    groups, heads = q.shape[1:3]
    if kernel == "math":
        return attend(q, k, v, kernel=kernel, bias=bias, dropout=dropout, scale_q=True).transpose(2, 3)
    # Fused kernels take four axes. Groups join the batch, unless each has a bias of its own: then they join
    # the heads, as a bias must not be repeated for every image.
    axis = 0 if bias is None or bias.shape[0] == 1 else 1
    if bias is not None and axis == 1:
        bias = bias.expand(groups, heads, -1, -1).flatten(0, 1)[None]
    q, k, v = (t.flatten(axis, axis + 1) for t in (q, k, v))
    out = attend(q, k, v, kernel=kernel, bias=bias, dropout=dropout)
    return torch.unflatten(out, axis, (-1, groups if axis == 0 else heads)).transpose(2, 3)
