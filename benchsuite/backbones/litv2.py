"""LITv2: two stages of convolutional feed-forward networks alone, one with HiLo, one with self-attention.

Paper: Pan et al., "Fast Vision Transformers with HiLo Attention", NeurIPS 2022, arXiv:2205.13213.
Reference: ziplab/LITv2 @ 7501c86, classification/models/litv2.py, LITv2.
Differs: images of any size are taken, if HiLo's windows tile their grids; no stochastic depth.
Names: window_sizes are the authors' local_ws, of which 1 makes HiLo self-attention; alpha, the share of heads
    given to Lo-Fi.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from benchsuite.backbones import swin
from benchsuite.backbones._embed import DeformableEmbedding, PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, moved, network, take
from benchsuite.backbones._stage import HierarchyConfig, MakeModule, Stage, attention
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.hilo import HiLo
from benchsuite.mixers.litv2 import LITv2FeedForward


def conv_ffn(ratio: float) -> MakeModule:
    """Feed-forward networks with a depth-wise convolution, `ratio` times as wide between their layers."""

    def make(dim: int) -> nn.Module:
        return LITv2FeedForward(dim, hidden_dim=int(dim * ratio))

    return make


def config(
    dim: int,
    depths: tuple[int, ...],
    num_heads: tuple[int, ...],
    *,
    has_msa: tuple[int, ...] = (0, 0, 1, 1),
    window_sizes: tuple[int, ...] = (0, 0, 2, 1),
    alpha: float = 0.9,
    mlp_ratio: float = 4.0,
    qkv_bias: bool = True,
    patch_size: int = 4,
) -> HierarchyConfig:
    """A LITv2 whose first stage is `dim` wide; each further one is twice as wide."""
    stages = (
        Stage(
            dim=dim * 2**i,
            depth=depth,
            num_heads=heads,
            embed=DeformableEmbedding if i else partial(PatchEmbedding, stride=patch_size),
            mixers=(attention(HiLo, window_size=window_size, alpha=alpha, qkv_bias=qkv_bias),)
            if mixes
            else (),
            ffn=conv_ffn(mlp_ratio),
        )
        for i, (depth, heads, mixes, window_size) in enumerate(
            zip(depths, num_heads, has_msa, window_sizes, strict=True)
        )
    )
    return HierarchyConfig(name="LITv2", stages=tuple(stages))


litv2_s = network(Hierarchy, config(96, (2, 2, 6, 2), (3, 6, 12, 24)))
litv2_m = network(Hierarchy, config(96, (2, 2, 18, 2), (3, 6, 12, 24)))
litv2_b = network(Hierarchy, config(128, (2, 2, 18, 2), (4, 8, 16, 32)))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        swin.DEFAULTS | {"has_msa": (0, 0, 1, 1), "alpha": 0.5, "local_ws": (0, 0, 2, 1)},
        only=swin.ONLY,
    )
    ours = config(
        given["embed_dim"],
        tuple(given["depths"]),
        tuple(given["num_heads"]),
        has_msa=tuple(given["has_msa"]),
        window_sizes=tuple(given["local_ws"]),
        alpha=given["alpha"],
        mlp_ratio=given["mlp_ratio"],
        qkv_bias=given["qkv_bias"],
        patch_size=given["patch_size"],
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


state = renamed(
    (r"patch_embed\.", "stages.0.embed."),
    (r"layers\.(\d+)\.downsample\.dconv\.conv_offset\.", moved("stages.{}.embed.offset.", 1)),
    (r"layers\.(\d+)\.downsample\.dconv\.", moved("stages.{}.embed.conv.", 1)),
    (r"layers\.(\d+)\.downsample\.norm_layer\.", moved("stages.{}.embed.norm.", 1)),
    (r"layers\.(\d+)\.(blocks\.\d+\.mlp\.dwconv)\.dwconv\.", r"stages.\1.\2."),
    (r"layers\.", "stages."),
    drop=(r".*relative_position_index$",),
)
"""The names of LIT and LITv2 → ours."""

PORTS = {"LITv2": NetworkPort("ziplab/LITv2", Hierarchy, _arguments, state)}
