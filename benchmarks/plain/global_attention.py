"""Attention of all tokens to all, or to all of a smaller grid, with the matrix of weights formed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.dat_pyramid import PyramidAttention
from benchsuite.mixers.lit import RelPosMSA
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.non_local import NonLocal
from benchsuite.mixers.pvt import LinearSpatialReductionAttention, SpatialReductionAttention

Size = tuple[int, int]


def attention(mixer: MSA, x: Tensor, size: Size) -> Tensor:
    """softmax(q kᵀ / √d) v of each head, projected."""
    q, k, v = heads_of(mixer.qkv(x), mixer.num_heads, 3)
    attn = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
    out: Tensor = mixer.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    return out


def heads_of(x: Tensor, num_heads: int, parts: int) -> tuple[Tensor, ...]:
    """(B, N, parts · C) → `parts` of (B, heads, N, head_dim)."""
    return torch.unflatten(x, 2, (parts, num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def relative(mixer: RelPosMSA, x: Tensor, size: Size) -> Tensor:
    """The same with a bias that is looked up for each pair of tokens."""
    q, k, v = heads_of(mixer.qkv(x), mixer.num_heads, 3)
    attn = (q * mixer.head_dim**-0.5) @ k.transpose(-2, -1) + relative_bias(
        mixer.relative_position_bias_table, size
    )
    out: Tensor = mixer.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    return out


_INDEX: dict[tuple[Size, torch.device], Tensor] = {}


def relative_bias(table: Tensor, size: Size) -> Tensor:
    """Rows of a ((2H − 1)(2W − 1), heads) table for each pair of tokens: (heads, N, N)."""
    height, width = size
    if (size, table.device) not in _INDEX:
        with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            rows, columns = (t.flatten()[:, None] - t.flatten() for t in (y, x))
            index = (rows + height - 1) * (2 * width - 1) + columns + width - 1
            _INDEX[size, table.device] = index.flatten().to(table.device)
    tokens = height * width
    return table[_INDEX[size, table.device]].view(tokens, tokens, -1).permute(2, 0, 1)


def reduced(mixer: SpatialReductionAttention, x: Tensor, size: Size) -> Tensor:
    """Keys and values of a grid that a strided convolution and a norm have shrunk."""
    if mixer.sr_ratio == 1:
        return _to_few(mixer, x, x)
    maps = mixer.sr(x.transpose(1, 2).unflatten(2, size))
    return _to_few(mixer, x, mixer.norm(maps.flatten(2).transpose(1, 2)))


def pooled(mixer: LinearSpatialReductionAttention, x: Tensor, size: Size) -> Tensor:
    """Keys and values of a grid that is averaged to a fixed size, then a convolution, a norm and GELU."""
    maps = mixer.sr(F.adaptive_avg_pool2d(x.transpose(1, 2).unflatten(2, size), mixer.pool_size))
    return _to_few(mixer, x, F.gelu(mixer.norm(maps.flatten(2).transpose(1, 2))))


def _to_few(
    mixer: SpatialReductionAttention | LinearSpatialReductionAttention, x: Tensor, few: Tensor
) -> Tensor:
    """Attention of (B, N, dim) tokens to (B, M, dim)."""
    (q,), (k, v) = heads_of(mixer.q(x), mixer.num_heads, 1), heads_of(mixer.kv(few), mixer.num_heads, 2)
    attn = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
    out: Tensor = mixer.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    return out


def pyramid(mixer: PyramidAttention, x: Tensor) -> Tensor:
    """The same on maps: products over positions by einsum, 1 × 1 convolutions around."""
    few = x if mixer.sr_ratio == 1 else mixer.proj_ds(x)
    q, k, v = (
        t.flatten(2).unflatten(1, (mixer.num_heads, -1)) for t in (mixer.q(x), *mixer.kv(few).chunk(2, 1))
    )  # B, heads, head_dim, N or M
    scaled = q * (mixer.dim // mixer.num_heads) ** -0.5
    attn = torch.einsum("bhcm,bhcn->bhmn", scaled, k).softmax(dim=-1)
    mixed = torch.einsum("bhmn,bhcn->bhcm", attn, v)
    out: Tensor = mixer.proj(mixed.flatten(1, 2).unflatten(2, x.shape[2:]))
    return out


def non_local(mixer: NonLocal, x: Tensor) -> Tensor:
    """softmax(θ φᵀ) g of one head, back through a convolution and a norm, added to the input."""
    t, p, g = (project(x).flatten(2).transpose(1, 2) for project in (mixer.t, mixer.p, mixer.g))
    attn = ((t @ p.transpose(1, 2)) * mixer.scale).softmax(dim=-1)
    mixed = (attn @ g).transpose(1, 2).unflatten(2, x.shape[2:])
    out: Tensor = x + mixer.norm(mixer.z(mixed))
    return out
