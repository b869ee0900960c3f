"""Convolutions, by weights of each position (unfold, weigh, sum), of each image, and learned."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers._layers import ConvFFN, ConvolutionalPosition
from benchsuite.mixers.depthwise import InhomogeneousDepthwiseConv
from benchsuite.mixers.dwnet import DynamicDWBlock
from benchsuite.mixers.involution import Involution
from benchsuite.mixers.smlp import SparseMLP
from benchsuite.mixers.volo import OutlookAttention
from plain._copies import copies


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


def dynamic_block(mixer: DynamicDWBlock, x: Tensor) -> Tensor:
    """1 × 1 convolution, depth-wise convolution by kernels of each image, 1 × 1 convolution."""
    x = mixer.bn0(mixer.conv0(x.permute(0, 3, 1, 2))).relu()
    conv, (batch, dim, *size) = mixer.conv, x.shape
    weight = conv.conv2(conv.bn(conv.conv1(F.adaptive_avg_pool2d(x, 1))).relu())
    mixed = F.conv2d(
        x.reshape(1, -1, *size),
        weight.view(batch * dim, 1, conv.kernel_size, conv.kernel_size),
        conv.bias.repeat(batch),
        padding=conv.padding,
        groups=batch * dim,
    )
    x = mixer.bn(mixed.view(batch, dim, *size)).relu()
    out: Tensor = mixer.bn2(mixer.conv2(x)).permute(0, 2, 3, 1)
    return out


def convolutional_position(mixer: ConvolutionalPosition, x: Tensor, size: tuple[int, int]) -> Tensor:
    """Tokens and a convolution of them, the tokens put on their grid and taken off again."""
    return x + mixer.proj(x.transpose(1, 2).unflatten(2, size)).flatten(2).transpose(1, 2)


def feed_forward(mixer: ConvFFN, x: Tensor, size: tuple[int, int]) -> Tensor:
    """Layer, depth-wise convolution, GELU, layer."""
    maps = mixer.fc1(x).transpose(1, 2).unflatten(2, size)
    hidden = mixer.dwconv(maps).flatten(2).transpose(1, 2)
    out: Tensor = mixer.fc2(F.gelu(hidden))
    return out


def sparse_mlp(mixer: SparseMLP, x: Tensor) -> Tensor:
    """1 × 1 convolutions over rows and over columns, which are the channels of a permuted map, then fused."""
    x = F.gelu(mixer.norm(x))
    weights = (t.weight[:, :, None, None] for t in (mixer.proj_h, mixer.proj_w))
    along_h, along_w = (
        F.conv2d(t, weight, layer.bias)
        for t, weight, layer in zip(
            (x.permute(0, 2, 1, 3), x.permute(0, 3, 1, 2)), weights, (mixer.proj_h, mixer.proj_w), strict=True
        )
    )
    out: Tensor = mixer.fuse(torch.cat([x, along_w.permute(0, 2, 3, 1), along_h.permute(0, 2, 1, 3)], dim=1))
    return out
