"""Pyramid Vision Transformer with ACmix in place of spatial-reduction attention.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556; the
    skeleton is of Wang et al., "Pyramid Vision Transformer", ICCV 2021, arXiv:2102.12122.
Reference: none was released with ACmix; the skeleton is whai362/PVT @ 57e2dfa, classification/pvt.py.
Differs: the paper names PVT as a backbone and gives no details. It is silent on keys and values that have
    been reduced (`mixers/acmix_pvt.py` says what becomes of them here), and on PVT's class token, which is no
    part of the map that is convolved: here there is none, and the head takes the mean token.
Names: sr_ratio is PVT's R; rate1 and rate2 of a mixer are ACmix's α and β.

The README prints 13 M and 25 M parameters, 2.0 and 3.9 G MACs for tiny and small; here they are 13.4 M and
24.8 M, 2.01 and 3.96 G.
"""

from __future__ import annotations

from dataclasses import replace

from benchsuite.backbones import pvt
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network
from benchsuite.backbones._stage import HierarchyConfig, attention
from benchsuite.mixers.acmix_pvt import ACmixSpatialReductionAttention


def config(depths: tuple[int, ...]) -> HierarchyConfig:
    """PVT of these depths, with the widths of all its sizes."""
    table = pvt.table((64, 128, 320, 512), depths, num_heads=(1, 2, 5, 8), mlp_ratios=(8, 8, 4, 4))
    skeleton = pvt.config(table)
    stages = (
        replace(
            stage,
            mixers=(attention(ACmixSpatialReductionAttention, sr_ratio=row.sr_ratio),),
            class_token=False,
        )
        for stage, row in zip(skeleton.stages, table, strict=True)
    )
    return replace(skeleton, name="ACmix-PVT", stages=tuple(stages))


acmix_pvt_t = network(Hierarchy, config((2, 2, 2, 2)))
acmix_pvt_s = network(Hierarchy, config((3, 4, 6, 3)))

PORTS: dict[str, NetworkPort] = {}
"""Nothing was released to be a port of."""
