"""PVT v2: overlapping patches, a convolution in each feed-forward network, no positions and no class token.

Paper: Wang et al., "PVT v2: Improved Baselines with Pyramid Vision Transformer", CVMJ 2022, arXiv:2106.13797.
Reference: whai362/PVT @ 57e2dfa, classification/pvt_v2.py, PyramidVisionTransformerV2.
Differs: no stochastic depth.
Names: sr_ratios are the paper's R; LayerNorms have eps 1e-6 but for those of embeddings and reductions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from benchsuite.backbones._embed import PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, moved, network, take
from benchsuite.backbones._stage import NORM_1E6, HierarchyConfig, MakeMixer, MakeModule, Stage, attention
from benchsuite.backbones.pvt import DEFAULTS, ONLY, PVTStage, stages_of, table
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.pvt import LinearSpatialReductionAttention, SpatialReductionAttention
from benchsuite.mixers.pvt_ffn import PVTFeedForward


def conv_ffn(ratio: float, *, linear: bool = False) -> MakeModule:
    """Feed-forward networks with a depth-wise convolution, `ratio` times as wide between their layers."""

    def make(dim: int) -> nn.Module:
        return PVTFeedForward(dim, hidden_dim=int(dim * ratio), linear=linear)

    return make


def config(stages: Sequence[PVTStage], *, linear: bool = False, qkv_bias: bool = True) -> HierarchyConfig:
    """A PVT v2 of these stages.

    Args:
        linear: attend to a pooled grid instead of a convolved one, whatever the stages' sr_ratio.
    """

    def reducing(stage: PVTStage) -> MakeMixer:
        if linear:
            return attention(LinearSpatialReductionAttention, qkv_bias=qkv_bias)
        return attention(SpatialReductionAttention, sr_ratio=stage.sr_ratio, qkv_bias=qkv_bias)

    built = (
        Stage(
            dim=stage.dim,
            depth=stage.depth,
            num_heads=stage.num_heads,
            embed=partial(PatchEmbedding, stride=2, kernel_size=3)
            if i
            else partial(PatchEmbedding, stride=4, kernel_size=7),
            mixers=(reducing(stage),),
            ffn=conv_ffn(stage.mlp_ratio, linear=linear),
            norm=NORM_1E6,
            end=NORM_1E6,
        )
        for i, stage in enumerate(stages)
    )
    return HierarchyConfig(name="PVTv2", stages=tuple(built), norm=None)


_DIMS, _HEADS, _RATIOS = (64, 128, 320, 512), (1, 2, 5, 8), (8, 8, 4, 4)

pvtv2_b0 = network(Hierarchy, config(table((32, 64, 160, 256), (2, 2, 2, 2), _HEADS, _RATIOS)))
pvtv2_b1 = network(Hierarchy, config(table(_DIMS, (2, 2, 2, 2), _HEADS, _RATIOS)))
pvtv2_b2 = network(Hierarchy, config(table(_DIMS, (3, 4, 6, 3), _HEADS, _RATIOS)))
pvtv2_b2_linear = network(Hierarchy, config(table(_DIMS, (3, 4, 6, 3), _HEADS, _RATIOS), linear=True))
pvtv2_b3 = network(Hierarchy, config(table(_DIMS, (3, 4, 18, 3), _HEADS, _RATIOS)))
pvtv2_b4 = network(Hierarchy, config(table(_DIMS, (3, 8, 27, 3), _HEADS, _RATIOS)))
pvtv2_b5 = network(Hierarchy, config(table(_DIMS, (3, 6, 40, 3), _HEADS, (4, 4, 4, 4))))


def _arguments(authors: Arguments) -> dict[str, Any]:
    # The authors take patch_size and read it nowhere: the first stride is 4.
    given = take(authors, DEFAULTS | {"linear": False}, only=ONLY | {"patch_size": ...})
    ours = config(stages_of(given), linear=given["linear"], qkv_bias=given["qkv_bias"])
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_state = renamed(
    (r"patch_embed(\d)\.", moved("stages.{}.embed.", -1)),
    (r"block(\d)\.(\d+\.mlp\.dwconv)\.dwconv\.", lambda m: f"stages.{int(m[1]) - 1}.blocks.{m[2]}."),
    (r"block(\d)\.", moved("stages.{}.blocks.", -1)),
    (r"norm(\d)\.", moved("stages.{}.end.", -1)),
)

PORTS = {"PyramidVisionTransformerV2": NetworkPort("whai362/PVT", Hierarchy, _arguments, _state)}
