"""Pyramid Vision Transformer: spatial-reduction attention in every stage, and a class token in the last.

Paper: Wang et al., "Pyramid Vision Transformer", ICCV 2021, arXiv:2102.12122.
Reference: whai362/PVT @ 57e2dfa, classification/pvt.py, PyramidVisionTransformer.
Differs: the position embeddings are made for the resolution asked for, and not resized when images have
    another; no stochastic depth.
Names: sr_ratios are the paper's R; LayerNorms have eps 1e-6 but for those of embeddings and reductions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchsuite.backbones._embed import PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, moved, network, take
from benchsuite.backbones._stage import NORM_1E6, AbsolutePosition, HierarchyConfig, Stage, attention, mlp
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.pvt import SpatialReductionAttention


@dataclass(frozen=True, slots=True, kw_only=True)
class PVTStage:
    """A column of the paper's table."""

    dim: int
    depth: int
    num_heads: int
    mlp_ratio: float
    sr_ratio: int


def config(stages: Sequence[PVTStage], *, qkv_bias: bool = True, patch_size: int = 4) -> HierarchyConfig:
    """A PVT of these stages; the class token is in the last."""
    built = (
        Stage(
            dim=stage.dim,
            depth=stage.depth,
            num_heads=stage.num_heads,
            embed=partial(PatchEmbedding, stride=2 if i else patch_size),
            start=AbsolutePosition,
            mixers=(attention(SpatialReductionAttention, sr_ratio=stage.sr_ratio, qkv_bias=qkv_bias),),
            ffn=mlp(stage.mlp_ratio),
            norm=NORM_1E6,
            class_token=i == len(stages) - 1,
        )
        for i, stage in enumerate(stages)
    )
    return HierarchyConfig(name="PVT", stages=tuple(built), norm=NORM_1E6, fixed_resolution=True)


def table(
    dims: Sequence[int],
    depths: Sequence[int],
    num_heads: Sequence[int],
    mlp_ratios: Sequence[float],
    sr_ratios: Sequence[int] = (8, 4, 2, 1),
) -> tuple[PVTStage, ...]:
    """The stages of a table whose rows are these."""
    rows = zip(dims, depths, num_heads, mlp_ratios, sr_ratios, strict=True)
    return tuple(
        PVTStage(dim=dim, depth=depth, num_heads=heads, mlp_ratio=mlp_ratio, sr_ratio=sr_ratio)
        for dim, depth, heads, mlp_ratio, sr_ratio in rows
    )


_DIMS, _HEADS, _RATIOS = (64, 128, 320, 512), (1, 2, 5, 8), (8, 8, 4, 4)

pvt_t = network(Hierarchy, config(table(_DIMS, (2, 2, 2, 2), _HEADS, _RATIOS)))
pvt_s = network(Hierarchy, config(table(_DIMS, (3, 4, 6, 3), _HEADS, _RATIOS)))
pvt_m = network(Hierarchy, config(table(_DIMS, (3, 4, 18, 3), _HEADS, _RATIOS)))
pvt_l = network(Hierarchy, config(table(_DIMS, (3, 8, 27, 3), _HEADS, _RATIOS)))

DEFAULTS: dict[str, Any] = {
    "img_size": 224,
    "patch_size": 16,
    "num_classes": 1000,
    "embed_dims": (64, 128, 256, 512),
    "depths": (3, 4, 6, 3),
    "num_heads": (1, 2, 4, 8),
    "mlp_ratios": (4, 4, 4, 4),
    "sr_ratios": (8, 4, 2, 1),
    "qkv_bias": False,
}
"""Of the constructor of the authors' class, and of those after it."""
ONLY: dict[str, Any] = {
    "in_chans": 3,
    "qk_scale": None,
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "num_stages": 4,
    "drop_path_rate": ...,
    "norm_layer": ...,
}


def stages_of(given: Arguments) -> tuple[PVTStage, ...]:
    """The stages that the authors' arguments describe."""
    keys = ("embed_dims", "depths", "num_heads", "mlp_ratios", "sr_ratios")
    return table(*(tuple(given[key]) for key in keys))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(authors, DEFAULTS, only=ONLY)
    ours = config(stages_of(given), qkv_bias=given["qkv_bias"], patch_size=given["patch_size"])
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_state = renamed(
    (r"pos_embed(\d)", moved("stages.{}.start.table", -1)),
    (r"patch_embed(\d)\.", moved("stages.{}.embed.", -1)),
    (r"block(\d)\.", moved("stages.{}.blocks.", -1)),
    (r"cls_token", "stages.3.class_token"),
)

PORTS = {"PyramidVisionTransformer": NetworkPort("whai362/PVT", Hierarchy, _arguments, _state)}
