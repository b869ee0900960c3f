"""VOLO: outlookers on a fine grid, self-attention on a coarse one, class attention at the end.

Paper: Yuan et al., "VOLO: Vision Outlooker for Visual Recognition", TPAMI 2022, arXiv:2106.13112.
Reference: sail-sg/volo @ cf35775, models/volo.py, VOLO.
Differs: logits are those of inference in training too (of the class token, plus half the greatest of each
    class over the patches): no mixing of tokens between images, no separate logits of the patches. No
    stochastic depth. Images need not be square.
Names: stages are the authors' four layers, of which the last three have the same grid; pooling_scale is how
    much coarser it is than the first one's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.backbones._choice import (
    Choices,
    MixerChoice,
    MixerSlot,
    Size,
    check_runs_on,
    choice_of,
    chosen,
)
from benchsuite.backbones._embed import check_image, image_size, size_of
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import NORM, PreNormBlock
from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers._layers import MLP
from benchsuite.mixers._port import Arguments, with_batch_counters
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.volo import OutlookAttention, VOLOClassAttention

_POSITION_AT = 2
"""Entry of the network (stages and what is between them) that the position encoding is added in front of."""

STAGES = ("stage1", "stage2", "stage3", "stage4")


@dataclass(frozen=True, slots=True)
class VOLOConfig:
    """One entry a stage. LayerNorms have eps 1e-5.

    Attributes:
        outlook: whether a stage's mixer is outlook attention.
        downsample: whether a stage is followed by a convolution that halves the grid.
        class_blocks: blocks of class attention at the end; without any, no class token.
        readout: what the logits are of: "dense", the class token and the patches; "first", the first token;
            "mean", the mean token.
    """

    depths: tuple[int, ...]
    dims: tuple[int, ...]
    num_heads: tuple[int, ...]
    mlp_ratios: tuple[float, ...] = (3.0, 3.0, 3.0, 3.0)
    outlook: tuple[bool, ...] = (True, False, False, False)
    downsample: tuple[bool, ...] = (True, False, False, False)
    stem_dim: int = 64
    patch_size: int = 8
    pooling_scale: int = 2
    kernel_size: int = 3
    stride: int = 2
    padding: int = 1
    qkv_bias: bool = False
    class_blocks: int = 2
    readout: str = "dense"


class VOLO(nn.Module):
    """Images (B, 3, H, W) of one size → logits (B, num_classes).

    Args:
        kernel: of class attention and of the mixers that have it; outlook attention has "math" alone.
        mixer: stages "stage1" … "stage4" → what mixes there; class attention stays.

    Raises:
        ValueError: the patches do not divide the images, or the kernel or the mixer is unknown or does not
            fit; in `forward`, images of another size.
    """

    def __init__(
        self,
        config: VOLOConfig,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> None:
        super().__init__()
        dim = config.dims[-1]
        joined = zip(config.dims, config.dims[1:], config.downsample, strict=False)
        if any(width != further and not halved for width, further, halved in joined):
            raise ValueError(f"VOLO: stages of one grid have one width, not {config.dims}")
        self.size = image_size(resolution, config.patch_size, "VOLO")
        self.readout = config.readout
        self.patch_embed = Stem(config.stem_dim, config.dims[0], config.patch_size)
        height, width = (side // config.patch_size for side in self.size)
        scale = config.pooling_scale
        self.pos_embed = nn.Parameter(torch.zeros(1, height // scale, width // scale, dim))
        self.network = nn.ModuleList()
        self.slots: dict[str, tuple[MixerSlot, ...]] = {}
        grid = (height, width)
        for index, stage in enumerate(STAGES):
            slot = _slot(config, index, grid, kernel)
            self.slots[stage] = (slot,)
            make = _mixers(config, index, slot, choice_of(mixer, stage, STAGES))
            self.network.append(_stage(config, index, make))
            if config.downsample[index]:
                self.network.append(Downsample(config.dims[index], config.dims[index + 1]))
                grid = (grid[0] // 2, grid[1] // 2)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim)) if config.class_blocks else None
        self.post_network = nn.ModuleList(
            ClassBlock(
                dim,
                config.num_heads[-1],
                mlp_ratio=config.mlp_ratios[-1],
                qkv_bias=config.qkv_bias,
                kernel=kernel,
            )
            for _ in range(config.class_blocks)
        )
        self.norm = nn.LayerNorm(dim)
        self.aux_head = nn.Linear(dim, num_classes) if config.readout == "dense" else None
        self.head = nn.Linear(dim, num_classes)
        check_runs_on(self, kernel, "VOLO")
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        if self.cls_token is not None:
            nn.init.trunc_normal_(self.cls_token, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        check_image(x, self.size, "VOLO")
        x = self.patch_embed(x)
        size = size_of(x)
        x = as_tokens(x)
        for index, part in enumerate(self.network):
            if index == _POSITION_AT:
                x = x + self.pos_embed.flatten(1, 2)
            x, size = part(x, size)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        for block in self.post_network:
            x = block(x, size)
        return self._logits(self.norm(x))

    def _logits(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x.mean(dim=1) if self.readout == "mean" else x[:, 0])
        if self.aux_head is not None:
            logits = logits + 0.5 * self.aux_head(x[:, 1:]).amax(dim=1)
        return logits


class Stem(nn.Module):
    """Three convolutions at half the resolution, then one for the patches: (B, 3, H, W) → (B, dim, …)."""

    def __init__(self, stem_dim: int, dim: int, patch_size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for in_dim, kernel_size, stride in ((3, 7, 2), (stem_dim, 3, 1), (stem_dim, 3, 1)):
            padding = kernel_size // 2
            layers += [
                nn.Conv2d(in_dim, stem_dim, kernel_size, stride=stride, padding=padding, bias=False),
                nn.BatchNorm2d(stem_dim),
                nn.ReLU(),
            ]
        self.conv = nn.Sequential(*layers)
        self.proj = nn.Conv2d(stem_dim, dim, patch_size // 2, stride=patch_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(self.conv(x))
        return out


class Downsample(nn.Module):
    """2 × 2 convolution with stride 2: (B, N, dim) tokens of a grid → those of its half, and its size."""

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(dim, out_dim, kernel_size=2, stride=2)

    def forward(self, x: Tensor, size: Size) -> tuple[Tensor, Size]:
        x = self.proj(as_map(x, size))
        return as_tokens(x), size_of(x)


class VOLOStage(nn.ModuleList):
    """Blocks one after the other: (B, N, dim) tokens of a grid → (B, N, dim), and its size."""

    def forward(self, x: Tensor, size: Size) -> tuple[Tensor, Size]:
        for block in self:
            x = block(x, size)
        return x, size


class ClassBlock(nn.Module):
    """Class attention and an MLP for the first of (B, 1 + N, dim) tokens; the others stay as they are."""

    def __init__(self, dim: int, num_heads: int, *, mlp_ratio: float, qkv_bias: bool, kernel: str) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = VOLOClassAttention(dim, num_heads, qkv_bias=qkv_bias, kernel=kernel)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))

    def forward(self, x: Tensor, size: Size) -> Tensor:
        token = x[:, :1] + self.attn(self.norm1(x), size)
        token = token + self.mlp(self.norm2(token))
        return torch.cat([token, x[:, 1:]], dim=1)


def _slot(config: VOLOConfig, index: int, grid: Size, kernel: str) -> MixerSlot:
    dim, num_heads = config.dims[index], config.num_heads[index]
    return MixerSlot(
        stage=STAGES[index], dim=dim, grid=grid, layout="BNC", num_heads=num_heads, kernel=kernel
    )


def _mixers(
    config: VOLOConfig, index: int, slot: MixerSlot, choice: MixerChoice | None
) -> Callable[[], nn.Module]:
    if choice is not None:
        return chosen(choice, slot)
    dim, num_heads = config.dims[index], config.num_heads[index]
    if config.outlook[index]:
        return lambda: OutlookAttention(
            dim,
            num_heads,
            kernel_size=config.kernel_size,
            padding=config.padding,
            stride=config.stride,
            qkv_bias=config.qkv_bias,
        )
    return lambda: MSA(dim, num_heads, qkv_bias=config.qkv_bias, kernel=slot.kernel)


def _stage(config: VOLOConfig, index: int, make: Callable[[], nn.Module]) -> VOLOStage:
    dim = config.dims[index]
    hidden_dim = int(dim * config.mlp_ratios[index])
    return VOLOStage(
        PreNormBlock(dim, mixer=make(), ffn=MLP(dim, hidden_dim=hidden_dim), norm=NORM)
        for _ in range(config.depths[index])
    )


volo_d1 = network(VOLO, VOLOConfig((4, 4, 8, 2), (192, 384, 384, 384), (6, 12, 12, 12)))
volo_d2 = network(VOLO, VOLOConfig((6, 4, 10, 4), (256, 512, 512, 512), (8, 16, 16, 16)))
volo_d3 = network(VOLO, VOLOConfig((8, 8, 16, 4), (256, 512, 512, 512), (8, 16, 16, 16)))
volo_d4 = network(VOLO, VOLOConfig((8, 8, 16, 4), (384, 768, 768, 768), (12, 16, 16, 16)))
volo_d5 = network(
    VOLO,
    VOLOConfig(
        (12, 12, 20, 4), (384, 768, 768, 768), (12, 16, 16, 16), mlp_ratios=(4, 4, 4, 4), stem_dim=128
    ),
)


def _arguments(authors: Arguments) -> dict[str, Any]:
    layers = len(authors["layers"])
    given = take(
        authors,
        {
            "layers": None,
            "img_size": 224,
            "num_classes": 1000,
            "patch_size": 8,
            "stem_hidden_dim": 64,
            "embed_dims": None,
            "num_heads": None,
            "downsamples": (False,) * layers,
            "outlook_attention": (False,) * layers,
            "mlp_ratios": (3.0,) * layers,
            "qkv_bias": False,
            "post_layers": None,
            "return_mean": False,
            "return_dense": True,
            "pooling_scale": 2,
            "out_kernel": 3,
            "out_stride": 2,
            "out_padding": 1,
        },
        only=_ONLY,
    )
    post = given["post_layers"] or ()
    if set(post) - {"ca"}:
        raise ValueError(f"post_layers={post!r}: only 'ca', class attention, is known")
    readout = "mean" if given["return_mean"] else "dense" if given["return_dense"] else "first"
    config = VOLOConfig(
        depths=tuple(given["layers"]),
        dims=tuple(given["embed_dims"]),
        num_heads=tuple(given["num_heads"]),
        mlp_ratios=tuple(given["mlp_ratios"]),
        outlook=tuple(given["outlook_attention"]),
        downsample=tuple(given["downsamples"]),
        stem_dim=given["stem_hidden_dim"],
        patch_size=given["patch_size"],
        pooling_scale=given["pooling_scale"],
        kernel_size=given["out_kernel"],
        stride=given["out_stride"],
        padding=given["out_padding"],
        qkv_bias=given["qkv_bias"],
        class_blocks=len(post),
        readout=readout,
    )
    return {"config": config, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_ONLY = {"in_chans": 3, "qk_scale": None, "drop_rate": 0.0, "attn_drop_rate": 0.0} | dict.fromkeys(
    ("drop_path_rate", "mix_token", "norm_layer"), ...
)
"""Mixing of tokens between images and stochastic depth belong to training."""

PORTS = {
    "VOLO": NetworkPort("sail-sg/volo", VOLO, _arguments, with_batch_counters),
}
