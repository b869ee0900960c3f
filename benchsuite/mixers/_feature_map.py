"""Feature maps: tokens as maps and back, and a norm over the channels of a map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def as_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, N, C) tokens as a (B, C, H, W) view, channels last in memory."""
    return x.transpose(1, 2).unflatten(2, size)


def as_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B, N, C) tokens, a view."""
    return x.flatten(2).transpose(1, 2)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a (B, C, H, W) map, at each position."""

    def __init__(self, dim: int, *, eps: float) -> None:
        super().__init__(dim, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)
