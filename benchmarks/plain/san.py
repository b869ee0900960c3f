"""SAN's pairwise and patchwise attention: unfold features and values, make weights, weigh, sum."""

from __future__ import annotations

import torch
from torch import Tensor

from benchsuite.mixers.san import PairwiseAttention, PatchwiseAttention
from plain._copies import reflected


def pairwise(mixer: PairwiseAttention, x: Tensor) -> Tensor:
    """Weights from differences between the centre and copies of its neighbours; softmax over them."""
    stride = mixer.stride

    def apart(center: Tensor, around: Tensor) -> Tensor:
        return center[:, :, None, ::stride, ::stride] - neighbors(mixer, around)

    features = apart(mixer.conv1(x), mixer.conv2(x))  # B, rel_dim, k², H', W'
    position = mixer.conv_p(x)
    offsets = apart(position, position).expand(x.shape[0], -1, -1, -1, -1)
    logits = mixer.conv_w(torch.cat((features, offsets), dim=1).flatten(3))  # B, weight_dim, k², H'·W'
    return _weighed(mixer, logits.softmax(dim=2).view(*logits.shape[:3], *features.shape[3:]), x)


def patchwise(mixer: PatchwiseAttention, x: Tensor) -> Tensor:
    """Weights from the centre and copies of all neighbours, concatenated."""
    around = neighbors(mixer, mixer.conv2(x)).flatten(1, 2)  # B, rel_dim · k², H, W
    weights = mixer.conv_w(torch.cat((mixer.conv1(x), around), dim=1))
    return _weighed(mixer, torch.unflatten(weights, 1, (mixer.weight_dim, -1)), x)


def neighbors(mixer: PairwiseAttention | PatchwiseAttention, x: Tensor) -> Tensor:
    return reflected(x, mixer.kernel_size, stride=mixer.stride, dilation=mixer.dilation)


def _weighed(mixer: PairwiseAttention | PatchwiseAttention, weights: Tensor, x: Tensor) -> Tensor:
    """Channel c of the values takes channel c mod weight_dim of weights (B, weight_dim, k², H', W')."""
    values = torch.unflatten(neighbors(mixer, mixer.conv3(x)), 1, (mixer.share, mixer.weight_dim))
    return (weights.unsqueeze(1) * values).sum(dim=3).flatten(1, 2)
