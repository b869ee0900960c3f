"""Focal Transformer: windows that see their neighbourhood, and pooled windows further away.

Paper: Yang et al., "Focal Self-attention for Local-Global Interactions in Vision Transformers", NeurIPS 2021,
    arXiv:2107.00641.
Reference: microsoft/Focal-Transformer @ 57bb303, classification/focal_transformer.py, FocalTransformer.
Differs: no stochastic depth; none of the authors' options that are off in the released networks: absolute
    position embedding, overlapping patches, layer scale, norms before patches.
Names: window_size is the paper's s_p; focal_window, s_r of a stage's pooled level; expand_size, how far a
    window reaches over its border at the finest level; the stages' widths are d, 2d, 4d, 8d.

The published MACs (4.9, 9.4, 16.4 G) are of the authors' own counter, which counts 120 neighbours of a
window. The code attends to 132, as those beyond the middle of each side come twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones import swin
from benchsuite.backbones._embed import PatchEmbedding
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import HierarchyConfig, Place, Stage, mlp
from benchsuite.mixers._port import Arguments, State, renamed
from benchsuite.mixers.focal import FocalAttention


@dataclass(frozen=True, slots=True)
class Focal:
    """Makes focal attention. A grid of one window has tables of its size, no neighbours and no shift."""

    focal_window: int
    window_size: int = 7
    expand_size: int = 3
    shift_size: int = 0
    focal_level: int = 2
    pool_method: str = "fc"
    qkv_bias: bool = True

    def __call__(self, place: Place) -> nn.Module:
        single = min(place.grid) <= self.window_size
        return place.fill(
            FocalAttention,
            window_size=min(place.grid) if single else self.window_size,
            expand_size=0 if single else self.expand_size,
            shift_size=0 if single else self.shift_size,
            focal_level=self.focal_level,
            focal_window=self.focal_window,
            pool_method=self.pool_method,
            qkv_bias=self.qkv_bias,
        )


def config(
    dim: int,
    depths: tuple[int, ...],
    num_heads: tuple[int, ...],
    mixers: tuple[tuple[Focal, ...], ...] = ((Focal(7),), (Focal(5),), (Focal(3),), (Focal(1),)),
    *,
    mlp_ratio: float = 4.0,
    patch_size: int = 4,
) -> HierarchyConfig:
    """A Focal Transformer whose first stage is `dim` wide; each further one is twice as wide.

    Args:
        mixers: of each stage, those that its blocks take in turn.
    """
    stages = (
        Stage(
            dim=dim * 2**i,
            depth=depth,
            num_heads=heads,
            embed=partial(PatchEmbedding, stride=2 if i else patch_size),
            mixers=mixers[i],
            ffn=mlp(mlp_ratio),
        )
        for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=True))
    )
    return HierarchyConfig(name="Focal", stages=tuple(stages), fixed_resolution=True)


focal_t = network(Hierarchy, config(96, (2, 2, 6, 2), (3, 6, 12, 24)))
focal_s = network(Hierarchy, config(96, (2, 2, 18, 2), (3, 6, 12, 24)))
focal_b = network(Hierarchy, config(128, (2, 2, 18, 2), (4, 8, 16, 32)))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        swin.DEFAULTS
        | {
            "window_size": 7,
            "use_shift": False,
            "focal_stages": (0, 1, 2, 3),
            "focal_levels": (1, 1, 1, 1),
            "focal_windows": (7, 5, 3, 1),
            "focal_pool": "fc",
            "expand_sizes": (3, 3, 3, 3),
            "expand_layer": "all",
        },
        only=swin.ONLY
        | dict.fromkeys(("use_conv_embed", "use_layerscale", "use_pre_norm"), False)
        | {"layerscale_value": ..., "expand_stages": ...},  # the latter the authors take and do not use
    )
    ours = config(
        given["embed_dim"],
        tuple(given["depths"]),
        tuple(given["num_heads"]),
        tuple(_mixers(given, stage) for stage in range(len(given["depths"]))),
        mlp_ratio=given["mlp_ratio"],
        patch_size=given["patch_size"],
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_WITHOUT_NEIGHBORS = {"all": None, "even": 0, "odd": 1}
"""The authors' expand_layer → which of two blocks does not see its neighbourhood."""


def _mixers(given: dict[str, Any], stage: int) -> tuple[Focal, ...]:
    """Of the first block of a stage and of its second; the others are as these, in turn."""
    if given["expand_layer"] not in _WITHOUT_NEIGHBORS:
        raise ValueError(f"expand_layer={given['expand_layer']!r} is none of {', '.join(_WITHOUT_NEIGHBORS)}")
    without = _WITHOUT_NEIGHBORS[given["expand_layer"]]
    return tuple(
        Focal(
            given["focal_windows"][stage],
            window_size=given["window_size"],
            expand_size=0 if block == without else given["expand_sizes"][stage],
            shift_size=given["window_size"] // 2 if given["use_shift"] and block else 0,
            focal_level=given["focal_levels"][stage],
            pool_method=given["focal_pool"] if stage in given["focal_stages"] else "none",
            qkv_bias=given["qkv_bias"],
        )
        for block in (0, 1)
    )


_pooling = renamed(
    (r"(layers\.\d+\.blocks\.\d+\.)pool_layers\.", r"\1attn.pool_layers."),
    drop=(r".*\.relative_position_index_\d+$", r".*\.valid_ind_"),
)


def _state(authors: State) -> dict[str, Tensor]:
    return swin.state(_pooling(authors))


PORTS = {"FocalTransformer": NetworkPort("microsoft/Focal-Transformer", Hierarchy, _arguments, _state)}
