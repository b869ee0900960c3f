"""Learned matrices along tokens, rows or columns, by transposing."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._layers import TokenLinear
from benchsuite.mixers.gmlp import GatedMLP
from benchsuite.mixers.resmlp import CrossPatch
from benchsuite.mixers.vip import WeightedPermuteMLP

Size = tuple[int, int]


def along_tokens(layer: TokenLinear, x: Tensor) -> Tensor:
    """(B, N, C) → (B, M, C)."""
    return F.linear(x.transpose(1, 2), layer.weight, layer.bias).transpose(1, 2)


def gated(mixer: GatedMLP, x: Tensor, size: Size) -> Tensor:
    """gMLP: half of the hidden channels, mixed along the tokens, gates the other half."""
    u, v = F.gelu(mixer.fc1(x)).chunk(2, dim=-1)
    v = along_tokens(mixer.gate.proj, mixer.gate.norm(v))
    out: Tensor = mixer.fc2(u * v)
    return out


def cross_patch(mixer: CrossPatch, x: Tensor, size: Size) -> Tensor:
    """ResMLP: affine map, matrix along the tokens, factors of the channels."""
    x = mixer.norm.alpha * x + mixer.norm.beta
    return mixer.gamma * along_tokens(mixer.proj, x)


def permuted(mixer: WeightedPermuteMLP, x: Tensor) -> Tensor:
    """ViP: layers along height × segment, width × segment and channels, weighted by a softmax."""
    batch, height, width, dim = x.shape
    segments, along_h, along_w = mixer.segment_dim, height * mixer.segment, width * mixer.segment
    parts = x.reshape(batch, height, width, segments, mixer.segment)
    h = mixer.mlp_h(parts.permute(0, 3, 2, 1, 4).reshape(batch, segments, width, along_h))
    h = h.reshape(batch, segments, width, height, mixer.segment).permute(0, 3, 2, 1, 4).reshape(x.shape)
    w = mixer.mlp_w(parts.permute(0, 1, 3, 2, 4).reshape(batch, height, segments, along_w))
    w = w.reshape(batch, height, segments, width, mixer.segment).permute(0, 1, 3, 2, 4).reshape(x.shape)
    c = mixer.mlp_c(x)
    weights = mixer.reweight((h + w + c).flatten(1, 2).mean(dim=1))
    weights = weights.reshape(batch, dim, 3).permute(2, 0, 1).softmax(dim=0)[:, :, None, None]
    out: Tensor = mixer.proj(h * weights[0] + w * weights[1] + c * weights[2])
    return out
