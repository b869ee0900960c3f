"""LIT-Ti: PVT-Small's widths and depths, without attention in the first two stages.

Paper: Pan et al., "Less is More: Pay Less Attention in Vision Transformers", AAAI 2022, arXiv:2105.14217.
Reference: ziplab/LIT @ 742e961, classification/code_for_lit_ti/lit.py, LIT.
Differs: no stochastic depth. Unlike the larger LITs it has learned positions and a class token, and its
    attention has no relative ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from benchsuite.backbones._embed import DeformableEmbedding, PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import moved, network, take
from benchsuite.backbones._stage import NORM_1E6, AbsolutePosition, HierarchyConfig, Stage, attention, mlp
from benchsuite.backbones.pvt import PVTStage, stages_of, table
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.msa import MSA


def config(stages: Sequence[PVTStage], *, qkv_bias: bool = True, patch_size: int = 4) -> HierarchyConfig:
    """A LIT-Ti of these stages, of which the last two attend, to all tokens."""
    built = (
        Stage(
            dim=stage.dim,
            depth=stage.depth,
            num_heads=stage.num_heads,
            embed=DeformableEmbedding if i else partial(PatchEmbedding, stride=patch_size),
            start=AbsolutePosition,
            mixers=(attention(MSA, qkv_bias=qkv_bias),) if i > 1 else (),
            ffn=mlp(stage.mlp_ratio),
            norm=NORM_1E6,
            class_token=i == len(stages) - 1,
        )
        for i, stage in enumerate(stages)
    )
    return HierarchyConfig(name="LIT-Ti", stages=tuple(built), norm=NORM_1E6, fixed_resolution=True)


_STAGES = table((64, 128, 320, 512), (3, 4, 6, 3), (1, 2, 5, 8), (8, 8, 4, 4), (1, 1, 1, 1))

lit_ti = network(Hierarchy, config(_STAGES))


def arguments(authors: Arguments) -> dict[str, Any]:
    """The authors' arguments → ours. Their class shares its name with that of the larger LITs (`lit.py`)."""
    given = take(
        authors,
        {
            "img_size": 224,
            "patch_size": 16,
            "num_classes": 1000,
            "embed_dims": (64, 128, 256, 512),
            "depths": (3, 4, 6, 3),
            "num_heads": (1, 2, 4, 8),
            "mlp_ratios": (4, 4, 4, 4),
            "qkv_bias": False,
        },
        only={"in_chans": 3, "qk_scale": None, "drop_rate": 0.0, "attn_drop_rate": 0.0}
        | dict.fromkeys(("drop_path_rate", "norm_layer"), ...),
    )
    ours = config(
        stages_of(given | {"sr_ratios": (1, 1, 1, 1)}),
        qkv_bias=given["qkv_bias"],
        patch_size=given["patch_size"],
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


state = renamed(
    (r"pos_embed(\d)", moved("stages.{}.start.table", -1)),
    (r"patch_embed(\d)\.dconv\.conv_offset\.", moved("stages.{}.embed.offset.", -1)),
    (r"patch_embed(\d)\.dconv\.", moved("stages.{}.embed.conv.", -1)),
    (r"patch_embed(\d)\.norm_layer\.", moved("stages.{}.embed.norm.", -1)),
    (r"patch_embed(\d)\.", moved("stages.{}.embed.", -1)),
    (r"block(\d)\.", moved("stages.{}.blocks.", -1)),
    (r"cls_token", "stages.3.class_token"),
)
"""The authors' names of weights → ours."""
