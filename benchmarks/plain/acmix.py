"""ACmix on spatial-reduction attention and on SAN: attention, and a convolution of the same projections."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.acmix import ShiftedConvolution
from benchsuite.mixers.acmix_pvt import ACmixSpatialReductionAttention
from benchsuite.mixers.acmix_san import ACmixPatchwiseAttention
from plain.global_attention import Size, heads_of
from plain.san import neighbors


def reduced(mixer: ACmixSpatialReductionAttention, x: Tensor, size: Size) -> Tensor:
    """Attention to a reduced grid; for the convolution its keys and values are spread over the grid again."""
    few = mixer.norm(mixer.sr(x.transpose(1, 2).unflatten(2, size)).flatten(2).transpose(1, 2))
    q, kv = mixer.q(x), mixer.kv(few)
    (queries,), (k, v) = heads_of(q, mixer.num_heads, 1), heads_of(kv, mixer.num_heads, 2)
    attn = (queries @ k.transpose(-2, -1)) * mixer.head_dim**-0.5
    attended = mixer.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    ratio = mixer.sr_ratio
    few_maps = kv.transpose(1, 2).unflatten(2, (size[0] // ratio, size[1] // ratio))
    maps = [q.transpose(1, 2).unflatten(2, size), F.interpolate(few_maps, scale_factor=ratio)]
    conv = _shifted(mixer.conv, torch.cat(maps, dim=1))
    return mixer.rate1 * attended + mixer.rate2 * conv.flatten(2).transpose(1, 2)


def patchwise(mixer: ACmixPatchwiseAttention, x: Tensor) -> Tensor:
    """SAN's patchwise attention, and the convolution of its three projections."""
    center, around, values = mixer.conv1(x), mixer.conv2(x), mixer.conv3(x)
    copied = neighbors(mixer, around).flatten(1, 2)  # B, rel_dim · k², H, W
    weights = mixer.conv_w(torch.cat((center, copied), dim=1)).unflatten(1, (1, mixer.weight_dim, -1))
    copied = neighbors(mixer, values).unflatten(1, (mixer.share, mixer.weight_dim))
    attended = (weights * copied).sum(dim=3).flatten(1, 2)
    conv = _shifted(mixer.conv, torch.cat((center, around, values), dim=1))
    return mixer.rate1 * attended + mixer.rate2 * conv


def _shifted(conv: ShiftedConvolution, maps: Tensor) -> Tensor:
    """A layer over the heads, then the convolution that shifts."""
    size = maps.shape[2:]
    mapped = conv.fc(maps.flatten(2).unflatten(1, (conv.in_heads, conv.head_dim)))  # B, k², head_dim, H · W
    out: Tensor = conv.dep_conv(mapped.transpose(1, 2).flatten(1, 2).unflatten(2, size))
    return out
