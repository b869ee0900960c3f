"""QuadTree Transformer: PVT v2 with QuadTree attention in place of its own.

Paper: Tang et al., "QuadTree Attention for Vision Transformers", ICLR 2022, arXiv:2201.02767.
Reference: Tangshitao/QuadTreeAttention @ 549a1ef, classification/quadtree.py, PyramidVisionTransformerV2.
Differs: no stochastic depth. Of variant A the authors have b0 alone; ours of b1 to b4 have the stages of B.
Names: levels of a stage are the authors' sr_ratio; with four at 56 × 56 tokens and one at 7 × 7, all stages
    have the same coarsest level.

Published MACs (0.6, 2.3, 4.5, 7.8, 11.5 G for B) are of a counter that adds norms, activations and biases to
what is here; it takes b4 from 11.40 to 11.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from benchsuite.backbones import pvtv2
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import HierarchyConfig, attention
from benchsuite.backbones.pvt import DEFAULTS, ONLY, PVTStage, stages_of, table
from benchsuite.mixers._port import Arguments, State, renamed
from benchsuite.mixers.quadtree import QuadTreeAttention


def config(stages: Sequence[PVTStage], *, variant: str = "B", qkv_bias: bool = True) -> HierarchyConfig:
    """A QuadTree Transformer of these stages, whose `sr_ratio` is the number of levels.

    Each of the levels looks into the eight best regions.

    Args:
        variant: of the attention, "A" or "B".
    """
    pvt = pvtv2.config(stages, qkv_bias=qkv_bias)
    built = (
        replace(
            stage,
            mixers=(attention(QuadTreeAttention, variant=variant, levels=row.sr_ratio, qkv_bias=qkv_bias),),
        )
        for stage, row in zip(pvt.stages, stages, strict=True)
    )
    return replace(pvt, name="QuadTree", stages=tuple(built))


def _table(dims: tuple[int, ...], depths: tuple[int, ...]) -> tuple[PVTStage, ...]:
    return table(dims, depths, num_heads=(1, 2, 5, 8), mlp_ratios=(8, 8, 4, 4), sr_ratios=(4, 3, 2, 1))


_B0 = _table((32, 64, 160, 256), (2, 2, 2, 2))
_B1 = _table((64, 128, 320, 512), (2, 2, 2, 2))
_B2 = _table((64, 128, 320, 512), (3, 4, 6, 3))
_B3 = _table((64, 128, 320, 512), (3, 4, 18, 3))
_B4 = _table((64, 128, 320, 512), (3, 8, 27, 3))

quadtree_a_b0 = network(Hierarchy, config(_B0, variant="A"))
quadtree_a_b1 = network(Hierarchy, config(_B1, variant="A"))
quadtree_a_b2 = network(Hierarchy, config(_B2, variant="A"))
quadtree_a_b3 = network(Hierarchy, config(_B3, variant="A"))
quadtree_a_b4 = network(Hierarchy, config(_B4, variant="A"))

quadtree_b_b0 = network(Hierarchy, config(_B0))
quadtree_b_b1 = network(Hierarchy, config(_B1))
quadtree_b_b2 = network(Hierarchy, config(_B2))
quadtree_b_b3 = network(Hierarchy, config(_B3))
quadtree_b_b4 = network(Hierarchy, config(_B4))


def _arguments(authors: Arguments) -> dict[str, Any]:
    # The authors take patch_size and attn_drop_rate, and use them nowhere.
    unused = {"patch_size": ..., "attn_drop_rate": ...}
    given = take(authors, DEFAULTS | {"attn_type": "B"}, only=ONLY | {"linear": False} | unused)
    ours = config(
        stages_of(given), variant="B" if given["attn_type"] == "B" else "A", qkv_bias=given["qkv_bias"]
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_attention = renamed(
    (r"(.*\.attn\.)py_att\.weight", r"\1level_weight"),
    (r"(.*\.attn\.)py_att\.get_vs\.", r"\1lepe."),
    (r"(.*\.attn\.)value_branchs\.", r"\1value_branches."),
)


def _state(authors: State) -> dict[str, Tensor]:
    return _attention(pvtv2.PORTS["PyramidVisionTransformerV2"].state(authors))


PORTS = {
    "PyramidVisionTransformerV2": NetworkPort("Tangshitao/QuadTreeAttention", Hierarchy, _arguments, _state)
}
