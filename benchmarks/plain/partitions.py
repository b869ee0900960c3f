"""Attention of groups of tokens with biases: SwinV2's windows, MaxViT's blocks and grids."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.maxvit import BlockAttention, GridAttention
from benchsuite.mixers.swinv2 import SwinV2WindowAttention
from plain.global_attention import heads_of, relative_bias
from plain.windows import cut, merged

Size = tuple[int, int]


def cosine_windows(mixer: SwinV2WindowAttention, x: Tensor, size: Size) -> Tensor:
    """Cosine similarities times a temperature, and a bias that an MLP makes of the offsets."""
    window = mixer.window
    bias = torch.cat((mixer.q_bias, torch.zeros_like(mixer.q_bias), mixer.v_bias))
    qkv = F.linear(cut(x.unflatten(1, size), window), mixer.qkv.weight, bias)
    q, k, v = heads_of(qkv, mixer.num_heads, 3)
    attn = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
    attn = attn * mixer.logit_scale.clamp(max=math.log(100)).exp()
    mixer._prepare(size, window, 0, x)
    table = 16 * mixer.cpb_mlp(mixer._offsets).sigmoid()  # a row for each offset
    attn = (attn + relative_bias(table, window)).softmax(dim=-1)
    mixed = (attn @ v).transpose(1, 2).flatten(2)
    return merged(mixer.proj(mixed), size, window).flatten(1, 2)


def blocks(mixer: BlockAttention, x: Tensor) -> Tensor:
    """MaxViT: attention of the tokens of a window."""
    size = (x.shape[1], x.shape[2])
    return merged(_attend(mixer, cut(x, mixer.window)), size, mixer.window)


def grids(mixer: GridAttention, x: Tensor) -> Tensor:
    """The same of tokens that lie evenly over the map."""
    batch, height, width, dim = x.shape
    high, wide = mixer.window
    x = x.view(batch, high, height // high, wide, width // wide, dim).permute(0, 2, 4, 1, 3, 5)
    mixed = _attend(mixer, x.reshape(-1, high * wide, dim))
    mixed = mixed.view(batch, height // high, width // wide, high, wide, dim)
    return mixed.permute(0, 3, 1, 4, 2, 5).reshape(batch, height, width, dim)


def _attend(mixer: BlockAttention | GridAttention, x: Tensor) -> Tensor:
    """(B · groups, tokens, dim) → the same. The channels of the projection are heads first."""
    qkv = mixer.qkv(x).unflatten(2, (mixer.num_heads, 3, mixer.head_dim)).transpose(1, 2)
    q, k, v = qkv.unbind(3)  # B · groups, heads, tokens, head_dim
    bias = relative_bias(mixer.rel_pos.relative_position_bias_table, mixer.window)
    attn = (q * mixer.head_dim**-0.5) @ k.transpose(-2, -1) + bias
    out: Tensor = mixer.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    return out
