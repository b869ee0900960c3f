"""ConvNeXt-T, a convolutional network in the proportions of Swin-T; a yardstick.

Paper: Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545.
Reference: facebookresearch/ConvNeXt @ 06f7b05, models/convnext.py, ConvNeXt.
Differs: no stochastic depth.
Names: gamma is the layer scale; the authors' pwconv1 and pwconv2 are the layers of mlp.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.backbones._choice import mix_map
from benchsuite.backbones._embed import Embedding, PatchEmbedding, Size, convolved, size_of
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import NORM_1E6, HierarchyConfig, MakeModule, Place, Stage, mlp
from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.convnext import ConvNeXtConv


class Downsampling(Embedding):
    """A LayerNorm over the channels and a 2 × 2 convolution with stride 2: (B, C, H, W) → (B, dim, H/2, W/2).

    The last row or column of an odd side is left out.
    """

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.proj = nn.Conv2d(channels, dim, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(as_map(self.norm(as_tokens(x)), size_of(x)))
        return out

    def grid(self, size: Size) -> Size:
        return convolved(size, 2, 2, 0)


class ConvNeXtLayer(nn.Module):
    """x + gamma · ffn(norm(mixer(x))) on a (B, dim, H, W) map; one residual, around both.

    Args:
        init_scale: initial value of gamma; 0 is no layer scale.
    """

    def __init__(
        self, dim: int, *, mixer: nn.Module | None, ffn: nn.Module, norm: MakeModule, init_scale: float = 1e-6
    ) -> None:
        super().__init__()
        assert mixer is not None
        self.mixer = mixer
        self.norm = norm(dim)
        self.mlp = ffn
        self.gamma = nn.Parameter(torch.full((dim,), init_scale)) if init_scale > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mlp(self.norm(mix_map(self.mixer, x).permute(0, 2, 3, 1)))  # B, H, W, dim
        if self.gamma is not None:
            out = self.gamma * out
        return x + out.permute(0, 3, 1, 2)


def _depthwise(place: Place) -> nn.Module:
    return ConvNeXtConv(place.dim)


def config(dims: tuple[int, ...], depths: tuple[int, ...], *, init_scale: float = 1e-6) -> HierarchyConfig:
    """A ConvNeXt; `init_scale` is as for `ConvNeXtLayer`."""
    stages = tuple(
        Stage(
            dim=dim,
            depth=depth,
            embed=Downsampling if i else partial(PatchEmbedding, stride=4, eps=1e-6),
            mixers=(_depthwise,),
            ffn=mlp(4),
            norm=NORM_1E6,
            block=partial(ConvNeXtLayer, init_scale=init_scale),
            layout="NCHW",
        )
        for i, (dim, depth) in enumerate(zip(dims, depths, strict=True))
    )
    return HierarchyConfig(name="ConvNeXt", stages=stages, norm=NORM_1E6, norm_after_mean=True)


convnext_t = network(Hierarchy, config((96, 192, 384, 768), (3, 3, 9, 3)))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {
            "num_classes": 1000,
            "depths": (3, 3, 9, 3),
            "dims": (96, 192, 384, 768),
            "layer_scale_init_value": 1e-6,
        },
        only={"in_chans": 3} | dict.fromkeys(("drop_path_rate", "head_init_scale"), ...),
    )
    ours = config(tuple(given["dims"]), tuple(given["depths"]), init_scale=given["layer_scale_init_value"])
    return {"config": ours, "num_classes": given["num_classes"]}


_state = renamed(
    (r"downsample_layers\.0\.0\.", "stages.0.embed.proj."),
    (r"downsample_layers\.0\.1\.", "stages.0.embed.norm."),
    (r"downsample_layers\.(\d+)\.0\.", r"stages.\1.embed.norm."),
    (r"downsample_layers\.(\d+)\.1\.", r"stages.\1.embed.proj."),
    (r"stages\.(\d+)\.(\d+)\.dwconv\.", r"stages.\1.blocks.\2.mixer.dwconv."),
    (r"stages\.(\d+)\.(\d+)\.pwconv", r"stages.\1.blocks.\2.mlp.fc"),
    (r"stages\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2."),
)

PORTS = {"ConvNeXt": NetworkPort("facebookresearch/ConvNeXt", Hierarchy, _arguments, _state)}
