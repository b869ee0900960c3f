"""FNet's mixing against matrices of cosines and sines."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchsuite.mixers.fnet import FourierMixing


def waves(n: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of 2π k l / n, both (n, n)."""
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64).outer(torch.arange(n, dtype=torch.float64)) / n
    return angle.cos(), angle.sin()


def test_it_is_the_real_part_of_a_transform_over_tokens_and_channels() -> None:
    x = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (cos_n, sin_n), (cos_c, sin_c) = waves(6), waves(5)
    expected = cos_n @ x @ cos_c - sin_n @ x @ sin_c  # the real part of (cos - i sin) x (cos - i sin)
    torch.testing.assert_close(FourierMixing(5)(x, (2, 3)), expected)


def test_it_is_not_normalised() -> None:
    out = FourierMixing(5)(torch.ones(1, 6, 5), (2, 3))
    assert out[0, 0, 0] == 30
    torch.testing.assert_close(out.sum(), torch.tensor(30.0))


def test_the_tokens_are_a_sequence_whatever_the_grid() -> None:
    x = torch.randn(1, 6, 5)
    assert torch.equal(FourierMixing(5)(x, (2, 3)), FourierMixing(5)(x, (6, 1)))


def test_half_precision_is_transformed_in_single() -> None:
    x = torch.randn(1, 6, 5).bfloat16()
    out = FourierMixing(5)(x, (2, 3))
    assert torch.equal(out, FourierMixing(5)(x.float(), (2, 3)).bfloat16())
