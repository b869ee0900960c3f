"""Swin Transformer: windows and shifted windows in turn.

Paper: Liu et al., "Swin Transformer", ICCV 2021, arXiv:2103.14030.
Reference: microsoft/Swin-Transformer @ f82860b, models/swin_transformer.py, SwinTransformer.
Differs: no stochastic depth.
Names: window_size is the paper's M; the stages' widths are C, 2C, 4C, 8C.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from benchsuite.backbones._embed import PatchEmbedding, PatchMerging
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, moved, network, take
from benchsuite.backbones._stage import AbsolutePosition, HierarchyConfig, Place, Stage, mlp
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.swin import WindowAttention


@dataclass(frozen=True, slots=True)
class Window:
    """Makes window attention. A grid of one window has a bias table of its size, and is not shifted.

    Args:
        shift_size: tokens by which the grid is rolled; 0 for none.
        attention: class of the mixer.
    """

    window_size: int
    shift_size: int = 0
    qkv_bias: bool = True
    attention: type[nn.Module] = WindowAttention

    def __call__(self, place: Place) -> nn.Module:
        single = min(place.grid) <= self.window_size
        return place.fill(
            self.attention,
            window_size=min(place.grid) if single else self.window_size,
            shift_size=0 if single else self.shift_size,
            qkv_bias=self.qkv_bias,
        )


def config(
    dim: int,
    depths: tuple[int, ...],
    num_heads: tuple[int, ...],
    *,
    window_size: int = 7,
    mlp_ratio: float = 4.0,
    qkv_bias: bool = True,
    patch_size: int = 4,
    absolute_position: bool = False,
) -> HierarchyConfig:
    """A Swin Transformer whose first stage is `dim` wide; each further one is twice as wide.

    Args:
        absolute_position: add a learned vector to each token of the first stage, as the released networks do
            not.
    """
    mixers = (
        Window(window_size, qkv_bias=qkv_bias),
        Window(window_size, window_size // 2, qkv_bias=qkv_bias),
    )
    stages = (
        Stage(
            dim=dim * 2**i,
            depth=depth,
            num_heads=heads,
            embed=PatchMerging if i else partial(PatchEmbedding, stride=patch_size),
            start=AbsolutePosition if absolute_position and not i else None,
            mixers=mixers,
            ffn=mlp(mlp_ratio),
        )
        for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=True))
    )
    return HierarchyConfig(name="Swin", stages=tuple(stages), fixed_resolution=True)


swin_t = network(Hierarchy, config(96, (2, 2, 6, 2), (3, 6, 12, 24)))
swin_s = network(Hierarchy, config(96, (2, 2, 18, 2), (3, 6, 12, 24)))
swin_b = network(Hierarchy, config(128, (2, 2, 18, 2), (4, 8, 16, 32)))


DEFAULTS: dict[str, Any] = {
    "img_size": 224,
    "patch_size": 4,
    "num_classes": 1000,
    "embed_dim": 96,
    "depths": (2, 2, 6, 2),
    "num_heads": (3, 6, 12, 24),
    "mlp_ratio": 4.0,
    "qkv_bias": True,
}
ONLY: dict[str, Any] = {
    "in_chans": 3,
    "qk_scale": None,
    "drop_rate": 0.0,
    "attn_drop_rate": 0.0,
    "ape": False,
    "patch_norm": True,
} | dict.fromkeys(("drop_path_rate", "norm_layer", "use_checkpoint"), ...)
"""Arguments of the authors' class, which later networks took over, for `take`."""


def _arguments(authors: Arguments) -> dict[str, Any]:
    only = {name: value for name, value in ONLY.items() if name != "ape"} | {"fused_window_process": ...}
    given = take(authors, DEFAULTS | {"window_size": 7, "ape": False}, only=only)
    ours = config(
        given["embed_dim"],
        tuple(given["depths"]),
        tuple(given["num_heads"]),
        window_size=given["window_size"],
        mlp_ratio=given["mlp_ratio"],
        qkv_bias=given["qkv_bias"],
        patch_size=given["patch_size"],
        absolute_position=given["ape"],
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


state = renamed(
    (r"absolute_pos_embed$", "stages.0.start.table"),
    (r"patch_embed\.", "stages.0.embed."),
    (r"layers\.(\d+)\.downsample\.", moved("stages.{}.embed.", 1)),
    (r"layers\.(\d+)\.", moved("stages.{}.", 0)),
    drop=(r".*relative_position_index$", r".*attn_mask$"),
)
"""The names of Swin's skeleton, which later networks took over → ours."""

PORTS = {"SwinTransformer": NetworkPort("microsoft/Swin-Transformer", Hierarchy, _arguments, state)}
