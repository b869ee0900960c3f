"""Windows of a token grid: padding, partition, merging, and attention inside of windows.

What Hi-Fi, Swin's and Twins' window attention share. Windows are in row-major order of the grid, and so are
the tokens of a window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._attention import attend
from benchsuite.mixers._flex import Modify, flex_attend

Size = tuple[int, int]


def check_window_size(window_size: int) -> int:
    """Return `window_size`, or raise ValueError if there is no such window."""
    if window_size < 1:
        raise ValueError(f"window_size {window_size} is not positive")
    return window_size


def check_divides(window_size: int, size: Size) -> None:
    """Raise ValueError if windows do not tile the grid."""
    height, width = size
    if min(size) < window_size or height % window_size or width % window_size:
        raise ValueError(f"window_size {window_size} does not divide the {height} × {width} grid")


def padded_size(size: Size, window_size: int) -> Size:
    """The grid's size rounded up to multiples of the window's."""
    height, width = (-(-side // window_size) * window_size for side in size)
    return height, width


def pad_grid(x: Tensor, size: Size, window_size: int) -> Tensor:
    """Pad a (B, H, W, C) map with zeros, right and bottom, to multiples of the window. No copy if it fits."""
    height, width = padded_size(size, window_size)
    if (height, width) == size:
        return x
    return F.pad(x, (0, 0, 0, width - size[1], 0, height - size[0]))


def crop_grid(x: Tensor, size: Size) -> Tensor:
    """The inverse of `pad_grid`: a view of the first H rows and W columns."""
    return x[:, : size[0], : size[1]]


def partition(x: Tensor, size: Size, window_size: int) -> Tensor:
    """(B, H, W, C) → (B, windows, window_size², C). The window divides H and W."""
    rows, columns = size[0] // window_size, size[1] // window_size
    batch, channels = x.shape[0], x.shape[-1]
    x = x.reshape(batch, rows, window_size, columns, window_size, channels).transpose(2, 3)
    return x.reshape(batch, rows * columns, window_size**2, channels)


def merge(windows: Tensor, size: Size, window_size: int) -> Tensor:
    """The inverse of `partition`: (B, windows, window_size², …) → (B, H, W, C), trailing axes flattened to C.

    One copy at most: heads that come as an axis of their own are joined in the same pass.
    """
    rows, columns = size[0] // window_size, size[1] // window_size
    batch, trailing = windows.shape[0], windows.shape[3:]
    x = windows.reshape(batch, rows, columns, window_size, window_size, *trailing).transpose(2, 3)
    return x.reshape(batch, *size, -1)


def attend_in_windows(
    qkv: Tensor,
    size: Size,
    window_size: int,
    num_heads: int,
    *,
    kernel: str,
    bias: Tensor | None = None,
    regions: Tensor | None = None,
    dropout: float = 0.0,
    scale_q: bool = False,
) -> Tensor:
    """Multi-head attention among the tokens of each window, without a loop over windows or heads.

    Args:
        qkv: (B, windows, window_size², 3 × width), the channels in the order of queries, keys, values.
        size: of the grid that the windows tile.
        bias: (windows or 1, num_heads or 1, window_size², window_size²), added to the logits. On "flex": (1,
            num_heads, window_size², window_size²).
        regions: what `shift_regions` makes, on "flex" only; on the others the bias holds `shift_mask`.
        kernel, dropout, scale_q: as for `attend`; or "flex", as for `flex_attend`.

    Returns:
        (B, H, W, width), merged.
    """
    batch, windows, tokens, channels = qkv.shape
    qkv = qkv.reshape(batch, windows, tokens, 3, num_heads, channels // (3 * num_heads))
    q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)  # each B, windows, heads, tokens, head_dim
    if kernel == "flex":
        q, k, v = (t.flatten(0, 1) for t in (q, k, v))
        out = flex_attend(q, k, v, modify=_modified(bias, regions), dropout=dropout)
        return merge(torch.unflatten(out, 0, (batch, windows)).transpose(2, 3), size, window_size)
    if kernel != "math":
        # Fused kernels take four axes. Windows join the batch (a view), unless each has a bias of its own:
        # then they join the heads, as a bias must not be repeated for every image.
        axis = 0 if bias is None or bias.shape[0] == 1 else 1
        if bias is not None and axis == 1:
            bias = bias.expand(windows, num_heads, tokens, tokens).reshape(1, -1, tokens, tokens)
        q, k, v = (t.flatten(axis, axis + 1) for t in (q, k, v))
    out = attend(q, k, v, kernel=kernel, bias=bias, dropout=dropout, scale_q=scale_q)
    out = out.reshape(batch, windows, num_heads, tokens, -1)
    return merge(out.transpose(2, 3), size, window_size)


def relative_position_index(window_size: int, table_size: int, device: torch.device) -> Tensor:
    """Row of the bias table for each pair of tokens of a window: (window_size², window_size²), integers.

    Args:
        table_size: side of the window that the table of (2 table_size − 1)² rows was made for; a smaller
            window uses the middle of it.
    """
    side = torch.arange(window_size, device=device)
    y, x = side.repeat_interleave(window_size), side.repeat(window_size)  # of each token
    dy = y[:, None] - y[None, :] + table_size - 1
    dx = x[:, None] - x[None, :] + table_size - 1
    return dy * (2 * table_size - 1) + dx


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
    """What keeps apart tokens that only the cyclic shift has brought into one window.

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
