"""LIT: feed-forward networks alone in two stages, self-attention with relative positions in the last two.

Paper: Pan et al., "Less is More: Pay Less Attention in Vision Transformers", AAAI 2022, arXiv:2105.14217.
Reference: ziplab/LIT @ 742e961, classification/code_for_lit_s_m_b/models/lit.py, LIT.
Differs: no stochastic depth. LIT-Ti, which is built otherwise, is in `lit_ti.py`. lit_s_conv is what the HiLo
    paper makes of LIT-S on the way to LITv2-S, a convolution in each feed-forward network; with mixer
    {"all": "msa"} it has no relative positions either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from benchsuite.backbones import swin
from benchsuite.backbones._embed import DeformableEmbedding, PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import HierarchyConfig, MakeModule, Place, Stage, mlp
from benchsuite.backbones.lit_ti import arguments as ti_arguments
from benchsuite.backbones.lit_ti import state as ti_state
from benchsuite.backbones.litv2 import conv_ffn
from benchsuite.backbones.litv2 import state as litv2_state
from benchsuite.mixers._port import Arguments, State
from benchsuite.mixers.lit import RelPosMSA


def _relpos_msa(place: Place, qkv_bias: bool) -> nn.Module:
    return place.fill(RelPosMSA, grid=place.grid, qkv_bias=qkv_bias)


def config(
    dim: int,
    depths: tuple[int, ...],
    num_heads: tuple[int, ...],
    *,
    has_msa: tuple[int, ...] = (0, 0, 1, 1),
    mlp_ratio: float = 4.0,
    ffn: Callable[[float], MakeModule] = mlp,
    qkv_bias: bool = True,
    patch_size: int = 4,
) -> HierarchyConfig:
    """A LIT whose first stage is `dim` wide; each further one is twice as wide."""
    stages = (
        Stage(
            dim=dim * 2**i,
            depth=depth,
            num_heads=heads,
            embed=DeformableEmbedding if i else partial(PatchEmbedding, stride=patch_size),
            mixers=(partial(_relpos_msa, qkv_bias=qkv_bias),) if mixes else (),
            ffn=ffn(mlp_ratio),
        )
        for i, (depth, heads, mixes) in enumerate(zip(depths, num_heads, has_msa, strict=True))
    )
    return HierarchyConfig(name="LIT", stages=tuple(stages), fixed_resolution=True)


lit_s = network(Hierarchy, config(96, (2, 2, 6, 2), (3, 6, 12, 24)))
lit_s_conv = network(Hierarchy, config(96, (2, 2, 6, 2), (3, 6, 12, 24), ffn=conv_ffn))
lit_m = network(Hierarchy, config(96, (2, 2, 18, 2), (3, 6, 12, 24)))
lit_b = network(Hierarchy, config(128, (2, 2, 18, 2), (4, 8, 16, 32)))


def _arguments(authors: Arguments) -> dict[str, Any]:
    if "embed_dims" in authors:  # the class of that name that LIT-Ti is of
        return ti_arguments(authors)
    given = take(authors, swin.DEFAULTS | {"has_msa": (0, 0, 1, 1)}, only=swin.ONLY)
    ours = config(
        given["embed_dim"],
        tuple(given["depths"]),
        tuple(given["num_heads"]),
        has_msa=tuple(given["has_msa"]),
        mlp_ratio=given["mlp_ratio"],
        qkv_bias=given["qkv_bias"],
        patch_size=given["patch_size"],
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


def _state(state: State) -> dict[str, Any]:
    return ti_state(state) if "cls_token" in state else litv2_state(state)


PORTS = {"LIT": NetworkPort("ziplab/LIT", Hierarchy, _arguments, _state)}
