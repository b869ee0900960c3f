"""Windows and other groups of tokens: cutting a grid, merging, attention, and relative positions.

A group is a window of neighbours or, dilated, tokens spread evenly over the whole map. Groups are in
row-major order of the grid, and so are the tokens of a group.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchsuite.mixers._attention import attend
from benchsuite.mixers._checks import check_one_of
from benchsuite.mixers._flex import Modify, flex_attend
from benchsuite.mixers._grid import Size, crop_grid, pad_grid

KINDS = ("bias", "bias_tf")
"""Ways to keep a table of relative positions, under timm's names."""


def as_pair(window_size: int | Size) -> Size:
    """Height and width of a window given by one side or both; raises ValueError if one is not positive."""
    height, width = _sides(window_size)
    if height < 1 or width < 1:
        raise ValueError(f"window_size {window_size} is not positive")
    return height, width


def check_divides(window: int | Size, size: Size) -> None:
    """Raise ValueError if windows do not tile the grid."""
    high, wide = _sides(window)
    height, width = size
    if height < high or width < wide or height % high or width % wide:
        side = high if high == wide else f"{high} × {wide}"
        raise ValueError(f"window_size {side} does not divide the {height} × {width} grid")


def _sides(window: int | Size) -> Size:
    return (window, window) if isinstance(window, int) else window


def partition(x: Tensor, size: Size, window: int | Size, *, dilated: bool = False) -> Tensor:
    """(B, H, W, C) → (B, groups, tokens of a group, C).

    Args:
        size: H and W.
        window: side, or height and width, of a group in tokens; they divide H and W.
        dilated: a group's tokens lie H / height rows and W / width columns apart, and not side by side.
    """
    high, wide = _sides(window)
    rows, columns = size[0] // high, size[1] // wide
    batch, channels = x.shape[0], x.shape[-1]
    if dilated:
        x = x.reshape(batch, high, rows, wide, columns, channels).permute(0, 2, 4, 1, 3, 5)
    else:
        x = x.reshape(batch, rows, high, columns, wide, channels).transpose(2, 3)
    return x.reshape(batch, rows * columns, high * wide, channels)


def cut_heads(x: Tensor, size: Size, window: int | Size, *, dilated: bool = False) -> Tensor:
    """`partition` of heads, each head by itself, in the one copy that groups take anyway.

    Args:
        x: (B, H, W, parts, heads, head_dim): queries, keys and values.
        size, window, dilated: as for `partition`.

    Returns:
        (parts, B, groups, heads, tokens of a group, head_dim).
    """
    high, wide = _sides(window)
    rows, columns = size[0] // high, size[1] // wide
    batch, parts, heads = x.shape[0], *x.shape[3:5]
    if dilated:
        x = x.reshape(batch, high, rows, wide, columns, *x.shape[3:]).permute(5, 0, 2, 4, 6, 1, 3, 7)
    else:
        x = x.reshape(batch, rows, high, columns, wide, *x.shape[3:]).permute(5, 0, 1, 3, 6, 2, 4, 7)
    return x.reshape(parts, batch, rows * columns, heads, high * wide, -1)


def merge(groups: Tensor, size: Size, window: int | Size, *, dilated: bool = False) -> Tensor:
    """The inverse of `partition`: (B, groups, tokens, …) → (B, H, W, C), trailing axes flattened to C.

    One copy at most: heads that come as an axis of their own are joined in the same pass.
    """
    high, wide = _sides(window)
    rows, columns = size[0] // high, size[1] // wide
    batch, trailing = groups.shape[0], groups.shape[3:]
    x = groups.reshape(batch, rows, columns, high, wide, *trailing)
    x = x.permute(0, 3, 1, 4, 2, *range(5, x.dim())) if dilated else x.transpose(2, 3)
    return x.reshape(batch, *size, -1)


