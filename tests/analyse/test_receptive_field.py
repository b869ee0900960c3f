"""Receptive fields whose answers are worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchsuite.analyse.receptive_field import of_mixer, side_of_share


class Conv(nn.Module):
    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, self.weight, padding=1, groups=x.shape[1])


def test_the_field_of_a_depthwise_three_by_three_convolution_is_three_by_three() -> None:
    field = of_mixer(Conv(torch.ones(2, 1, 3, 3)), (torch.randn(1, 2, 7, 7),), "NCHW")
    wanted = torch.zeros(7, 7)
    wanted[2:5, 2:5] = 1
    assert torch.tensor(field.map).equal(wanted)
    assert field.side_95 == pytest.approx(3 / 7)
    assert (field.unit, field.grid) == ("token", (7, 7))


def test_the_field_of_the_identity_is_one_token() -> None:
    class Same(nn.Module):
        def forward(self, x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            return x

    field = of_mixer(Same(), (torch.randn(2, 15, 4), (3, 5)), "BNC", (3, 5))
    assert [(y, x) for y in range(3) for x in range(5) if field.map[y][x]] == [(1, 2)]
    assert field.side_95 == pytest.approx(1 / 3)


def test_a_large_field_is_stored_in_squares_and_loses_nothing() -> None:
    field = of_mixer(nn.AvgPool2d(112), (torch.randn(1, 1, 112, 112),), "NCHW")
    assert field.grid == (112, 112)
    assert len(field.map) == len(field.map[0]) == 56
    assert all(value == 1 for row in field.map for value in row)


def test_the_square_of_a_share_grows_from_the_centre() -> None:
    strength = torch.zeros(5, 5)
    strength[2, 2], strength[0, 0] = 0.9, 0.1
    assert side_of_share(strength, (2, 2), share=0.85) == pytest.approx(1 / 5)
    assert side_of_share(strength, (2, 2), share=0.95) == 1
