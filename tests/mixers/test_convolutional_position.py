"""Position by convolution (DaViT's and Twins'), against loops over positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers.davit import DaViTPosition
from benchsuite.mixers.twins_peg import PORTS, PositionEncodingGenerator

DIM = 3


def tokens(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, size[0] * size[1], DIM, generator=generator, dtype=torch.float64)


def convolved(module: Any, x: Tensor, size: tuple[int, int], side: int, stride: int) -> Tensor:
    places = [(y, z) for y in range(0, size[0], stride) for z in range(0, size[1], stride)]
    out = torch.zeros(2, len(places), DIM, dtype=x.dtype) + module.proj.bias
    for n, (y, z) in enumerate(places):
        for i in range(side):
            for j in range(side):
                row, column = y + i - side // 2, z + j - side // 2
                if 0 <= row < size[0] and 0 <= column < size[1]:
                    out[:, n] += module.proj.weight[:, 0, i, j] * x[:, row * size[1] + column]
    return out


@pytest.mark.parametrize("cls", [DaViTPosition, PositionEncodingGenerator])
@pytest.mark.parametrize("size", [(3, 4), (1, 5)])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_a_position_encoding_adds_a_depth_wise_convolution(
    side: int, size: tuple[int, int], cls: Any
) -> None:
    module, x = cls(DIM, kernel_size=side).double(), tokens(size)
    torch.testing.assert_close(module(x, size), x + convolved(module, x, size, side, 1))


@pytest.mark.parametrize("size", [(4, 6), (5, 3)])
def test_with_a_stride_there_is_nothing_to_add_to(size: tuple[int, int]) -> None:
    module, x = PositionEncodingGenerator(DIM, stride=2).double(), tokens(size)
    torch.testing.assert_close(module(x, size), convolved(module, x, size, 3, 2))


def test_tokens_and_maps_are_views_of_each_other() -> None:
    x = tokens((3, 4))
    image = as_map(x, (3, 4))
    assert image.data_ptr() == x.data_ptr() == as_tokens(image).data_ptr()
    assert torch.equal(image[:, :, 1, 2], x[:, 6])
    assert torch.equal(as_tokens(image), x)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^stride 0 is not positive$"):
        PositionEncodingGenerator(DIM, stride=0)
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd and positive$"):
        PositionEncodingGenerator(DIM, kernel_size=4)


def test_the_port_reads_the_authors_two_widths() -> None:
    convert = PORTS["twins_peg"].arguments
    assert convert({"in_chans": 32, "embed_dim": 32, "s": 2}) == {"dim": 32, "stride": 2}
    assert convert({"in_chans": 768}) == {"dim": 768}
    with pytest.raises(ValueError, match=r"^in_chans 32 is not embed_dim 64$"):
        convert({"in_chans": 32, "embed_dim": 64})
