"""MACs of MLP-like, Fourier and convolutional mixers: the closed forms by hand, and what the counter finds.

N tokens, C channels, h heads, H and W the sides of the grid. Biases, norms, softmax, pooling and elementwise
work are not counted, and no Fourier transform.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from benchsuite.mixers.afno import AdaptiveFourierMixing
from benchsuite.mixers.cascaded_group import CascadedGroupAttention
from benchsuite.mixers.convnext import ConvNeXtBlock, ConvNeXtConv
from benchsuite.mixers.efficientvit import ReLULinearAttention
from benchsuite.mixers.fnet import FourierMixing
from benchsuite.mixers.gfnet import GFNetBlock, GlobalFilter
from benchsuite.mixers.gmlp import GatedMLP, GMLPBlock, SpatialGatingUnit
from benchsuite.mixers.mlp_mixer import MixerBlock, TokenMixingMLP
from benchsuite.mixers.mobilevit import SeparableSelfAttention
from benchsuite.mixers.poolformer import Pooling
from benchsuite.mixers.resmlp import CrossPatch, ResMLPBlock
from benchsuite.mixers.smlp import SparseMLP
from benchsuite.mixers.vip import WeightedPermuteMLP
from tests.mixers.counting import counted

Size = tuple[int, int]
Example = tuple[Any, int]

SETTINGS = [(768, 12, (14, 14)), (96, 3, (14, 28)), (64, 4, (8, 6)), (32, 2, (2, 4))]
"""dim, heads, grid. The first is the single layer that the HiLo paper compares at."""

NOT_MULTIPLY_ADDS = {
    *("aten::fft_fft2", "aten::fft_rfft2", "aten::fft_irfft2"),
    *("aten::real", "aten::view_as_complex", "aten::view_as_real", "aten::softshrink"),
}
"""The transforms, which are left out on purpose, and what stands around them."""


def token_mlp(c: int, h: int, size: Size) -> Example:
    n, hidden = size[0] * size[1], c // 2
    to_hidden, from_hidden = c * n * hidden, c * hidden * n
    return TokenMixingMLP(c, grid=size), to_hidden + from_hidden


def token_mlp_narrow(c: int, h: int, size: Size) -> Example:
    return TokenMixingMLP(c, grid=size, tokens_dim=5), 2 * size[0] * size[1] * 5 * c


def mixer_block(c: int, h: int, size: Size) -> Example:
    n = size[0] * size[1]
    return MixerBlock(c, grid=size), 2 * n * (c // 2) * c + 2 * n * c * 4 * c


def gmlp_sgu(c: int, h: int, size: Size) -> Example:
    return SpatialGatingUnit(c, grid=size), (size[0] * size[1]) ** 2 * c // 2


def gmlp_sgu_heads(c: int, h: int, size: Size) -> Example:
    per_head = (size[0] * size[1]) ** 2 * (c // 2 // 4)
    return SpatialGatingUnit(c, 4, grid=size), 4 * per_head


def gmlp(c: int, h: int, size: Size) -> Example:
    n = size[0] * size[1]
    return GatedMLP(c, grid=size), n * c * 4 * c + n * n * 2 * c + n * 2 * c * c


def gmlp_block(c: int, h: int, size: Size) -> Example:
    n = size[0] * size[1]
    return GMLPBlock(c, grid=size, mlp_ratio=2), n * c * 2 * c + n * n * c + n * c * c


def resmlp(c: int, h: int, size: Size) -> Example:
    return CrossPatch(c, grid=size), (size[0] * size[1]) ** 2 * c


def resmlp_block(c: int, h: int, size: Size) -> Example:
    n = size[0] * size[1]
    return ResMLPBlock(c, grid=size), n * n * c + 8 * n * c * c


def smlp(c: int, h: int, size: Size) -> Example:
    height, width = size
    rows, columns = c * height * width * width, c * width * height * height
    return SparseMLP(c, grid=size), rows + columns + height * width * 3 * c * c


def vip(c: int, h: int, size: Size) -> Example:
    height, width = size
    s = c // 8
    along_h, along_w = 8 * width * (height * s) ** 2, 8 * height * (width * s) ** 2
    gate = c * (c // 4) + (c // 4) * 3 * c
    return WeightedPermuteMLP(c, grid=size), along_h + along_w + 2 * height * width * c * c + gate


def pooling(c: int, h: int, size: Size) -> Example:
    return Pooling(c), 0


def fnet(c: int, h: int, size: Size) -> Example:
    return FourierMixing(c), 0


def gfnet(c: int, h: int, size: Size) -> Example:
    return GlobalFilter(c, grid=size), 0


def gfnet_block(c: int, h: int, size: Size) -> Example:
    return GFNetBlock(c, grid=size, mlp_ratio=2), 4 * size[0] * size[1] * c * c


def afno(c: int, h: int, size: Size) -> Example:
    frequencies, block = size[0] * (size[1] // 2 + 1), c // 8
    complex_product = 4  # real products
    return AdaptiveFourierMixing(c), 2 * frequencies * 8 * block * block * complex_product


def afno_wide(c: int, h: int, size: Size) -> Example:
    frequencies, block = size[0] * (size[1] // 2 + 1), c // 4
    module = AdaptiveFourierMixing(c, num_blocks=4, mlp_ratio=2)
    return module, 2 * frequencies * 4 * block * 2 * block * 4


def convnext(c: int, h: int, size: Size) -> Example:
    return ConvNeXtConv(c), 49 * size[0] * size[1] * c


def convnext_block(c: int, h: int, size: Size) -> Example:
    n = size[0] * size[1]
    return ConvNeXtBlock(c, kernel_size=5), 25 * n * c + 8 * n * c * c


def separable(c: int, h: int, size: Size) -> Example:
    n = size[0] * size[1]
    return SeparableSelfAttention(c), n * c * (1 + 2 * c) + n * c + n * c * c


def separable_global(c: int, h: int, size: Size) -> Example:
    return SeparableSelfAttention(c, patch_size=1), separable(c, h, size)[1]


def relu_linear(c: int, h: int, size: Size) -> Example:
    n, d = size[0] * size[1], 4
    inner = h * d
    qkv, depthwise, grouped = 3 * n * c * inner, 25 * n * 3 * inner, 3 * n * inner * d
    attention = 2 * h * (n * d * d + n * d + n * d * d)  # context, denominator, product; twice the heads
    module = ReLULinearAttention(c, h, head_dim=4)
    return module, qkv + depthwise + grouped + attention + n * 2 * inner * c


def relu_linear_few_tokens(c: int, h: int, size: Size) -> Example:
    n, d = size[0] * size[1], 400  # as wide as there are tokens, at least
    inner = h * d
    attention = h * 2 * n * n * d
    return ReLULinearAttention(c, h, head_dim=d, scales=()), 4 * n * c * inner + attention


def cascaded_group(c: int, h: int, size: Size, kernel: str = "math") -> Example:
    n, d, k = size[0] * size[1], c // h, 16
    each = n * d * (2 * k + d) + 25 * n * k + n * n * (k + d)
    return CascadedGroupAttention(c, h, grid=size, kernel=kernel), h * each + n * c * c


def cascaded_group_fused(c: int, h: int, size: Size) -> Example:
    return cascaded_group(c, h, size, kernel="sdpa")


def cascaded_group_kernels(c: int, h: int, size: Size) -> Example:
    n, d, k, sides = size[0] * size[1], c // h, 6, list(range(1, 2 * h, 2))
    each = n * d * (2 * k + d) + n * n * (k + d)
    module = CascadedGroupAttention(c, h, grid=size, key_dim=6, kernel_sizes=sides)
    return module, h * each + n * k * sum(side * side for side in sides) + n * c * c


EXAMPLES: list[Callable[[int, int, Size], Example]] = [
    token_mlp,
    token_mlp_narrow,
    mixer_block,
    gmlp_sgu,
    gmlp_sgu_heads,
    gmlp,
    gmlp_block,
    resmlp,
    resmlp_block,
    smlp,
    vip,
    pooling,
    fnet,
    gfnet,
    gfnet_block,
    afno,
    afno_wide,
    convnext,
    convnext_block,
    separable,
    separable_global,
    relu_linear,
    relu_linear_few_tokens,
    cascaded_group,
    cascaded_group_fused,
    cascaded_group_kernels,
]

WITH_TRANSFORMS = [fnet, gfnet, gfnet_block, afno, afno_wide]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
@pytest.mark.parametrize(("c", "h", "size"), SETTINGS)
def test_what_is_counted_is_the_closed_form(
    example: Callable[[int, int, Size], Example], c: int, h: int, size: Size
) -> None:
    with torch.device("meta"):
        module, by_hand = example(c, h, size)
    ignored = NOT_MULTIPLY_ADDS if example in WITH_TRANSFORMS else ()
    assert counted(module, size, dim=c, ignored=ignored) == by_hand


def test_frequencies_that_are_dropped_cost_nothing() -> None:
    size = (8, 6)  # ⌊48 / 2⌋ + 1 = 25, a tenth of which is 2 of the 4 along a row
    some, all_ = AdaptiveFourierMixing(32, hard_thresholding_fraction=0.1), AdaptiveFourierMixing(32)
    half = counted(some, size, ignored=NOT_MULTIPLY_ADDS)
    assert half == counted(all_, size, ignored=NOT_MULTIPLY_ADDS) // 2


def test_the_layer_of_the_hilo_paper() -> None:
    """14 × 14 tokens, 768 channels: multiplied out by hand."""
    size, n, c = (14, 14), 196, 768
    assert counted(TokenMixingMLP(c), size) == 115_605_504  # 2 · 196 · 384 · 768
    assert counted(CrossPatch(c), size) == 29_503_488  # 196² · 768
    assert counted(ConvNeXtConv(c), size, dim=c) == 7_375_872  # 49 · 196 · 768
    assert counted(SparseMLP(c), size) == n * c * 28 + 346_816_512  # 3 · 196 · 768²
