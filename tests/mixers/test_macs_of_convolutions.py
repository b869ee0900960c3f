"""MACs of DaViT, depth-wise convolutions, context broadcasting, gates and LIT: by hand, and as counted.

N tokens, C channels, h heads, w the side of a window. Biases, norms, softmax, pooling
and interpolation are not counted; one multiply–add is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from benchsuite.mixers.context_broadcast import (
    ContextBroadcast,
    ContextBroadcastBlock,
    ContextBroadcastMLP,
    ContextBroadcastMSA,
    ScaledContextBroadcast,
    UniformHeadMSA,
)
from benchsuite.mixers.davit import (
    ChannelAttention,
    DaViTChannelBlock,
    DaViTDualBlock,
    DaViTPosition,
    DaViTSpatialBlock,
    DaViTWindowAttention,
)
from benchsuite.mixers.depthwise import DepthwiseConv, DynamicDepthwiseConv, InhomogeneousDepthwiseConv
from benchsuite.mixers.dwnet import DWBlock, DWNetBlock, DynamicDWBlock, InhomogeneousDWBlock
from benchsuite.mixers.eca import EfficientChannelAttention
from benchsuite.mixers.gather_excite import GatherExcite
from benchsuite.mixers.lit import DeformableTokenMerging, RelPosMSA
from benchsuite.mixers.litv2 import ConvFFNBlock, LITv2Block, LITv2FeedForward
from benchsuite.mixers.pvt_ffn import PVTFeedForward
from benchsuite.mixers.se import SqueezeExcite
from benchsuite.mixers.twins_peg import PositionEncodingGenerator
from tests.mixers.counting import counted

Size = tuple[int, int]
Formula = Callable[[int, int, int, Size], int]
"""Of N, C, h and the grid."""

SETTINGS = [(768, 12, (14, 14)), (96, 3, (28, 14)), (64, 4, (10, 12))]
"""dim, heads, grid. The first is the single layer that the HiLo paper compares at."""


def padded(size: Size, w: int) -> int:
    return -(-size[0] // w) * w * (-(-size[1] // w) * w)


def window(size: Size, c: int, w: int = 7) -> int:
    p = padded(size, w)
    return 4 * p * c * c + 2 * p * w * w * c


def channel(n: int, c: int, h: int) -> int:
    return 4 * n * c * c + 2 * n * c * (c // h)


def msa(n: int, c: int) -> int:
    return 4 * n * c * c + 2 * n * n * c


def halved(size: Size, times: int) -> int:
    for _ in range(times):
        size = ((size[0] + 1) // 2, (size[1] + 1) // 2)
    return size[0] * size[1]


FORMULAS: dict[str, tuple[Callable[..., nn.Module], Formula]] = {
    "davit_window": (DaViTWindowAttention, lambda n, c, h, s: window(s, c)),
    "davit_window 4": (
        lambda c, h: DaViTWindowAttention(c, h, window_size=4, kernel="sdpa"),
        lambda n, c, h, s: window(s, c, 4),
    ),
    "davit_channel": (ChannelAttention, lambda n, c, h, s: channel(n, c, h)),
    "davit_cpe": (lambda c, h: DaViTPosition(c), lambda n, c, h, s: 9 * n * c),
    "davit_spatial_block": (
        DaViTSpatialBlock,
        lambda n, c, h, s: window(s, c) + 2 * 9 * n * c + 8 * n * c * c,
    ),
    "davit_channel_block": (
        lambda c, h: DaViTChannelBlock(c, h, ffn=False),
        lambda n, c, h, s: channel(n, c, h) + 2 * 9 * n * c,
    ),
    "davit_dual_block": (
        DaViTDualBlock,
        lambda n, c, h, s: window(s, c) + channel(n, c, h) + 4 * 9 * n * c + 16 * n * c * c,
    ),
    "dwconv": (lambda c, h: DepthwiseConv(c), lambda n, c, h, s: 49 * n * c),
    "dwconv shared": (
        lambda c, h: DepthwiseConv(c, groups=h, kernel_size=5),
        lambda n, c, h, s: 25 * n * c,
    ),
    "dynamic_dwconv": (
        lambda c, h: DynamicDepthwiseConv(c),
        lambda n, c, h, s: 49 * n * c + c * c // 4 + c * c * 49 // 4,
    ),
    "dynamic_dwconv strided": (
        lambda c, h: DynamicDepthwiseConv(c, kernel_size=3, stride=2, reduction=8),
        lambda n, c, h, s: 9 * halved(s, 1) * c + c * c // 8 * 10,
    ),
    "idynamic_dwconv": (
        lambda c, h: InhomogeneousDepthwiseConv(c),
        lambda n, c, h, s: n * c * c // 4 + n * (c // 4) * 49 * 32 + 49 * n * c,
    ),
    "dw_block": (lambda c, h: DWBlock(c), lambda n, c, h, s: 49 * n * c + 2 * n * c * c),
    "dynamic_dw_block": (
        lambda c, h: DynamicDWBlock(c),
        lambda n, c, h, s: 2 * n * c * c + 49 * n * c + 50 * c * c // 4,
    ),
    "idynamic_dw_block": (
        lambda c, h: InhomogeneousDWBlock(c, groups=h, kernel_size=3),
        lambda n, c, h, s: 2 * n * c * c + n * c * c // 4 + n * (c // 4) * 9 * h + 9 * n * c,
    ),
    "dwnet_block": (lambda c, h: DWNetBlock(c), lambda n, c, h, s: 49 * n * c + 10 * n * c * c),
    "cb": (lambda c, h: ContextBroadcast(c), lambda n, c, h, s: 0),
    "cbs": (lambda c, h: ScaledContextBroadcast(c), lambda n, c, h, s: 0),
    "cb_mlp": (
        lambda c, h: ContextBroadcastMLP(c, position="mid", scaled=True),
        lambda n, c, h, s: 8 * n * c * c,
    ),
    "cb_msa": (ContextBroadcastMSA, lambda n, c, h, s: msa(n, c)),
    "cb_block": (
        lambda c, h: ContextBroadcastBlock(c, h, place="both"),
        lambda n, c, h, s: msa(n, c) + 8 * n * c * c,
    ),
    "uniform_msa replace": (
        UniformHeadMSA,
        lambda n, c, h, s: (4 * n * c + 2 * n * n) * (c - c // h) + 2 * c * (c // h),
    ),
    "uniform_msa compensated": (
        lambda c, h: UniformHeadMSA(c, h, uniform="compensated", kernel="sdpa"),
        lambda n, c, h, s: (4 * n * c + 2 * n * n) * (c - c // h) + 4 * c * (c // h),
    ),
    "uniform_msa parallel": (
        lambda c, h: UniformHeadMSA(c, h, uniform="parallel"),
        lambda n, c, h, s: msa(n, c) + 2 * c * (c // h),
    ),
    "se": (
        lambda c, h: SqueezeExcite(c, rd_ratio=0.25, add_maxpool=True),
        lambda n, c, h, s: 2 * c * (c // 4),
    ),
    "eca": (
        lambda c, h: EfficientChannelAttention(c),
        lambda n, c, h, s: c * (5 if c > 127 else 3),
    ),
    "ge theta minus": (
        lambda c, h: GatherExcite(c, extra_params=False, add_maxpool=True),
        lambda n, c, h, s: 0,
    ),
    "ge theta": (
        lambda c, h: GatherExcite(c),
        lambda n, c, h, s: 9 * c * (halved(s, 1) + halved(s, 2)),
    ),
    "ge theta plus": (
        lambda c, h: GatherExcite(c, extent=8, use_mlp=True, rd_ratio=0.25),
        lambda n, c, h, s: (
            9 * c * sum(halved(s, level) for level in (1, 2, 3)) + 2 * c * (c // 4) * halved(s, 3)
        ),
    ),
    "ge with an mlp": (
        lambda c, h: GatherExcite(c, extent=4, extra_params=False, use_mlp=True, rd_ratio=0.25),
        lambda n, c, h, s: 2 * c * (c // 4) * (-(-s[0] // 4)) * (-(-s[1] // 4)),
    ),
    "dtm": (
        lambda c, h: DeformableTokenMerging(c),
        lambda n, c, h, s: 4 * c * 8 * (n // 4) + 4 * c * 2 * c * (n // 4),
    ),
    "convffn": (lambda c, h: LITv2FeedForward(c), lambda n, c, h, s: 8 * n * c * c + 9 * n * 4 * c),
    "pvtv2_mlp": (
        lambda c, h: PVTFeedForward(c, hidden_dim=2 * c, out_dim=c // 2, linear=True),
        lambda n, c, h, s: 2 * n * c * c + 18 * n * c + n * c * c,
    ),
    "litv2_convffn_block": (
        lambda c, h: ConvFFNBlock(c),
        lambda n, c, h, s: 8 * n * c * c + 9 * n * 4 * c,
    ),
    "litv2_block as msa": (
        lambda c, h: LITv2Block(c, h, window_size=1),
        lambda n, c, h, s: msa(n, c) + 8 * n * c * c + 9 * n * 4 * c,
    ),
    "twins_peg": (lambda c, h: PositionEncodingGenerator(c), lambda n, c, h, s: 9 * n * c),
    "twins_peg strided": (
        lambda c, h: PositionEncodingGenerator(c, stride=2),
        lambda n, c, h, s: 9 * halved(s, 1) * c,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_what_is_counted_is_the_formula(name: str) -> None:
    make, formula = FORMULAS[name]
    for c, h, size in SETTINGS:
        with torch.device("meta"):
            module: Any = make(c, h)
        expected = formula(size[0] * size[1], c, h, size)
        assert counted(module, size) == expected


@pytest.mark.parametrize("size", [(14, 14), (7, 9), (1, 4)])
def test_relative_positions_add_nothing_to_attention(size: Size) -> None:
    with torch.device("meta"):
        module = RelPosMSA(768, 12, grid=size)
    expected = msa(size[0] * size[1], 768)
    assert counted(module, size) == expected


@pytest.mark.parametrize("padding", [False, True])
def test_a_global_gather_multiplies_the_map_by_a_kernel_as_large(padding: bool) -> None:
    size = (5, 7)
    with torch.device("meta"):
        module = GatherExcite(32, extent=0, grid=size, padded=padding)
    places = 5 * 7 if padding else 1
    assert counted(module, size) == 5 * 7 * 32 * places


def test_hidden_cost_of_odd_grids_is_what_is_left_of_them() -> None:
    with torch.device("meta"):
        module = DeformableTokenMerging(16)
    places = 2 * 3
    assert counted(module, (5, 7)) == places * (4 * 16 * 8 + 4 * 16 * 32)


def test_the_layer_of_the_hilo_paper() -> None:
    """14 × 14 tokens of width 768 with 12 heads; channel attention is the same sum as XCA's 481.69 M."""
    with torch.device("meta"):
        assert counted(ChannelAttention(768, 12), (14, 14)) == 481_689_600
        assert counted(DaViTWindowAttention(768, 12), (14, 14)) == 477_173_760
        assert counted(RelPosMSA(768, 12), (14, 14)) == 521_428_992
        assert counted(DWBlock(768), (14, 14)) == 238_586_880


def test_channel_attention_is_linear_in_tokens() -> None:
    with torch.device("meta"):
        module = ChannelAttention(96, 3)
    assert counted(module, (56, 56)) == 4 * counted(module, (28, 28))
