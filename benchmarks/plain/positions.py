"""Attention with logits of positions: looked up, or products of queries with embeddings."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.botnet import BottleneckAttention
from benchsuite.mixers.cascaded_group import CascadedGroupAttention
from benchsuite.mixers.coatnet import CoAtNetAttention
from benchsuite.mixers.convit import GPSA
from benchsuite.mixers.halo import HaloAttention
from plain.global_attention import Size, heads_of, relative_bias


def coatnet(mixer: CoAtNetAttention, x: Tensor) -> Tensor:
    """Attention of all positions of a map, with a bias for each offset."""
    size = (x.shape[2], x.shape[3])
    q, k, v = mixer.qkv(x).flatten(2).unflatten(1, (3, mixer.num_heads, mixer.head_dim)).unbind(1)
    table = mixer.rel_pos.relative_position_bias_table.flatten(1).t()  # of offsets key − query
    bias = relative_bias(table, size).transpose(1, 2)
    attn = (torch.einsum("bhdn,bhdm->bhnm", q, k) * mixer.head_dim**-0.5 + bias).softmax(dim=-1)
    mixed = torch.einsum("bhnm,bhdm->bhdn", attn, v)
    out: Tensor = mixer.proj(mixed.flatten(1, 2).unflatten(2, size))
    return out


def bottleneck(mixer: BottleneckAttention, x: Tensor) -> Tensor:
    """BoTNet: logits of content, of the row and of the column of the key."""
    size = (x.shape[2], x.shape[3])
    q, k, v = mixer.qkv(x).flatten(2).split((mixer.qk_width, mixer.qk_width, mixer.dim_out), dim=1)
    q, k, v = (t.unflatten(1, (mixer.num_heads, -1)).transpose(2, 3) for t in (q, k, v))
    logits = (q * mixer.scale) @ k.transpose(-2, -1)  # B, heads, N, N
    embeddings = mixer.pos_embed.height_rel, mixer.pos_embed.width_rel
    logits = logits + _of_places(q.unflatten(2, size), embeddings, size).flatten(4).flatten(2, 3)
    mixed = (logits.softmax(dim=-1) @ v).transpose(2, 3)
    return mixed.flatten(1, 2).unflatten(2, size)


def _of_places(q: Tensor, embeddings: tuple[Tensor, Tensor], keys: Size) -> Tensor:
    """Products of queries with the embeddings of a key's row and column, both relative to the query's.

    Args:
        q: (B, G, h, w, head_dim), the first of an h × w or larger grid of keys.
        embeddings: (2H − 1, head_dim) for offsets of rows, (2W − 1, head_dim) for those of columns.
        keys: H and W.

    Returns:
        (B, G, h, w, H, W).
    """
    of_rows, of_columns = (
        table[_offsets(q.shape[axis], side, q.device)]
        for table, axis, side in zip(embeddings, (2, 3), keys, strict=True)
    )  # h, H, head_dim and w, W, head_dim
    rows = torch.einsum("bgyxd,ykd->bgyxk", q, of_rows)
    columns = torch.einsum("bgyxd,xkd->bgyxk", q, of_columns)
    return rows.unsqueeze(5) + columns.unsqueeze(4)


@cache
@torch.inference_mode(False)
def _offsets(queries: int, keys: int, device: torch.device) -> Tensor:
    """(queries, keys): key − query, counted from the smallest of a square of keys."""
    return torch.arange(keys, device=device) - torch.arange(queries, device=device)[:, None] + keys - 1


def halo(mixer: HaloAttention, x: Tensor) -> Tensor:
    """Attention of a block's queries to the block and a halo around it, unfolded."""
    batch, _, height, width = x.shape
    side, window, heads = mixer.block_size, mixer.window, mixer.num_heads
    rows, columns = height // side, width // side
    q = mixer.q(x).reshape(batch * heads, mixer.qk_dim, rows, side, columns, side)
    q = q.permute(0, 2, 4, 3, 5, 1).flatten(1, 2)  # B · heads, blocks, s, s, head_dim
    kv = F.unfold(mixer.kv(x), window, padding=mixer.halo_size, stride=side)
    kv = kv.reshape(batch * heads, -1, window**2, rows * columns).permute(0, 3, 2, 1)
    k, v = kv.split((mixer.qk_dim, mixer.v_dim), dim=-1)  # B · heads, blocks, w², head_dim
    logits = (q.flatten(2, 3) * mixer.qk_dim**-0.5) @ k.transpose(-2, -1)
    of_places = _of_places(q, (mixer.height_rel, mixer.width_rel), (window, window))
    attn = (logits + of_places.flatten(4).flatten(2, 3)).softmax(dim=-1)
    mixed = (attn @ v).reshape(batch, heads, rows, columns, side, side, mixer.v_dim)
    return mixed.permute(0, 1, 6, 2, 4, 3, 5).reshape(batch, mixer.dim_out, height, width)


def gated(mixer: GPSA, x: Tensor, size: Size) -> Tensor:
    """GPSA: attention by content and by position, mixed by a gate of each head."""
    q, k = heads_of(mixer.qk(x), mixer.num_heads, 2)
    (v,) = heads_of(mixer.v(x), mixer.num_heads, 1)
    by_content = ((q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5).softmax(dim=-1)
    by_position = mixer.pos_proj(_distances(size, x.device, x.dtype)).permute(2, 0, 1).softmax(dim=-1)
    gate = mixer.gating_param.sigmoid().view(-1, 1, 1)
    attn = (1 - gate) * by_content + gate * by_position
    out: Tensor = mixer.proj((attn @ v).transpose(1, 2).flatten(2))
    return out


@cache
@torch.inference_mode(False)
def _distances(size: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(N, N, 3): columns and rows from query to key, and the square of the distance."""
    y, x = torch.meshgrid(*(torch.arange(side, device=device) for side in size), indexing="ij")
    dy, dx = (t.flatten() - t.flatten()[:, None] for t in (y, x))
    return torch.stack((dx, dy, dx**2 + dy**2), dim=-1).to(dtype)


def cascaded(mixer: CascadedGroupAttention, x: Tensor) -> Tensor:
    """A head attends with its share of the channels and the output of the head before."""
    outputs: list[Tensor] = []
    biases = mixer.attention_biases[:, _away(mixer.grid, x.device)]  # heads, N, N
    for head, share in enumerate(x.chunk(mixer.num_heads, dim=1)):
        if outputs:
            share = share + outputs[-1]
        q, k, v = mixer.qkvs[head](share).split([mixer.key_dim, mixer.key_dim, mixer.head_dim], dim=1)
        q, k, v = mixer.dws[head](q).flatten(2), k.flatten(2), v.flatten(2)
        attn = (q.transpose(1, 2) @ k) * mixer.key_dim**-0.5 + biases[head]
        outputs.append((v @ attn.softmax(dim=-1).transpose(1, 2)).view(share.shape))
    out: Tensor = mixer.proj(torch.cat(outputs, dim=1).relu())
    return out


@cache
@torch.inference_mode(False)
def _away(size: Size, device: torch.device) -> Tensor:
    """(N, N): |rows| · width + |columns| between two positions."""
    y, x = torch.meshgrid(*(torch.arange(side, device=device) for side in size), indexing="ij")
    dy, dx = ((t.flatten() - t.flatten()[:, None]).abs() for t in (y, x))
    return dy * size[1] + dx
