"""Entropy, distance, spectra and fields of tensors whose answers are worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from benchsuite.analyse.attention import summarised, unrolled
from benchsuite.analyse.branches import spectrum
from benchsuite.analyse.geometry import Reading, Tokens, of_grid
from benchsuite.analyse.receptive_field import of_mixer, side_of_share
from benchsuite.analyse.statistics import high_share


def on_grid(weights: torch.Tensor, grid: tuple[int, int]) -> Reading:
    places = of_grid(grid)
    return Reading(weights, (weights, places, places))


def test_uniform_attention_has_all_the_entropy_there_is() -> None:
    layer = summarised(Reading(torch.full((2, 3, 4, 4), 0.25)), "")
    assert layer.entropy == pytest.approx((1, 1, 1))
    assert layer.entropy_nats == pytest.approx((math.log(4),) * 3, abs=1e-6)


def test_the_mean_distance_of_uniform_attention_on_two_by_two_tokens_is_a_half() -> None:
    # From one token to itself, its two neighbours and across, in halves of the side: (0 + ½ + ½ + 1) / 4.
    assert summarised(on_grid(torch.full((1, 1, 4, 4), 0.25), (2, 2)), "").distance == pytest.approx((0.5,))


def test_the_mean_distance_of_uniform_attention_on_three_by_three_tokens_is_sixteen_27ths() -> None:
    # |i − j| over 3 × 3 pairs: three times 0, four times 1, twice 2: 8/9 tokens = 8/27 of the side, twice.
    layer = summarised(on_grid(torch.full((1, 1, 9, 9), 1 / 9), (3, 3)), "")
    assert layer.distance == pytest.approx((16 / 27,), abs=1e-6)


def test_attention_to_oneself_has_neither_entropy_nor_distance() -> None:
    layer = summarised(on_grid(torch.eye(6)[None, None], (2, 3)), "")
    assert layer.entropy == layer.distance == (0,)


def test_heads_are_kept_apart() -> None:
    weights = torch.stack([torch.eye(4), torch.full((4, 4), 0.25)])[None]
    layer = summarised(on_grid(weights, (2, 2)), "")
    assert layer.entropy == pytest.approx((0, 1))
    assert layer.distance == pytest.approx((0, 0.5))


def test_a_single_key_leaves_nothing_to_normalise_by() -> None:
    layer = summarised(Reading(torch.ones(1, 1, 4, 1)), "")
    assert layer.entropy is None
    assert layer.entropy_nats == (0,)


def test_a_row_of_a_class_token_and_all_tokens_is_rolled_up_to_the_image() -> None:
    assert unrolled((1, 197), (224, 224)) == Tokens((14, 14), leading=1)
    assert unrolled((1, 1 + 2 * 4), (32, 64)) == Tokens((2, 4), leading=1)


@pytest.mark.parametrize(("size", "image"), [((1, 12), (224, 224)), ((1, 197), None), ((7, 7), (224, 224))])
def test_a_grid_that_is_no_such_row_stays_as_it_is(
    size: tuple[int, int], image: tuple[int, int] | None
) -> None:
    assert unrolled(size, image) == Tokens(size)


def test_a_constant_map_has_only_the_zero_frequency() -> None:
    found = spectrum(torch.full((2, 8, 8, 3), 2.0))
    assert found.amplitude[0] == pytest.approx(2.0 * 64)
    assert found.amplitude[1:] == pytest.approx((0,) * (len(found.amplitude) - 1), abs=1e-4)
    assert found.high_share == pytest.approx(0, abs=1e-9)


def test_a_checkerboard_has_only_the_highest_frequency() -> None:
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    found = spectrum(board[None, :, :, None])
    # The corner lies at √2 of Nyquist; with four steps to Nyquist that is ring round(4 √2) = 6, alone in it.
    assert found.frequency[-1] == pytest.approx(6 / 4)
    assert found.amplitude[-1] == pytest.approx(64)
    assert found.amplitude[:-1] == pytest.approx((0,) * 6, abs=1e-4)
    assert found.high_share == pytest.approx(1)


def test_a_wave_of_half_the_nyquist_frequency_is_not_high() -> None:
    wave = torch.cos(torch.arange(8) * math.pi / 2).expand(8, 8)[None, :, :, None]
    found = spectrum(wave)
    assert max(range(len(found.amplitude)), key=lambda i: found.amplitude[i] or 0) == 2  # of four to Nyquist
    assert found.high_share == pytest.approx(0, abs=1e-9)


def test_a_map_of_zeros_has_no_share() -> None:
    assert high_share(torch.zeros(4, 4)) is None


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

    field = of_mixer(Same(), (torch.randn(2, 15, 4), (3, 5)), "BNC")
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
