"""Feature maps: tokens as maps and back, attention between maps, and a norm over the channels of a map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers._attention import attend


def as_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, N, C) tokens as a (B, C, H, W) view, channels last in memory."""
    return x.transpose(1, 2).view(x.shape[0], x.shape[2], *size)


def as_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B, N, C) tokens; a view."""
    return x.flatten(2).transpose(1, 2)


def attend_maps(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    num_heads: int,
    *,
    kernel: str,
    bias: Tensor | None = None,
    dropout: float = 0.0,
    scale_q: bool = False,
) -> Tensor:
    """Multi-head attention of (B, C, H, W) queries to (B, C, …) keys and values, to (B, C, H, W)."""
    heads = (
        t.reshape(t.shape[0], num_heads, t.shape[1] // num_heads, -1).transpose(-2, -1) for t in (q, k, v)
    )
    out = attend(*heads, kernel=kernel, bias=bias, dropout=dropout, scale_q=scale_q)
    return out.transpose(-2, -1).reshape(q.shape)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a (B, C, H, W) map, at each position."""

    def __init__(self, dim: int, *, eps: float) -> None:
        super().__init__(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)
