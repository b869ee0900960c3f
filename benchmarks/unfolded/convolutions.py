"""Involution, inhomogeneous dynamic convolution and outlook attention: unfold, weigh, sum (or fold)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.depthwise import InhomogeneousDepthwiseConv
from benchsuite.mixers.involution import Involution
from benchsuite.mixers.volo import OutlookAttention
from unfolded._copies import copies


def involution(mixer: Involution, x: Tensor) -> Tensor:
    """Σ_j w_j x_j over the k² neighbours j; w is of a group of channels."""
    pooled = x if mixer.stride == 1 else F.avg_pool2d(x, mixer.stride)
    weights = mixer.span(mixer.norm(mixer.reduce(pooled)).relu())
    weights = torch.unflatten(weights, 1, (mixer.groups, 1, mixer.kernel_size**2))
    return _weighed(x, weights, mixer.kernel_size, mixer.stride)


def inhomogeneous(mixer: InhomogeneousDepthwiseConv, x: Tensor) -> Tensor:
    """As involution, with another network for the weights."""
    weights = mixer.conv2(mixer.bn(mixer.conv1(x)).relu())
    return _weighed(x, torch.unflatten(weights, 1, (mixer.groups, 1, -1)), mixer.kernel_size, 1)


def _weighed(x: Tensor, weights: Tensor, kernel_size: int, stride: int) -> Tensor:
    """(B, C, H', W') of x (B, C, H, W) and weights (B, groups, 1, k², H', W')."""
    neighbors = copies(x, kernel_size, stride=stride, padding=kernel_size // 2)
    neighbors = torch.unflatten(neighbors, 1, (weights.shape[1], -1))
    return (weights * neighbors).sum(dim=3).flatten(1, 2)


def outlook(mixer: OutlookAttention, x: Tensor) -> Tensor:
    """K² values of each window, mixed to K² new ones, folded back onto the map."""
    batch, height, width, dim = x.shape
    squared, how = mixer.kernel_size**2, {"padding": mixer.padding, "stride": mixer.stride}
    values = copies(mixer.v(x).permute(0, 3, 1, 2), mixer.kernel_size, **how).flatten(3)  # B, C, K², L
    values = torch.unflatten(values, 1, (mixer.num_heads, -1)).permute(
        0, 1, 4, 3, 2
    )  # B, heads, L, K², head_dim
    pooled = x
    if mixer.stride > 1:
        pooled = F.avg_pool2d(x.permute(0, 3, 1, 2), mixer.stride, ceil_mode=True).permute(0, 2, 3, 1)
    logits = mixer.attn(pooled).reshape(batch, -1, mixer.num_heads, squared, squared).transpose(1, 2)
    mixed = (logits * mixer.head_dim**-0.5).softmax(dim=-1) @ values
    columns = mixed.permute(0, 1, 4, 3, 2).reshape(batch, dim * squared, -1)
    folded = F.fold(columns, (height, width), mixer.kernel_size, **how)
    out: Tensor = mixer.proj(folded.permute(0, 2, 3, 1))
    return out
