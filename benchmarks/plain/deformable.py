"""Deformable attention with positions "rpe": keys and values sampled where offsets point to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.dat import DeformableAttention


def deformable(mixer: DeformableAttention, x: Tensor) -> Tensor:
    """Offsets from the queries, bilinear samples of the map, attention with a sampled bias."""
    batch, groups, (height, width) = x.shape[0], mixer.num_groups, x.shape[2:]
    q = mixer.proj_q(x)
    offset = mixer.conv_offset(q.reshape(batch * groups, -1, height, width)).permute(0, 2, 3, 1)
    rows, columns = offset.shape[1:3]
    steps = offset.new_tensor([1 / (rows - 1), 1 / (columns - 1)])
    where = offset.tanh() * steps * mixer.offset_range_factor + _centers(rows, columns, 0.5, x)
    sampled = _sampled(x.reshape(batch * groups, -1, height, width), where)
    sampled = sampled.reshape(batch, mixer.dim, 1, rows * columns)
    q, k, v = (
        t.flatten(2).unflatten(1, (mixer.num_heads, -1))
        for t in (q, mixer.proj_k(sampled), mixer.proj_v(sampled))
    )  # B, heads, head_dim, N or M
    apart = _centers(height, width, 0.0, x).reshape(1, -1, 1, 2) - where.reshape(
        batch * groups, 1, -1, 2
    )  # B · groups, N, M, 2
    tables = mixer.rpe_table.unflatten(0, (groups, -1)).repeat(batch, 1, 1, 1)
    bias = _sampled(tables, apart * 0.5).reshape(batch, mixer.num_heads, height * width, -1)
    logits = torch.einsum("bhcm,bhcn->bhmn", q, k) * (mixer.dim // mixer.num_heads) ** -0.5
    attn = (logits + bias).softmax(dim=-1)
    mixed = torch.einsum("bhmn,bhcn->bhcm", attn, v)
    out: Tensor = mixer.proj_out(mixed.reshape(x.shape))
    return out


def _centers(rows: int, columns: int, first: float, like: Tensor) -> Tensor:
    """(rows, columns, 2): positions from `first` on, over side − 1, as numbers from −1 on."""
    sides = [
        (torch.arange(side, device=like.device, dtype=like.dtype) + first) / (side - 1) * 2 - 1
        for side in (rows, columns)
    ]
    return torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1)


def _sampled(maps: Tensor, where: Tensor) -> Tensor:
    """(B, C, H, W) at (B, h, w, 2) rows and columns."""
    return F.grid_sample(maps, where[..., (1, 0)], mode="bilinear", align_corners=True)
