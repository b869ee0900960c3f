"""What is counted of the local mixers against formulas written out by hand.

N tokens, M of the output, C channels, h heads, d = C / h, k the side of a window.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from benchsuite.mixers.acmix import ACmix, ACmixBottleneck
from benchsuite.mixers.acmix_pvt import ACmixSpatialReductionAttention
from benchsuite.mixers.acmix_san import ACmixPatchwiseAttention
from benchsuite.mixers.acmix_swin import ACmixWindowAttention
from benchsuite.mixers.cait import ClassAttention
from benchsuite.mixers.halo import HaloAttention
from benchsuite.mixers.involution import Involution
from benchsuite.mixers.nat import NeighborhoodAttention
from benchsuite.mixers.san import PairwiseAttention, PatchwiseAttention, SANBottleneck
from benchsuite.mixers.volo import OutlookAttention, Outlooker, VOLOClassAttention
from tests.mixers.counting import counted

settings = pytest.mark.parametrize(
    ("c", "h", "size"), [(768, 12, (14, 14)), (96, 3, (56, 56)), (64, 2, (14, 42)), (32, 4, (28, 14))]
)


@pytest.fixture(autouse=True)
def _meta() -> Iterator[None]:
    with torch.device("meta"):
        yield


@settings
@pytest.mark.parametrize("stride", [1, 2])
def test_acmix(c: int, h: int, size: tuple[int, int], stride: int) -> None:
    n = size[0] * size[1]
    m = n // stride**2
    projections, positions = 3 * n * c * c, 2 * n * (c // h)
    attention = 2 * m * 49 * c
    fully_connected, group_conv = 3 * 9 * n * c, 81 * m * c
    expected = projections + positions + attention + fully_connected + group_conv
    assert counted(ACmix(c, h, stride=stride), size) == expected
    assert counted(ACmix(c, h, stride=stride, shift="tensor"), size) == expected - group_conv


def test_acmix_by_tiles_pays_for_the_keys_that_its_queries_share() -> None:
    # 14 × 14 queries in 2 × 2 tiles of 7 × 7, each with 13 × 13 keys.
    extra = 2 * 196 * (13 * 13 - 49) * 32
    assert counted(ACmix(32, 4, kernel="sdpa"), (14, 14)) - counted(ACmix(32, 4), (14, 14)) == extra


@pytest.mark.parametrize(("c", "size"), [(768, (14, 14)), (64, (28, 42))])
def test_acmix_bottleneck(c: int, size: tuple[int, int]) -> None:
    n, width = size[0] * size[1], c // 4
    inner = 3 * n * width**2 + 2 * n * (width // 4) + 2 * n * 49 * width + (27 + 81) * n * width
    assert counted(ACmixBottleneck(c), size) == n * c * width + inner + n * width * c
    m = n // 4
    inner = 3 * n * width**2 + 2 * n * (width // 4) + 2 * m * 49 * width + 27 * n * width + 81 * m * width
    shortcut = m * c * c
    assert counted(ACmixBottleneck(c, stride=2), size) == n * c * width + inner + m * width * c + shortcut


@settings
def test_acmix_on_swin_and_pvt(c: int, h: int, size: tuple[int, int]) -> None:
    n, m = size[0] * size[1], size[0] * size[1] // 4
    convolution = (27 + 81) * n * c
    assert counted(ACmixWindowAttention(c, h), size) == 4 * n * c**2 + 2 * n * 49 * c + convolution
    sra = 3 * n * c**2 + 2 * m * c**2 + 2 * n * m * c
    assert counted(ACmixSpatialReductionAttention(c, h, sr_ratio=2), size) == sra + convolution


def test_acmix_in_swin_t_adds_what_the_paper_says() -> None:
    # Widths 96 to 768 on 56 × 56 to 7 × 7 tokens, 2, 2, 6, 2 blocks: 0.15 G, from 4.5 to 4.66 G.
    added = 0
    for stage, depth in enumerate((2, 2, 6, 2)):
        c, side = 96 << stage, 56 >> stage
        n = side * side
        with_, plain = counted(ACmixWindowAttention(c, 3 << stage), (side, side)), 4 * n * c**2 + 98 * n * c
        added += depth * (with_ - plain)
    assert added == 108 * sum(
        depth * (96 << stage) * (56 >> stage) ** 2 for stage, depth in enumerate((2, 2, 6, 2))
    )
    assert round(added / 1e9, 3) == 0.154


@settings
def test_san(c: int, h: int, size: tuple[int, int]) -> None:
    n, r, w = size[0] * size[1], c // 4, c // 8
    projections, aggregation = n * c * (2 * r + c), 49 * n * c
    pairs = 49 * n * ((r + 2) * r + r * w)
    assert counted(PairwiseAttention(c), size) == projections + 4 * n + pairs + aggregation
    patch = n * (50 * r * w + w * 49 * w)
    patchwise = projections + patch + aggregation
    assert counted(PatchwiseAttention(c), size) == patchwise
    assert counted(ACmixPatchwiseAttention(c), size) == patchwise + 9 * n * (2 * r + c) + 81 * n * c


def test_san_bottleneck() -> None:
    n, c = 14 * 14, 256
    mid, r, w = 64, 16, 8
    pairs = 49 * n * ((r + 2) * r + r * w)
    attention = n * c * (2 * r + mid) + 4 * n + pairs + 49 * n * mid
    assert counted(SANBottleneck(c), (14, 14)) == attention + n * mid * c


@settings
@pytest.mark.parametrize("stride", [1, 2])
def test_involution(c: int, h: int, size: tuple[int, int], stride: int) -> None:
    m, groups = size[0] * size[1] // stride**2, c // 16
    expected = m * c * c // 4 + m * (c // 4) * 49 * groups + m * c * 49
    assert counted(Involution(c, stride=stride), size) == expected


@settings
@pytest.mark.parametrize("stride", [1, 2])
def test_outlook(c: int, h: int, size: tuple[int, int], stride: int) -> None:
    n = size[0] * size[1]
    positions = n // stride**2
    expected = 2 * n * c**2 + positions * (c * h * 81 + 81 * c)
    assert counted(OutlookAttention(c, h, stride=stride), size) == expected
    assert counted(Outlooker(c, h, stride=stride), size) == expected + 2 * n * c * 3 * c


@settings
def test_class_attention(c: int, h: int, size: tuple[int, int]) -> None:
    tokens = size[0] * size[1] + 1
    expected = c * c + 2 * tokens * c * c + 2 * tokens * c + c * c
    assert counted(ClassAttention(c, h), size, before=1) == expected
    assert counted(VOLOClassAttention(c, h), size, before=1) == expected


@settings
def test_neighborhood_attention(c: int, h: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    assert counted(NeighborhoodAttention(c, h), size) == 4 * n * c**2 + 2 * n * 49 * c
    assert counted(NeighborhoodAttention(c, h, kernel="flex"), size) == 4 * n * c**2 + 2 * n * 49 * c
    dilated = NeighborhoodAttention(c, h, kernel_size=3, dilation=4)
    assert counted(dilated, size) == 4 * n * c**2 + 2 * n * 9 * c


@settings
def test_halo(c: int, h: int, size: tuple[int, int]) -> None:
    n, window = size[0] * size[1], 13
    positions = 2 * n * 25 * c
    expected = 3 * n * c**2 + positions + 2 * n * window**2 * c
    assert counted(HaloAttention(c, h, block_size=7, halo_size=3), size) == expected
