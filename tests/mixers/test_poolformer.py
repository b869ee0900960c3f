"""Pooling as a mixer, position by position."""

from __future__ import annotations

import pytest
import torch

from benchsuite.mixers.poolformer import Pooling


@pytest.mark.parametrize("pool_size", [1, 3, 5])
def test_it_is_the_mean_of_the_neighbours_that_are_there_less_the_token(pool_size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, 6, generator=generator, dtype=torch.float64)
    reach, expected = pool_size // 2, torch.empty_like(x)
    for i in range(4):
        for j in range(6):
            near = x[:, :, max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1]
            expected[:, :, i, j] = near.mean(dim=(2, 3)) - x[:, :, i, j]
    torch.testing.assert_close(Pooling(3, pool_size=pool_size)(x), expected)


def test_a_constant_map_becomes_zero_up_to_its_border() -> None:
    assert Pooling(2)(torch.full((1, 2, 5, 4), 0.5)).abs().max() == 0


@pytest.mark.parametrize("pool_size", [0, 2, -3])
def test_a_pool_without_a_middle_is_refused(pool_size: int) -> None:
    with pytest.raises(ValueError, match=f"^pool_size {pool_size} is not odd, so the grid would not keep"):
        Pooling(2, pool_size=pool_size)
