"""Entropy and distance of attention whose answers are worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from benchsuite.analyse.attention import summarised, unrolled
from benchsuite.analyse.geometry import AttentionReading, Tokens, of_grid


def on_grid(weights: torch.Tensor, grid: tuple[int, int]) -> AttentionReading:
    places = of_grid(grid)
    return AttentionReading(weights, (weights, places, places))


def test_uniform_attention_has_all_the_entropy_there_is() -> None:
    layer = summarised(AttentionReading(torch.full((2, 3, 4, 4), 0.25)), "")
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
    layer = summarised(AttentionReading(torch.ones(1, 1, 4, 1)), "")
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
