"""Depth-wise convolutions, alone and between layers, and mixers that multiply by what they put out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.convnext import ConvNeXtConv
from benchsuite.mixers.depthwise import DepthwiseConv, DynamicDepthwiseConv
from benchsuite.mixers.dwnet import DWBlock, InhomogeneousDWBlock
from benchsuite.mixers.focalnet import FocalModulation
from benchsuite.mixers.hornet import GnConv
from benchsuite.mixers.poolformer import Pooling
from benchsuite.mixers.van import LargeKernelAttention, VanAttention
from plain.convolutions import inhomogeneous


def depthwise(mixer: DepthwiseConv, x: Tensor) -> Tensor:
    """A kernel for each channel."""
    return F.conv2d(x, mixer.weight, mixer.bias, padding=mixer.kernel_size // 2, groups=mixer.dim)


def convnext(mixer: ConvNeXtConv, x: Tensor) -> Tensor:
    """The same as a layer."""
    out: Tensor = mixer.dwconv(x)
    return out


def dynamic(mixer: DynamicDepthwiseConv, x: Tensor) -> Tensor:
    """Kernels of each image, from its mean; the images are groups of one convolution."""
    batch, dim, *size = x.shape
    weight = mixer.conv2(mixer.bn(mixer.conv1(F.adaptive_avg_pool2d(x, 1))).relu())
    mixed = F.conv2d(
        x.reshape(1, -1, *size),
        weight.view(batch * dim, 1, mixer.kernel_size, mixer.kernel_size),
        mixer.bias.repeat(batch),
        padding=mixer.padding,
        groups=batch * dim,
    )
    return mixed.view(batch, dim, *size)


def static_block(mixer: DWBlock, x: Tensor) -> Tensor:
    """1 × 1 convolution, depth-wise convolution, 1 × 1 convolution, each with a norm."""
    return _between_layers(mixer, x, depthwise)


def inhomogeneous_block(mixer: InhomogeneousDWBlock, x: Tensor) -> Tensor:
    """The same with kernels of each position."""
    return _between_layers(mixer, x, inhomogeneous)


def _between_layers(
    mixer: DWBlock | InhomogeneousDWBlock, x: Tensor, convolve: Callable[[Any, Tensor], Tensor]
) -> Tensor:
    x = mixer.bn0(mixer.conv0(x.permute(0, 3, 1, 2))).relu()
    x = mixer.bn(convolve(mixer.conv, x)).relu()
    out: Tensor = mixer.bn2(mixer.conv2(x)).permute(0, 2, 3, 1)
    return out


def pooling(mixer: Pooling, x: Tensor) -> Tensor:
    """The mean of the neighbours that there are, less the token."""
    side = mixer.pool_size
    return F.avg_pool2d(x, side, stride=1, padding=side // 2, count_include_pad=False) - x


def large_kernel(mixer: LargeKernelAttention, x: Tensor) -> Tensor:
    """The map times three convolutions of it."""
    attn = mixer.conv1(mixer.conv_spatial(mixer.conv0(x)))
    return x * attn


def visual_attention(mixer: VanAttention, x: Tensor) -> Tensor:
    """The same between two layers, and a shortcut."""
    hidden = F.gelu(mixer.proj_1(x))
    out: Tensor = mixer.proj_2(large_kernel(mixer.lka, hidden)) + x
    return out


def recursive_gates(mixer: GnConv, x: Tensor) -> Tensor:
    """gnConv: widths double from gate to gate, and each gate is a part of one depth-wise convolution."""
    x, gates = mixer.proj_in(x).split((mixer.dims[0], sum(mixer.dims)), dim=1)
    gates = (mixer.dwconv(gates) * mixer.scale).split(mixer.dims, dim=1)
    x = x * gates[0]
    for widen, gate in zip(mixer.pws, gates[1:], strict=True):
        x = widen(x) * gate
    out: Tensor = mixer.proj_out(x)
    return out


def modulation(mixer: FocalModulation, x: Tensor) -> Tensor:
    """Queries times a layer of Σ gate × context: contexts of ever larger convolutions, and their mean."""
    x = mixer.f(x).permute(0, 3, 1, 2)
    q, context, gates = x.split((mixer.dim, mixer.dim, mixer.focal_level + 1), dim=1)
    gathered: Tensor | float = 0.0
    for level, convolution in enumerate(mixer.focal_layers):
        context = F.gelu(convolution(context))
        gathered = gathered + context * gates[:, level : level + 1]
    whole = F.gelu(context.mean(dim=(2, 3), keepdim=True))
    gathered = gathered + whole * gates[:, mixer.focal_level :]
    out: Tensor = mixer.proj((q * mixer.h(gathered)).permute(0, 2, 3, 1))
    return out
