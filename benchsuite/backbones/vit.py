"""DeiT, the plain vision transformer: alone, and with context broadcasting wherever the paper tries it.

Paper: Touvron et al., "Training data-efficient image transformers & distillation through attention" (DeiT),
    ICML 2021, arXiv:2012.12877; Hyeon-Woo et al., "Scratching Visual Transformer's Back with Uniform
    Attention", ICCV 2023, arXiv:2210.08457.
Reference: timm 0.4.13 as in dingmyu/davit @ fc79470, timm/models/vision_transformer.py, VisionTransformer;
    for CB and CBS none was released.
Differs: no stochastic depth and no distillation token. How many layers "the deeper ones" are was not to be
    found: here they are the second half.
Names: cb_mid is the paper's Mid; place and position are those of `mixers/context_broadcast.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from benchsuite.backbones._choice import Choices, MixerSlot, Size, check_runs_on, choice_of, chosen
from benchsuite.backbones._embed import check_image, image_size
from benchsuite.backbones._network import Builder, NetworkPort, network, take
from benchsuite.backbones._stage import NORM_1E6, PreNormBlock
from benchsuite.mixers._layers import MLP
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.context_broadcast import ContextBroadcastMLP, ContextBroadcastMSA
from benchsuite.mixers.msa import MSA

STAGES = ("all",)


@dataclass(frozen=True, slots=True)
class Broadcasting:
    """Place of CB in a block, or of CBS if scaled; in all blocks, or in the deeper half of them."""

    place: str = "mlp"
    position: str = "end"
    scaled: bool = False
    deeper_half: bool = False


@dataclass(frozen=True, slots=True)
class ViTConfig:
    """Widths and depth. LayerNorms have eps 1e-6; the patch embedding has no norm."""

    dim: int
    num_heads: int
    depth: int = 12
    patch_size: int = 16
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    broadcasting: Broadcasting | None = None


class ViT(nn.Module):
    """Images (B, 3, H, W) of one size → logits (B, num_classes).

    Args:
        mixer: stage "all" → what mixes in place of self-attention (and of CB behind it). As the class token
            has no place in the grid, a mixer of the zoo must be one of `GRIDLESS`; one of your own is given
            all tokens as a grid of one row.

    Raises:
        ValueError: the patches do not divide the images, or the kernel or the mixer is unknown or does not
            fit; in `forward`, images of another size.
    """

    def __init__(
        self,
        config: ViTConfig,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> None:
        super().__init__()
        self.size = image_size(resolution, config.patch_size, "ViT")
        height, width = (side // config.patch_size for side in self.size)
        self.row = (1, 1 + height * width)
        self.patch_embed = nn.Conv2d(3, config.dim, config.patch_size, stride=config.patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.row[1], config.dim))
        slot = MixerSlot(
            stage="all",
            dim=config.dim,
            grid=self.row,
            layout="BNC",
            num_heads=config.num_heads,
            kernel=kernel,
            class_token=True,
        )
        self.slots = {"all": (slot,)}
        choice = choice_of(mixer, "all", STAGES)
        make = None if choice is None else chosen(choice, slot)
        self.blocks = nn.ModuleList(_block(config, layer, kernel, make) for layer in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.head = nn.Linear(config.dim, num_classes)
        check_runs_on(self, kernel, "ViT")
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        check_image(x, self.size, "ViT")
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x, self.row)
        logits: Tensor = self.head(self.norm(x)[:, 0])
        return logits


def _block(config: ViTConfig, layer: int, kernel: str, make: Callable[[], nn.Module] | None) -> PreNormBlock:
    dim, broadcasting = config.dim, config.broadcasting
    if broadcasting is not None and broadcasting.deeper_half and layer < config.depth // 2:
        broadcasting = None
    hidden_dim = int(dim * config.mlp_ratio)
    mlp: nn.Module = MLP(dim, hidden_dim=hidden_dim)
    mixer: nn.Module
    if broadcasting is not None and broadcasting.place in {"mlp", "both"}:
        mlp = ContextBroadcastMLP(
            dim,
            mlp_ratio=config.mlp_ratio,
            position=broadcasting.position,
            scaled=broadcasting.scaled,
        )
    if make is not None:
        mixer = make()
    elif broadcasting is not None and broadcasting.place in {"msa", "both"}:
        mixer = ContextBroadcastMSA(
            dim,
            config.num_heads,
            scaled=broadcasting.scaled,
            qkv_bias=config.qkv_bias,
            kernel=kernel,
        )
    else:
        mixer = MSA(dim, config.num_heads, qkv_bias=config.qkv_bias, kernel=kernel)
    return PreNormBlock(dim, mixer=mixer, ffn=mlp, norm=NORM_1E6)


def _with(config: ViTConfig, broadcasting: Broadcasting) -> Builder:
    return network(ViT, replace(config, broadcasting=broadcasting))


_TI = ViTConfig(dim=192, num_heads=3)
_S = ViTConfig(dim=384, num_heads=6)
_B = ViTConfig(dim=768, num_heads=12)

deit_ti = network(ViT, _TI)
deit_ti_cb = _with(_TI, Broadcasting())
deit_ti_cbs = _with(_TI, Broadcasting(scaled=True))
deit_ti_cb_deep = _with(_TI, Broadcasting(deeper_half=True))
deit_ti_cbs_deep = _with(_TI, Broadcasting(scaled=True, deeper_half=True))

deit_s = network(ViT, _S)
deit_s_cb = _with(_S, Broadcasting())
deit_s_cbs = _with(_S, Broadcasting(scaled=True))
deit_s_cb_front = _with(_S, Broadcasting(position="front"))
deit_s_cbs_front = _with(_S, Broadcasting(position="front", scaled=True))
deit_s_cb_mid = _with(_S, Broadcasting(position="mid"))
deit_s_cbs_mid = _with(_S, Broadcasting(position="mid", scaled=True))
deit_s_cb_msa = _with(_S, Broadcasting(place="msa"))
deit_s_cbs_msa = _with(_S, Broadcasting(place="msa", scaled=True))
deit_s_cb_both = _with(_S, Broadcasting(place="both"))
deit_s_cbs_both = _with(_S, Broadcasting(place="both", scaled=True))
deit_s_cb_deep = _with(_S, Broadcasting(deeper_half=True))
deit_s_cbs_deep = _with(_S, Broadcasting(scaled=True, deeper_half=True))

deit_b = network(ViT, _B)
deit_b_cb = _with(_B, Broadcasting())
deit_b_cbs = _with(_B, Broadcasting(scaled=True))
deit_b_cb_deep = _with(_B, Broadcasting(deeper_half=True))
deit_b_cbs_deep = _with(_B, Broadcasting(scaled=True, deeper_half=True))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {
            "img_size": 224,
            "patch_size": 16,
            "num_classes": 1000,
            "embed_dim": 768,
            "depth": 12,
            "num_heads": 12,
            "mlp_ratio": 4.0,
            "qkv_bias": True,
        },
        only={
            "in_chans": 3,
            "qk_scale": None,
            "representation_size": None,
            "distilled": False,
            "drop_rate": 0.0,
            "attn_drop_rate": 0.0,
            "drop_path_rate": ...,
            "weight_init": ...,
        },
    )
    config = ViTConfig(
        dim=given["embed_dim"],
        num_heads=given["num_heads"],
        depth=given["depth"],
        patch_size=given["patch_size"],
        mlp_ratio=given["mlp_ratio"],
        qkv_bias=given["qkv_bias"],
    )
    return {"config": config, "num_classes": given["num_classes"], "resolution": given["img_size"]}


_state = renamed((r"patch_embed\.proj\.", "patch_embed."))

PORTS = {
    "VisionTransformer": NetworkPort("dingmyu/davit", ViT, _arguments, _state),
}
