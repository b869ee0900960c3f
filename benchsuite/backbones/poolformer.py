"""PoolFormer: a Transformer's skeleton around average pooling, on maps throughout.

Paper: Yu et al., "MetaFormer Is Actually What You Need for Vision", CVPR 2022, arXiv:2111.11418.
Reference: sail-sg/poolformer @ a075575, models/poolformer.py, PoolFormer.
Differs: no stochastic depth.
Names: pool_size is the paper's K; layer_scale_1 and layer_scale_2 are scale1 and scale2 here. The number in a
    network's name is that of its blocks; S and M are its widths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.backbones._choice import mix_map
from benchsuite.backbones._embed import Embedding, Size, convolved
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import HierarchyConfig, MakeModule, Place, Stage
from benchsuite.mixers._port import Arguments, State, renamed
from benchsuite.mixers.poolformer import Pooling


class ConvEmbedding(Embedding):
    """A strided convolution and no norm: (B, channels, H, W) → (B, dim, H', W')."""

    def __init__(self, channels: int, dim: int, *, kernel_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, kernel_size, stride=stride, padding=padding)
        self.shape = (kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(x)
        return out

    def grid(self, size: Size) -> Size:
        return convolved(size, *self.shape)


class MapMLP(nn.Module):
    """fc1, GELU, fc2 at each position of a (B, dim, H, W) map."""

    def __init__(self, dim: int, *, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(dim, hidden_dim, 1)
        self.fc2 = nn.Conv2d(hidden_dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class PoolFormerBlock(nn.Module):
    """x + scale1 · mixer(norm(x)), then x + scale2 · ffn(norm(x)), on a (B, dim, H, W) map.

    Args:
        init_scale: initial value of both layer scales; None for none.
    """

    def __init__(
        self,
        dim: int,
        *,
        mixer: nn.Module | None,
        ffn: nn.Module,
        norm: MakeModule,
        init_scale: float | None,
    ) -> None:
        super().__init__()
        assert mixer is not None
        self.norm1 = norm(dim)
        self.mixer = mixer
        self.norm2 = norm(dim)
        self.mlp = ffn
        self.scale1, self.scale2 = _scale(dim, init_scale), _scale(dim, init_scale)

    def forward(self, x: Tensor) -> Tensor:
        x = x + _scaled(mix_map(self.mixer, self.norm1(x)), self.scale1)
        return x + _scaled(self.mlp(self.norm2(x)), self.scale2)


def _scale(dim: int, value: float | None) -> nn.Parameter | None:
    return None if value is None else nn.Parameter(torch.full((dim,), value))


def _scaled(x: Tensor, scale: Tensor | None) -> Tensor:
    return x if scale is None else scale[:, None, None] * x


@dataclass(frozen=True, slots=True)
class Pool:
    """Makes pooling."""

    pool_size: int = 3

    def __call__(self, place: Place) -> nn.Module:
        return Pooling(place.dim, pool_size=self.pool_size)


def config(
    dims: tuple[int, ...],
    depths: tuple[int, ...],
    *,
    init_scale: float | None,
    mlp_ratios: tuple[float, ...] = (4, 4, 4, 4),
    pool_size: int = 3,
    embeddings: tuple[tuple[int, int, int], ...] = ((7, 4, 2), (3, 2, 1), (3, 2, 1), (3, 2, 1)),
) -> HierarchyConfig:
    """A PoolFormer.

    Args:
        init_scale: as for `PoolFormerBlock`.
        embeddings: kernel size, stride and padding of the convolution into each stage.
    """
    norm = partial(nn.GroupNorm, 1)
    stages = tuple(
        Stage(
            dim=dim,
            depth=depth,
            embed=partial(ConvEmbedding, kernel_size=kernel_size, stride=stride, padding=padding),
            mixers=(Pool(pool_size),),
            ffn=partial(_mlp, ratio=ratio),
            norm=norm,
            block=partial(PoolFormerBlock, init_scale=init_scale),
            layout="NCHW",
        )
        for dim, depth, ratio, (kernel_size, stride, padding) in zip(
            dims, depths, mlp_ratios, embeddings, strict=True
        )
    )
    return HierarchyConfig(name="PoolFormer", stages=stages, norm=norm)


def _mlp(dim: int, *, ratio: float) -> MapMLP:
    return MapMLP(dim, hidden_dim=int(dim * ratio))


_S = (64, 128, 320, 512)
_M = (96, 192, 384, 768)

poolformer_s12 = network(Hierarchy, config(_S, (2, 2, 6, 2), init_scale=1e-5))
poolformer_s24 = network(Hierarchy, config(_S, (4, 4, 12, 4), init_scale=1e-5))
poolformer_s36 = network(Hierarchy, config(_S, (6, 6, 18, 6), init_scale=1e-6))
poolformer_m36 = network(Hierarchy, config(_M, (6, 6, 18, 6), init_scale=1e-6))
poolformer_m48 = network(Hierarchy, config(_M, (8, 8, 24, 8), init_scale=1e-6))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {
            "layers": None,
            "embed_dims": None,
            "mlp_ratios": None,
            "pool_size": 3,
            "num_classes": 1000,
            "in_patch_size": 7,
            "in_stride": 4,
            "in_pad": 2,
            "down_patch_size": 3,
            "down_stride": 2,
            "down_pad": 1,
            "use_layer_scale": True,
            "layer_scale_init_value": 1e-5,
        },
        only={"downsamples": [True] * len(authors["layers"]), "drop_rate": 0.0, "fork_feat": False}
        | {"drop_path_rate": ...},
    )
    further = (given["down_patch_size"], given["down_stride"], given["down_pad"])
    ours = config(
        tuple(given["embed_dims"]),
        tuple(given["layers"]),
        init_scale=given["layer_scale_init_value"] if given["use_layer_scale"] else None,
        mlp_ratios=tuple(given["mlp_ratios"]),
        pool_size=given["pool_size"],
        embeddings=(
            (given["in_patch_size"], given["in_stride"], given["in_pad"]),
            *[further] * (len(given["layers"]) - 1),
        ),
    )
    return {"config": ours, "num_classes": given["num_classes"]}


def _entry(match: re.Match[str]) -> str:
    """Stages are the even entries of the authors' list; an odd one is the way into the stage behind it."""
    number = int(match[1])
    return f"stages.{(number + 1) // 2}.{'embed' if number % 2 else 'blocks'}."


_network = renamed((r"patch_embed\.", "stages.0.embed."), (r"network\.(\d+)\.", _entry))
_scales = renamed((r"(.*\.)layer_scale_", r"\1scale"))


def _state(authors: State) -> dict[str, Tensor]:
    return _scales(_network(authors))


PORTS = {"PoolFormer": NetworkPort("sail-sg/poolformer", Hierarchy, _arguments, _state)}
