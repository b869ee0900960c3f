"""ACmix, neighborhood attention and focal attention: keys and values copied out for each query or window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._focal_keys import neighbor_count, pooled_size
from benchsuite.mixers._grid import crop_grid, pad_grid, padded_size
from benchsuite.mixers._windows import merge, partition
from benchsuite.mixers.acmix import ACmix
from benchsuite.mixers.focal import FocalAttention
from benchsuite.mixers.nat import NeighborhoodAttention
from plain._copies import reflected


def acmix(mixer: ACmix, x: Tensor) -> Tensor:
    """Attention to unfolded keys, values and positions, next to the convolution of the same projections.

    A position counts as the difference of the query's embedding and the key's.
    """
    stride, heads = mixer.stride, (mixer.num_heads, mixer.head_dim)
    qkv = mixer.qkv(x)
    q, k, v = qkv.chunk(3, dim=1)
    copied = (reflected(t, mixer.kernel_size, stride=stride) for t in (k, v))
    keys, values = (torch.unflatten(t, 1, heads) for t in copied)  # B, heads, head_dim, k², H', W'
    position = mixer.conv_p(x)
    apart = position[:, :, None, ::stride, ::stride] - reflected(position, mixer.kernel_size, stride=stride)
    q = torch.unflatten(q[..., ::stride, ::stride], 1, heads).unsqueeze(3) * mixer.head_dim**-0.5
    weights = (q * (keys + apart)).sum(dim=2).softmax(dim=2)  # B, heads, k², H', W'
    attended = (weights.unsqueeze(2) * values).sum(dim=3).flatten(1, 2)
    conv = mixer.conv(qkv.unflatten(1, (3 * mixer.num_heads, mixer.head_dim)))
    out: Tensor = mixer.rate1 * attended + mixer.rate2 * conv
    return out


def neighborhood(mixer: NeighborhoodAttention, x: Tensor) -> Tensor:
    """Windows unfolded inside of the map; positions near its edge take the nearest window that fits."""
    k, dilation = mixer.kernel_size, mixer.dilation
    mixer._prepare(x)
    assert mixer._offsets is not None
    rows, columns = (_first_keys(offsets, k, dilation) for offsets in mixer._offsets)
    span = dilation * (k - 1) + 1

    def copied(t: Tensor) -> Tensor:
        """(B, H, W, heads, head_dim) → (B, H, W, heads, head_dim, k²)."""
        windows = t.unfold(1, span, 1).unfold(2, span, 1)[..., ::dilation, ::dilation]
        return windows[:, rows[:, None], columns].flatten(5)  # the index copies

    q, key, value = mixer.qkv(x).unflatten(3, (3, mixer.num_heads, mixer.head_dim)).unbind(3)
    logits = (q.unsqueeze(4) * mixer.head_dim**-0.5) @ copied(key)  # B, H, W, heads, 1, k²
    if mixer.rel_pos:
        y, z = mixer._offsets
        bias = mixer.rpb[:, y[:, None, :, None], z[None, :, None, :]].flatten(3)  # heads, H, W, k²
        logits = logits + bias.permute(1, 2, 0, 3).unsqueeze(3)
    mixed = logits.softmax(dim=-1) @ copied(value).transpose(-2, -1)  # B, H, W, heads, 1, head_dim
    out: Tensor = mixer.proj(mixed.flatten(3))
    return out


def _first_keys(offsets: Tensor, kernel_size: int, dilation: int) -> Tensor:
    """Place of each position's first key along an axis, from the (length, k) columns of the bias table."""
    first: Tensor = (offsets[:, 0] - kernel_size + 1) * dilation
    return first + torch.arange(len(offsets), device=offsets.device)


def focal(mixer: FocalAttention, x: Tensor, size: tuple[int, int]) -> Tensor:
    """Four rolled copies of keys and values for the neighbours, unfolded pooled maps for what is further."""
    window, shift, grid = mixer.window_size, mixer.shift_size, padded_size(size, mixer.window_size)
    x = pad_grid(x.reshape(x.shape[0], *size, mixer.dim), size, grid)
    if shift:
        x = x.roll((-shift, -shift), (1, 2))
    q, k, v = mixer.qkv(x).chunk(3, dim=-1)
    pooled = [_pooled(mixer, x, grid, level) for level in range(mixer.levels)]
    keys = torch.cat([*_near(mixer, k, grid), *(maps[0] for maps in pooled)], dim=2)
    values = torch.cat([*_near(mixer, v, grid), *(maps[1] for maps in pooled)], dim=2)
    _, mask = mixer._prepare(grid, x)

    def by_head(t: Tensor) -> Tensor:
        """(B, windows, tokens, dim) → (B, windows, heads, tokens, head_dim)."""
        return torch.unflatten(t, 3, (mixer.num_heads, mixer.head_dim)).transpose(2, 3)

    q = by_head(partition(q, grid, window)) * mixer.head_dim**-0.5
    attn = (q @ by_head(keys).transpose(-2, -1) + (mixer._bias() + mask)).softmax(dim=-1)
    x = mixer.proj(merge((attn @ by_head(values)).transpose(2, 3), grid, window))
    if shift:
        x = x.roll((shift, shift), (1, 2))
    return crop_grid(x, size).flatten(1, 2)


def _near(mixer: FocalAttention, x: Tensor, grid: tuple[int, int]) -> list[Tensor]:
    """(B, windows, tokens, dim) of a window's own tokens and of its neighbours, from a (B, H, W, dim) map."""
    window, e = mixer.window_size, mixer.expand_size
    own = partition(x, grid, window)
    if not e:
        return [own]
    corners = ((-e, -e), (-e, e), (e, -e), (e, e))
    rolled = [partition(x.roll(corner, (1, 2)), grid, window) for corner in corners]
    outside = torch.ones(4, window, window, dtype=torch.bool, device=x.device)
    inner = {-e: slice(None, -e), e: slice(e, None)}
    for number, (down, across) in enumerate(corners):
        outside[number, inner[down], inner[across]] = False
    kept = outside.flatten().nonzero()[:, 0]
    assert len(kept) == neighbor_count(window, e)
    return [own, torch.cat(rolled, dim=2)[:, :, kept]]


def _pooled(mixer: FocalAttention, x: Tensor, grid: tuple[int, int], level: int) -> tuple[Tensor, Tensor]:
    """Keys and values of the sub-windows that each window sees, each (B, windows, span², dim)."""
    rows, columns = pooled_size(grid, mixer.window_size, level)
    pooled = mixer.qkv(mixer._pool(x, grid, level))  # B, sub-windows, 3 dim
    maps = torch.unflatten(pooled[..., mixer.dim :].transpose(1, 2), 2, (rows, columns))
    span, own = mixer.spans[level], 2**level
    unfolded = F.unfold(maps, span, stride=own, padding=(span - own) // 2)  # B, 2 dim · span², windows
    k, v = torch.unflatten(unfolded, 1, (2, mixer.dim, span**2)).permute(1, 0, 4, 3, 2).unbind(0)
    return k, v