def on_shifted_grid(
    mix: Callable[[Tensor], Tensor], x: Tensor, size: Size, padded: Size, shift: int
) -> Tensor:
    """Mix (B, N, C) tokens of an H × W grid, padded and rolled before, rolled back and cropped behind.

    Args:
        mix: (B, H', W', C) maps of the rolled grid → the same.
        padded: H' and W'; zeros are added right and bottom.
        shift: rows and columns by which the grid is rolled, up and left.
    """
    x = pad_grid(x.reshape(x.shape[0], *size, x.shape[2]), size, padded)
    if shift:
        x = x.roll((-shift, -shift), (1, 2))
    x = mix(x)
    if shift:
        x = x.roll((shift, shift), (1, 2))
    if padded != size:
        x = crop_grid(x, size)
    return x.flatten(1, 2)


def attend_in_groups(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    kernel: str,
    bias: Tensor | None = None,
    dropout: float = 0.0,
    scale_q: bool = True,
) -> Tensor:
    """Multi-head attention of each group's queries to its keys, without a loop over groups or heads.

    Args:
        q: (B, groups, heads, tokens, head_dim); k, v: the same with as many keys as there are in a group.
        bias: (groups or 1, heads or 1, tokens, keys), added to the logits.
        kernel, dropout, scale_q: as for `attend`.

    Returns:
        (B, groups, tokens, heads, head_dim), a view.
    """
    groups, heads = q.shape[1:3]
    if kernel == "math":
        return attend(q, k, v, kernel=kernel, bias=bias, dropout=dropout, scale_q=scale_q).transpose(2, 3)
    # Fused kernels take four axes. Groups join the batch, unless each has a bias of its own: then they join
    # the heads, as a bias must not be repeated for every image.
    axis = 0 if bias is None or bias.shape[0] == 1 else 1
    if bias is not None and axis == 1:
        bias = bias.expand(groups, heads, -1, -1).flatten(0, 1)[None]
    q, k, v = (t.flatten(axis, axis + 1) for t in (q, k, v))
    out = attend(q, k, v, kernel=kernel, bias=bias, dropout=dropout)
    return torch.unflatten(out, axis, (-1, groups if axis == 0 else heads)).transpose(2, 3)


def attend_in_windows(
    qkv: Tensor,
    size: Size,
    window_size: int,
    *,
    kernel: str,
    bias: Tensor | None = None,
    regions: Tensor | None = None,
    dropout: float = 0.0,
    scale_q: bool = False,
) -> Tensor:
    """Multi-head attention among the tokens of each window, without a loop over windows or heads.

    Args:
        qkv: (3, B, windows, heads, window_size², head_dim), as `cut_heads` makes it.
        size: of the grid that the windows tile.
        bias: (windows or 1, heads or 1, window_size², window_size²), added to the logits. On "flex": (1,
            heads, window_size², window_size²).
        regions: what `shift_regions` makes, on "flex" only; on the others the bias holds `shift_mask`.
        kernel, dropout, scale_q: as for `attend`; or "flex", as for `flex_attend`.

    Returns:
        (B, H, W, width), merged.
    """
    q, k, v = qkv.unbind(0)
    if kernel == "flex":
        batch, windows = q.shape[:2]
        q, k, v = (t.flatten(0, 1) for t in (q, k, v))
        out = flex_attend(q, k, v, modify=_modified(bias, regions), dropout=dropout)
        return merge(torch.unflatten(out, 0, (batch, windows)).transpose(2, 3), size, window_size)
    out = attend_in_groups(q, k, v, kernel=kernel, bias=bias, dropout=dropout, scale_q=scale_q)
    return merge(out, size, window_size)


def relative_position_index(window: int | Size, table: int | Size, device: torch.device) -> Tensor:
    """Row of the bias table for each query and key of a window: (tokens, tokens), integers.

    Args:
        window: side, or height and width.
        table: those of the window that the table of (2H − 1)(2W − 1) rows was made for; a smaller window uses
            the middle of it.
    """
    y, x = _coordinates(_sides(window), device)
    height, width = _sides(table)
    dy = y[:, None] - y[None, :] + height - 1
    dx = x[:, None] - x[None, :] + width - 1
    return dy * (2 * width - 1) + dx


