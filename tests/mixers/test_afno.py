"""Adaptive Fourier mixing, frequency by frequency in complex numbers."""

from __future__ import annotations

import cmath
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.afno import PORTS, AdaptiveFourierMixing


def tokens(size: tuple[int, int], dim: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def build(**options: Any) -> AdaptiveFourierMixing:
    torch.manual_seed(0)
    module = AdaptiveFourierMixing(4, num_blocks=2, **options).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


def shrunk(value: Tensor, threshold: float) -> Tensor:
    return value.sign() * (value.abs() - threshold).clamp(min=0)


def at_frequency(module: AdaptiveFourierMixing, x: Tensor) -> Tensor:
    """(B, dim) complex → (B, dim) complex: the perceptron of each block, in complex arithmetic."""
    (w1, w2), (b1, b2) = ((torch.complex(*w) for w in pair) for pair in _pairs(module))
    blocks = []
    for block, part in enumerate(x.chunk(module.num_blocks, dim=1)):
        hidden = part @ w1[block] + b1[block]
        hidden = torch.complex(hidden.real.clamp(min=0), hidden.imag.clamp(min=0))
        out = hidden @ w2[block] + b2[block]
        threshold = module.sparsity_threshold
        blocks.append(torch.complex(shrunk(out.real, threshold), shrunk(out.imag, threshold)))
    return torch.cat(blocks, dim=1)


def _pairs(module: AdaptiveFourierMixing) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return (module.w1.detach(), module.w2.detach()), (module.b1.detach(), module.b2.detach())


@pytest.mark.parametrize("size", [(3, 4), (2, 5)])
@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, 3),
        ({"mlp_ratio": 2, "sparsity_threshold": 0.5}, 3),
        ({"hard_thresholding_fraction": 0.34}, 2),  # of ⌊12 / 2⌋ + 1 = 7 or ⌊10 / 2⌋ + 1 = 6 along all tokens
        ({"hard_thresholding_fraction": 0.5}, 3),  # half of all tokens is more than a row has
    ],
)
def test_each_frequency_goes_through_the_same_perceptron(
    size: tuple[int, int], options: dict[str, Any], kept: int
) -> None:
    module, x = build(**options), tokens(size)
    (height, width), grid = size, x.reshape(2, *size, 4)
    expected = x.clone().reshape(2, *size, 4)

    def wave(u: int, v: int, i: int, j: int) -> complex:
        return cmath.exp(2j * math.pi * (u * i / height + v * j / width)) / math.sqrt(height * width)

    places = [(i, j) for i in range(height) for j in range(width)]
    for u in range(height):
        for v in range(kept):
            mode = sum(grid[:, i, j] * wave(u, v, i, j).conjugate() for i, j in places)
            out = at_frequency(module, mode)
            times = 1 if v == 0 or 2 * v == width else 2  # for its conjugate, where it has one
            for i, j in places:
                expected[:, i, j] += times * (out * wave(u, v, i, j)).real
    torch.testing.assert_close(module(x, size), expected.reshape(x.shape))


def test_without_weights_the_input_is_left() -> None:
    module, x = build(), tokens((3, 4))
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(module(x, (3, 4)), x)


def test_blocks_of_channels_do_not_see_each_other() -> None:
    module, x = build(), tokens((3, 4))
    other = x.clone()
    other[:, 5, 0] += 1
    changed = ((module(other, (3, 4)) - module(x, (3, 4))).abs() > 1e-9).any(dim=0)
    assert changed[:, :2].all()
    assert not changed[:, 2:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_blocks": 3}, r"^num_blocks 3 does not divide dim 4$"),
        (
            {"hard_thresholding_fraction": 0.0},
            r"^hard_thresholding_fraction 0.0 is not above 0 and at most 1$",
        ),
        (
            {"hard_thresholding_fraction": 1.5},
            r"^hard_thresholding_fraction 1.5 is not above 0 and at most 1$",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdaptiveFourierMixing(4, **{"num_blocks": 2} | options)


def test_a_fraction_that_keeps_nothing_is_refused() -> None:
    module = build(hard_thresholding_fraction=0.1)
    message = r"^hard_thresholding_fraction 0.1 keeps no frequency of a 3 × 4 grid$"
    with pytest.raises(ValueError, match=message):
        module(tokens((3, 4)), (3, 4))


def test_the_port_renames_what_the_authors_call_hidden() -> None:
    ours = PORTS["afno2d"].arguments({"hidden_size": 16, "num_blocks": 4, "hidden_size_factor": 2})
    assert ours == {"dim": 16, "num_blocks": 4, "mlp_ratio": 2}
