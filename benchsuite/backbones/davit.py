"""DaViT: windows of tokens and groups of channels attend in turn.

Paper: Ding et al., "DaViT: Dual Attention Vision Transformers", ECCV 2022, arXiv:2204.03645.
Reference: dingmyu/davit @ fc79470, timm/models/davit.py, DaViT; widths and depths of H and G from the paper.
Differs: no stochastic depth. The authors' depths are of pairs, a spatial block and a channel block; here
    each of the two is a block. "Overlap" is the merging of H and G by 3 × 3 patches, with which the
    parameters quoted for them come out.
Names: window_size² is the paper's P_w; the groups of channels are as many as the heads.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones._choice import mix_tokens
from benchsuite.backbones._embed import NormedMerging, PatchEmbedding, Size
from benchsuite.backbones._hierarchy import Hierarchy
from benchsuite.backbones._network import NetworkPort, network, take
from benchsuite.backbones._stage import HierarchyConfig, MakeModule, Stage, attention, feed_forward, mlp
from benchsuite.mixers._port import Arguments, renamed
from benchsuite.mixers.davit import ChannelAttention, DaViTPosition, DaViTWindowAttention


class DaViTBlock(nn.Module):
    """Position, mixer with residual, position, feed-forward with residual, on (B, N, dim) tokens."""

    def __init__(self, dim: int, *, mixer: nn.Module | None, ffn: nn.Module, norm: MakeModule) -> None:
        super().__init__()
        assert mixer is not None
        self.cpe = nn.ModuleList([DaViTPosition(dim), DaViTPosition(dim)])
        self.norm1 = norm(dim)
        self.attn = mixer
        self.norm2 = norm(dim)
        self.mlp = ffn

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = self.cpe[0](x, size)
        x = x + mix_tokens(self.attn, self.norm1(x), size)
        x = self.cpe[1](x, size)
        return x + feed_forward(self.mlp, self.norm2(x), size)


_PAIR = 2
"""Blocks of a layer, one of windows and one of channels."""


def config(
    dims: tuple[int, ...],
    depths: tuple[int, ...],
    num_heads: tuple[int, ...],
    *,
    window_size: int = 7,
    mlp_ratio: float = 4.0,
    qkv_bias: bool = True,
    overlap: bool = False,
    patch_size: int = 4,
) -> HierarchyConfig:
    """A DaViT of these widths, pairs of blocks, and heads.

    Args:
        overlap: merge by 3 × 3 patches, two apart, and not by 2 × 2.
    """
    merging = partial(NormedMerging, stride=2, kernel_size=3 if overlap else 2)
    stages = (
        Stage(
            dim=dim,
            depth=_PAIR * pairs,
            num_heads=heads,
            embed=merging if i else partial(PatchEmbedding, stride=patch_size, kernel_size=7),
            mixers=(
                attention(DaViTWindowAttention, window_size=window_size, qkv_bias=qkv_bias),
                attention(ChannelAttention, qkv_bias=qkv_bias),
            ),
            ffn=mlp(mlp_ratio),
            block=DaViTBlock,
        )
        for i, (dim, pairs, heads) in enumerate(zip(dims, depths, num_heads, strict=True))
    )
    return HierarchyConfig(name="DaViT", stages=tuple(stages), norm_after_mean=True, blocks_a_layer=_PAIR)


_H = ((256, 512, 1024, 2048), (1, 1, 9, 1), (8, 16, 32, 64))
_G = ((384, 768, 1536, 3072), (1, 1, 12, 3), (12, 24, 48, 96))

davit_t = network(Hierarchy, config((96, 192, 384, 768), (1, 1, 3, 1), (3, 6, 12, 24)))
davit_s = network(Hierarchy, config((96, 192, 384, 768), (1, 1, 9, 1), (3, 6, 12, 24)))
davit_b = network(Hierarchy, config((128, 256, 512, 1024), (1, 1, 9, 1), (4, 8, 16, 32)))
davit_l = network(Hierarchy, config((192, 384, 768, 1536), (1, 1, 9, 1), (6, 12, 24, 48)))
davit_h = network(Hierarchy, config(*_H))
davit_h_overlap = network(Hierarchy, config(*_H, overlap=True))
davit_g = network(Hierarchy, config(*_G))
davit_g_overlap = network(Hierarchy, config(*_G, overlap=True))


def _arguments(authors: Arguments) -> dict[str, Any]:
    given = take(
        authors,
        {
            "img_size": 224,
            "patch_size": 4,
            "num_classes": 1000,
            "embed_dims": (64, 128, 192, 256),
            "depths": (1, 1, 3, 1),
            "num_heads": (3, 6, 12, 24),
            "window_size": 7,
            "mlp_ratio": 4.0,
            "qkv_bias": True,
            "overlapped_patch": False,
            "attention_types": ("spatial", "channel"),
        },
        only={"in_chans": 3, "ffn": True, "drop_rate": 0.0, "attn_drop_rate": 0.0}
        | dict.fromkeys(("drop_path_rate", "norm_layer", "weight_init"), ...),
    )
    if tuple(given["attention_types"]) != ("spatial", "channel"):
        raise ValueError(f"attention_types={given['attention_types']!r}: only spatial and then channel")
    ours = config(
        tuple(given["embed_dims"]),
        tuple(given["depths"]),
        tuple(given["num_heads"]),
        window_size=given["window_size"],
        mlp_ratio=given["mlp_ratio"],
        qkv_bias=given["qkv_bias"],
        overlap=given["overlapped_patch"],
        patch_size=given["patch_size"],
    )
    return {"config": ours, "num_classes": given["num_classes"], "resolution": given["img_size"]}


def _block(match: re.Match[str]) -> str:
    stage, pair, which = (int(number) for number in match.groups())
    return f"stages.{stage}.blocks.{2 * pair + which}."


_state = renamed(
    (r"patch_embeds\.(\d+)\.", r"stages.\1.embed."),
    (r"main_blocks\.(\d+)\.(\d+)\.(\d+)\.", _block),
    (r"norms\.", "norm."),
)

PORTS = {"DaViT": NetworkPort("dingmyu/davit", Hierarchy, _arguments, _state)}