def look_up(tables: Tensor, index: Tensor) -> Tensor:
    """Biases of all pairs of tokens: (1, heads, queries, keys), contiguous, as fused kernels want them.

    Args:
        tables: (heads, rows). Swin's table is turned for it: along the last axis torch looks up several times
            as fast as it gathers rows, and adds up gradients so.
        index: (queries, keys), of rows.
    """
    return tables.contiguous().index_select(1, index.flatten()).view(1, -1, *index.shape)


def shift_regions(size: Size, window_size: int, shift_size: int, device: torch.device) -> Tensor:
    """Regions of the unshifted grid that the cyclic shift brings into one window.

    Returns:
        (windows, window_size²): for each token, the number of its region, of which there are nine.
    """
    of_axis = []
    for side in size:
        place = torch.arange(side, device=device)
        of_axis.append((place >= side - window_size).long() + (place >= side - shift_size).long())
    region = of_axis[0][:, None] * 3 + of_axis[1][None, :]
    return partition(region[None, :, :, None], size, window_size)[0, :, :, 0]


def shift_mask(size: Size, window_size: int, shift_size: int, like: Tensor) -> Tensor:
    """Mask that keeps apart tokens which only the cyclic shift has brought into one window.

    Returns:
        (windows, 1, window_size², window_size²) of `like`'s device and dtype: 0 for tokens of the same region
        of the unshifted grid, −100 for others. Swin uses −100 and not −inf.
    """
    of_token = shift_regions(size, window_size, shift_size, like.device)
    apart = of_token[:, :, None] != of_token[:, None, :]
    zeros = torch.zeros(apart.shape, device=like.device, dtype=like.dtype)
    return zeros.masked_fill(apart, -100.0)[:, None]


def _modified(bias: Tensor | None, regions: Tensor | None) -> Modify | None:
    """Bias and shift mask as a function of a logit's place, the windows of all images in a row."""
    if bias is None and regions is None:
        return None

    def modify(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        if bias is not None:
            score = score + bias[0, head, query, key]
        if regions is not None:
            window = batch % len(regions)
            score = torch.where(regions[window, query] == regions[window, key], score, score - 100.0)
        return score

    return modify


def offset_index(window: Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows and columns by which a pair's key lies after its query, counted from 0: (tokens, tokens) each."""
    y, x = _coordinates(window, device)
    return y[None, :] - y[:, None] + window[0] - 1, x[None, :] - x[:, None] + window[1] - 1


def _coordinates(window: Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of each token of a window."""
    height, width = window
    y = torch.arange(height, device=device).repeat_interleave(width)
    return y, torch.arange(width, device=device).repeat(height)


class RelativePositionBias(nn.Module):
    """The bias of all pairs of tokens of an H × W window: (1, heads, H·W, H·W).

    Raises:
        ValueError: an unknown kind.
    """

    def __init__(self, window: tuple[int, int], num_heads: int, *, kind: str = "bias") -> None:
        super().__init__()
        check_one_of("rel_pos", kind, KINDS)
        self.window = window
        self.num_heads = num_heads
        self.kind = kind
        height, width = 2 * window[0] - 1, 2 * window[1] - 1
        shape = (height * width, num_heads) if kind == "bias" else (num_heads, height, width)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))
        self._index: Tensor | None = None

    def forward(self) -> Tensor:
        table = self.relative_position_bias_table
        return look_up(table.t() if self.kind == "bias" else table.flatten(1), self._index_on(table.device))

    def _index_on(self, device: torch.device) -> Tensor:
        """Place in the table of each pair; made once a device and, as it follows, no buffer."""
        if self._index is None or self._index.device != device:
            with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
                dy, dx = offset_index(self.window, device)
                rows, columns = 2 * self.window[0] - 1, 2 * self.window[1] - 1
                index = dy * columns + dx
                # Reading the table from its end turns key − query into query − key.
                self._index = rows * columns - 1 - index if self.kind == "bias" else index
        return self._index
