"""Global filter: the convolution that it is, without a Fourier transform, and the block around it."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.gfnet import PORTS, GFNetBlock, GlobalFilter


def tokens(size: tuple[int, int], dim: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, size[0] * size[1], dim, generator=generator, dtype=torch.float64)


def kernel_of(weight: Tensor, width: int) -> Tensor:
    """(H, W, C) kernel whose spectrum is the filter's, summed wave by wave.

    A frequency stands for itself and its conjugate, but for the columns that are their own: those count once.
    """
    height, frequencies, channels, _ = weight.shape
    kernel = torch.zeros(height, width, channels, dtype=torch.float64)
    for u in range(height):
        for v in range(frequencies):
            times = 1 if v == 0 or 2 * v == width else 2
            for y in range(height):
                for x in range(width):
                    wave = cmath.exp(2j * math.pi * (u * y / height + v * x / width))
                    real = weight[u, v, :, 0] * wave.real - weight[u, v, :, 1] * wave.imag
                    kernel[y, x] += times * real / (height * width)
    return kernel


@pytest.mark.parametrize("size", [(3, 4), (4, 3), (2, 5), (1, 1)])
def test_it_is_a_circular_convolution_over_the_whole_grid(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    module, x = GlobalFilter(3, grid=size).double(), tokens(size)
    torch.nn.init.normal_(module.complex_weight)
    kernel, grid = kernel_of(module.complex_weight.detach(), size[1]), x.reshape(2, *size, 3)
    expected = torch.zeros_like(grid)
    for dy in range(size[0]):
        for dx in range(size[1]):
            expected += kernel[dy, dx] * grid.roll((dy, dx), (1, 2))
    torch.testing.assert_close(module(x, size), expected.reshape(x.shape))


def test_a_filter_of_ones_changes_nothing() -> None:
    module, x = GlobalFilter(3, grid=(3, 4)).double(), tokens((3, 4))
    with torch.no_grad():
        module.complex_weight.copy_(torch.tensor([1.0, 0.0]).expand_as(module.complex_weight))
    torch.testing.assert_close(module(x, (3, 4)), x)


def test_half_precision_is_filtered_in_single() -> None:
    module, x = GlobalFilter(3, grid=(3, 4)).bfloat16(), tokens((3, 4)).bfloat16()
    single = GlobalFilter(3, grid=(3, 4))
    single.load_state_dict(module.state_dict())
    assert torch.equal(module(x, (3, 4)), single(x.float(), (3, 4)).bfloat16())


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_block_has_one_residual_around_filter_and_mlp(scale: float) -> None:
    """On the smaller input, the epsilon of the norms decides: it is 1e-5."""
    size = (3, 4)
    torch.manual_seed(0)
    module, x = GFNetBlock(3, grid=size, mlp_ratio=2).double(), scale * tokens(size)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)

    def normed(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        return norm.weight * centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() + norm.bias

    filtered = normed(module.filter(normed(x, module.norm1), size), module.norm2)
    hidden = filtered @ module.mlp.fc1.weight.t() + module.mlp.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    expected = x + hidden @ module.mlp.fc2.weight.t() + module.mlp.fc2.bias
    torch.testing.assert_close(module(x, size), expected)


def test_another_grid_is_refused_even_with_as_many_frequencies() -> None:
    module = GlobalFilter(3, grid=(3, 4))
    message = r"^gfnet was built for a 3 × 4 grid, and this one is 3 × 5$"
    with pytest.raises(ValueError, match=message):
        module(tokens((3, 5)).float(), (3, 5))


@pytest.mark.parametrize(
    ("frequencies", "grid"), [((14, 8), (14, 14)), ((7, 4), (7, 7)), ((8, 5), (8, 8)), ((4, 5), (4, 8))]
)
def test_the_port_takes_the_grid_from_the_filter(frequencies: tuple[int, int], grid: tuple[int, int]) -> None:
    for port in PORTS.values():
        ours = port.arguments({"dim": 3, "h": frequencies[0], "w": frequencies[1]})
        assert ours == {"dim": 3, "grid": grid}
    assert PORTS["gfnet_filter"].arguments({"dim": 3}) == {"dim": 3, "grid": (14, 14)}
