"""Gates for channels, and the mean of all tokens added to each."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.context_broadcast import (
    ContextBroadcast,
    ContextBroadcastMSA,
    ScaledContextBroadcast,
    UniformHeadMSA,
)
from benchsuite.mixers.eca import EfficientChannelAttention
from benchsuite.mixers.gather_excite import GatherExcite
from benchsuite.mixers.se import SqueezeExcite
from plain.global_attention import Size, attention, heads_of


def squeeze_excite(mixer: SqueezeExcite, x: Tensor) -> Tensor:
    """The map times a sigmoid of two layers on the channels' means."""
    means = F.adaptive_avg_pool2d(x, 1)
    return x * mixer.fc2(mixer.fc1(means).relu()).sigmoid()


def efficient_channels(mixer: EfficientChannelAttention, x: Tensor) -> Tensor:
    """The same with a convolution along the channels for the layers."""
    means = F.adaptive_avg_pool2d(x, 1).flatten(2).transpose(1, 2)  # B, 1, C
    return x * mixer.conv(means).transpose(1, 2).unsqueeze(3).sigmoid()


def gather_excite(mixer: GatherExcite, x: Tensor) -> Tensor:
    """The map times a sigmoid of what strided convolutions gather, spread over it again."""
    gathered = F.interpolate(mixer.gather(x), size=x.shape[2:])
    return x * gathered.sigmoid()


def broadcast(mixer: ContextBroadcast, x: Tensor, size: Size) -> Tensor:
    """CB: half of the tokens' mean and half of the token."""
    return (x + x.mean(dim=1, keepdim=True)) / 2


def scaled_broadcast(mixer: ScaledContextBroadcast, x: Tensor, size: Size) -> Tensor:
    """CBS: the mean times a learned factor for each channel is added."""
    return x + mixer.lam * x.mean(dim=1, keepdim=True)


def broadcast_attention(mixer: ContextBroadcastMSA, x: Tensor, size: Size) -> Tensor:
    """CB behind self-attention."""
    return broadcast(mixer.cb, attention(mixer.attn, x, size), size)


def uniform_head(mixer: UniformHeadMSA, x: Tensor, size: Size) -> Tensor:
    """Self-attention, and a head that gives each token the mean of its values over all tokens."""
    q, k, v = heads_of(mixer.qkv(x), mixer.attn_heads, 3)
    attn = (q @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
    mixed = (attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
    uniform = mixer.uniform_v(x).mean(dim=1, keepdim=True)
    out: Tensor = mixer.proj(mixed) + mixer.uniform_proj(uniform)
    return out
