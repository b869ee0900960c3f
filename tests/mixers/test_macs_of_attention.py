"""What is counted against the formulas of the papers, each written out by hand.

N tokens, C channels, h heads, w the side of a window, R the reduction, M keys, m features. Biases, norms and
softmax are not counted; one multiply–add is 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from benchsuite.mixers.hilo import HiLo
from benchsuite.mixers.msa import MSA
from benchsuite.mixers.performer import Performer
from benchsuite.mixers.pvt import LinearSpatialReductionAttention, SpatialReductionAttention
from benchsuite.mixers.swin import WindowAttention
from benchsuite.mixers.twins import GlobalSubSampledAttention, LocallyGroupedAttention, TwinsAttention
from tests.mixers.counting import counted

SETTINGS = [
    (768, 12, (14, 14)),
    (384, 12, (28, 28)),
    (96, 3, (56, 56)),
    (64, 2, (14, 42)),
    (32, 4, (112, 56)),
]
"""dim, heads, grid. The first is the single layer that the HiLo paper compares at."""

settings = pytest.mark.parametrize(("c", "h", "size"), SETTINGS)


@pytest.fixture(autouse=True)
def _meta() -> Iterator[None]:
    with torch.device("meta"):
        yield


@settings
def test_msa(c: int, h: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    qkv, products, proj = 3 * n * c * c, 2 * n * n * c, n * c * c
    assert counted(MSA(c, h), size) == qkv + products + proj


@settings
def test_windows_with_and_without_shift(c: int, h: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    expected = 4 * n * c**2 + 2 * n * 49 * c
    assert counted(WindowAttention(c, h, window_size=7), size) == expected
    assert counted(WindowAttention(c, h, window_size=7, shift_size=3), size) == expected
    assert counted(LocallyGroupedAttention(c, h, window_size=7), size) == expected


@pytest.mark.parametrize(("size", "padded"), [((10, 12), 14 * 14), ((4, 15), 7 * 21), ((7, 7), 49)])
def test_padded_windows_pay_for_the_padding(size: tuple[int, int], padded: int) -> None:
    expected = 4 * padded * 32**2 + 2 * padded * 49 * 32
    assert counted(WindowAttention(32, 4, window_size=7, pad=True), size) == expected


def test_a_strip_of_windows_is_as_high_as_the_grid() -> None:
    n = 4 * 8
    assert counted(WindowAttention(32, 4, window_size=7), (4, 8)) == 4 * n * 32**2 + 2 * n * 16 * 32


@settings
@pytest.mark.parametrize("ratio", [1, 2, 4, 7])
def test_spatial_reduction(c: int, h: int, size: tuple[int, int], ratio: int) -> None:
    n, m = size[0] * size[1], (size[0] // ratio) * (size[1] // ratio)
    q, kv, products, proj = n * c * c, 2 * m * c * c, 2 * n * m * c, n * c * c
    convolution = 0 if ratio == 1 else ratio * ratio * c * c * m
    expected = q + convolution + kv + products + proj
    if ratio > 1 and n == m * ratio**2:
        assert expected == 3 * n * c**2 + 2 * m * c**2 + 2 * n * m * c
    assert counted(SpatialReductionAttention(c, h, sr_ratio=ratio), size) == expected
    assert counted(GlobalSubSampledAttention(c, h, sr_ratio=ratio), size) == expected


@settings
def test_linear_spatial_reduction(c: int, h: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    expected = 2 * n * c**2 + 3 * 49 * c**2 + 2 * 49 * n * c
    assert counted(LinearSpatialReductionAttention(c, h), size) == expected


@settings
def test_twins_pair(c: int, h: int, size: tuple[int, int]) -> None:
    n, m = size[0] * size[1], (size[0] // 2) * (size[1] // 2)
    local = 4 * n * c**2 + 2 * n * 49 * c
    sampled = 3 * n * c**2 + 2 * m * c**2 + 2 * n * m * c
    assert counted(TwinsAttention(c, h, window_size=7, sr_ratio=2), size) == local + sampled


@settings
@pytest.mark.parametrize(("alpha", "s"), [(0.0, 2), (0.2, 7), (0.5, 1), (0.7, 2), (0.9, 7), (1.0, 2)])
def test_hilo(c: int, h: int, size: tuple[int, int], alpha: float, s: int) -> None:
    n, m = size[0] * size[1], (size[0] // s) * (size[1] // s)
    c_l = (h if s == 1 else int(alpha * h)) * (c // h)
    c_h = c - c_l
    hifi = 3 * n * c * c_h + 2 * n * s**2 * c_h + n * c_h**2
    lofi = n * c * c_l + 2 * m * c * c_l + 2 * n * m * c_l + n * c_l**2
    assert counted(HiLo(c, h, alpha=alpha, window_size=s), size) == hifi + lofi


@pytest.mark.parametrize(("c", "h", "size"), [setting for setting in SETTINGS if setting[1] % 2 == 0])
def test_hilo_with_equal_halves(c: int, h: int, size: tuple[int, int]) -> None:
    n, s = size[0] * size[1], 2
    hifi = (7 * n * c**2) // 4 + s**2 * n * c
    lofi = (3 * n * c**2) // 4 + (n * c**2) // s**2 + n**2 * c // s**2
    assert counted(HiLo(c, h, alpha=0.5, window_size=s), size) == hifi + lofi


def test_hilo_padded_pays_for_the_padding_in_both_branches() -> None:
    n, m, c, half = 8 * 10, 4 * 5, 32, 16
    hifi = 3 * n * c * half + 2 * n * 4 * half + n * half**2
    lofi = n * c * half + 2 * m * c * half + 2 * n * m * half + n * half**2
    assert counted(HiLo(c, 4, alpha=0.5, window_size=2, pad=True), (7, 9)) == hifi + lofi


@settings
@pytest.mark.parametrize("m", [16, 256])
def test_performer(c: int, h: int, size: tuple[int, int], m: int) -> None:
    n = size[0] * size[1]
    expected = 4 * n * c**2 + 4 * n * m * c + n * m * h
    assert counted(Performer(c, h, num_features=m), size) == expected


def test_performer_with_heads_of_another_width() -> None:
    n, c, inner, m, h = 196, 32, 4 * 16, 10, 4
    expected = 3 * n * c * inner + n * inner * c + 4 * n * m * inner + n * m * h
    assert counted(Performer(c, h, head_dim=16, num_features=m), (14, 14)) == expected


def test_the_layer_of_the_hilo_paper() -> None:
    """Published, in millions: MSA 521.43, windows 477.17, HiLo 298.30, SRA 419.56 (which counts its norm)."""
    c, h, size = 768, 12, (14, 14)
    assert counted(MSA(c, h), size) == 521_428_992
    assert counted(WindowAttention(c, h), size) == 477_173_760
    assert counted(HiLo(c, h, alpha=0.9, window_size=2), size) == 298_296_320
    layer_norm = 5 * 49 * c
    assert counted(SpatialReductionAttention(c, h, sr_ratio=2), size) + layer_norm == 419_559_168
    assert counted(Performer(c, h, num_features=256), size) == 617_164_800


def test_the_example_of_the_hilo_authors() -> None:
    """Their file prints 83,467,776 for one layer."""
    assert counted(HiLo(384, 12, alpha=0.5, window_size=2), (14, 14)) == 83_467_776
