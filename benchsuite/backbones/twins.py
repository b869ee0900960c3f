"""Twins: PVT's stages with positions from a convolution (PCPVT), and with windows in turn as well (SVT).

Paper: Chu et al., "Twins: Revisiting the Design of Spatial Attention", NeurIPS 2021, arXiv:2104.13840.
Reference: Meituan-AutoML/Twins @ c1ff671, gvt.py, CPVTV2 (PCPVT) and ALTGVT (SVT).
Differs: no stochastic depth.
Names: window_sizes are the authors' wss; LayerNorms have eps 1e-6 but for those of embeddings and reductions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from benchsuite.backbones._embed import PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import NORM_1E6, HierarchyConfig, MakeMixer, Stage, attention, mlp
from benchsuite.backbones.pvt import DEFAULTS, ONLY, PVTStage, stages_of, table
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.twins import GlobalSubSampledAttention, LocallyGroupedAttention
from benchsuite.mixers.twins_peg import PositionEncodingGenerator


def config(
    stages: Sequence[PVTStage],
    window_sizes: Sequence[int] | None = None,
    *,
    qkv_bias: bool = True,
    patch_size: int = 4,
) -> HierarchyConfig:
    """Twins-PCPVT of these stages, or, with the side of each stage's windows, Twins-SVT.

    A window of 1 is none: all blocks of that stage are global.
    """
    built = (
        Stage(
            dim=stage.dim,
            depth=stage.depth,
            num_heads=stage.num_heads,
            embed=partial(PatchEmbedding, stride=2 if i else patch_size),
            mixers=_in_turn(window_size, stage.sr_ratio, qkv_bias),
            after_first=PositionEncodingGenerator,
            ffn=mlp(stage.mlp_ratio),
            norm=NORM_1E6,
        )
        for i, (stage, window_size) in enumerate(zip(stages, window_sizes or [1] * len(stages), strict=True))
    )
    name = "Twins-SVT" if window_sizes else "Twins-PCPVT"
    return HierarchyConfig(name=name, stages=tuple(built), norm=NORM_1E6)


def _in_turn(window_size: int, sr_ratio: int, qkv_bias: bool) -> tuple[MakeMixer, ...]:
    everywhere = attention(GlobalSubSampledAttention, sr_ratio=sr_ratio, qkv_bias=qkv_bias)
    if window_size == 1:
        return (everywhere,)
    return (attention(LocallyGroupedAttention, window_size=window_size, qkv_bias=qkv_bias), everywhere)


_DIMS, _HEADS, _RATIOS = (64, 128, 320, 512), (1, 2, 5, 8), (8, 8, 4, 4)
_FOURS, _SEVENS = (4, 4, 4, 4), (7, 7, 7, 7)

twins_pcpvt_s = network(Hierarchy, config(table(_DIMS, (3, 4, 6, 3), _HEADS, _RATIOS)))
twins_pcpvt_b = network(Hierarchy, config(table(_DIMS, (3, 4, 18, 3), _HEADS, _RATIOS)))
twins_pcpvt_l = network(Hierarchy, config(table(_DIMS, (3, 8, 27, 3), _HEADS, _RATIOS)))

_SVT_S = table((64, 128, 256, 512), (2, 2, 10, 4), (2, 4, 8, 16), _FOURS)
_SVT_B = table((96, 192, 384, 768), (2, 2, 18, 2), (3, 6, 12, 24), _FOURS)
_SVT_L = table((128, 256, 512, 1024), (2, 2, 18, 2), (4, 8, 16, 32), _FOURS)

twins_svt_s = network(Hierarchy, config(_SVT_S, _SEVENS))
twins_svt_b = network(Hierarchy, config(_SVT_B, _SEVENS))
twins_svt_l = network(Hierarchy, config(_SVT_L, _SEVENS))


def _pcpvt_arguments(authors: Arguments) -> dict[str, Any]:
    given = take(authors, DEFAULTS | {"patch_size": 4}, only=ONLY)
    return _ours(given, None)


def _svt_arguments(authors: Arguments) -> dict[str, Any]:
    three = {
        "patch_size": 4,
        "embed_dims": (64, 128, 256),
        "num_heads": (1, 2, 4),
        "mlp_ratios": (4, 4, 4),
        "depths": (4, 4, 4),
        "sr_ratios": (4, 2, 1),
        "wss": (7, 7, 7),
    }
    given = take(authors, DEFAULTS | three, only=ONLY)
    return _ours(given, tuple(given["wss"]))


def _ours(given: Arguments, window_sizes: tuple[int, ...] | None) -> dict[str, Any]:
    ours = config(stages_of(given), window_sizes, qkv_bias=given["qkv_bias"], patch_size=given["patch_size"])
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_state = renamed(
    (r"patch_embeds\.(\d+)\.", r"stages.\1.embed."),
    (r"pos_block\.(\d+)\.proj\.0\.", r"stages.\1.after_first.proj."),
    (r"blocks\.(\d+)\.", r"stages.\1.blocks."),
)

PORTS = {
    "CPVTV2": NetworkPort("Meituan-AutoML/Twins", Hierarchy, _pcpvt_arguments, _state),
    "ALTGVT": NetworkPort("Meituan-AutoML/Twins", Hierarchy, _svt_arguments, _state),
}
