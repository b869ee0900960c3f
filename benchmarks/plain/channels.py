"""Attention of channels to channels, and an MLP along the tokens."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.davit import ChannelAttention
from benchsuite.mixers.mlp_mixer import TokenMixingMLP
from benchsuite.mixers.xcit import CrossCovarianceAttention
from plain.global_attention import heads_of

Size = tuple[int, int]


def channels(mixer: ChannelAttention, x: Tensor, size: Size) -> Tensor:
    """softmax(kᵀ v / √d) qᵀ of each group of channels."""
    q, k, v = heads_of(mixer.qkv(x), mixer.num_heads, 3)
    attn = (k * mixer.head_dim**-0.5).transpose(-2, -1) @ v
    mixed = (attn.softmax(dim=-1) @ q.transpose(-2, -1)).transpose(-2, -1)
    out: Tensor = mixer.proj(mixed.transpose(1, 2).flatten(2))
    return out


def cross_covariance(mixer: CrossCovarianceAttention, x: Tensor, size: Size) -> Tensor:
    """The same with queries and keys of unit length over the tokens, and a temperature for each head."""
    q, k, v = (t.transpose(-2, -1) for t in heads_of(mixer.qkv(x), mixer.num_heads, 3))
    attn = (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)) * mixer.temperature
    mixed = attn.softmax(dim=-1) @ v  # B, heads, head_dim, N
    out: Tensor = mixer.proj(mixed.flatten(1, 2).transpose(1, 2))
    return out


def token_mlp(mixer: TokenMixingMLP, x: Tensor, size: Size) -> Tensor:
    """An MLP on the transposed tokens."""
    fc1, fc2 = mixer.fc1, mixer.fc2
    hidden = F.gelu(F.linear(x.transpose(1, 2), fc1.weight, fc1.bias))
    return F.linear(hidden, fc2.weight, fc2.bias).transpose(1, 2)
