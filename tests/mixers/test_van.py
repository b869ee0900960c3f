"""Large-kernel attention: its decomposition, its reach, and the block of VAN."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.van import LargeKernelAttention, VanAttention, VanBlock
from tests.mixers.counting import counted


def image(dim: int = 4, size: tuple[int, int] = (7, 6)) -> Tensor:
    return torch.randn(2, dim, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def depthwise(x: Tensor, conv: torch.nn.Conv2d, dilation: int) -> Tensor:
    """A depth-wise convolution, tap by tap, with zeros outside of the map."""
    height, width = x.shape[2:]
    reach = conv.weight.shape[-1] // 2
    out = torch.zeros_like(x) + conv.bias[:, None, None]
    for y in range(height):
        for column in range(width):
            for i in range(-reach, reach + 1):
                for j in range(-reach, reach + 1):
                    source = (y + i * dilation, column + j * dilation)
                    if 0 <= source[0] < height and 0 <= source[1] < width:
                        tap = conv.weight[:, 0, i + reach, j + reach]
                        out[:, :, y, column] += tap * x[:, :, source[0], source[1]]
    return out


@pytest.mark.parametrize(("kernel_size", "dilation"), [(21, 3), (9, 2), (5, 1)])
def test_the_map_is_multiplied_by_three_convolutions_of_it(kernel_size: int, dilation: int) -> None:
    module, x = LargeKernelAttention(4, kernel_size=kernel_size, dilation=dilation).double(), image()
    weights = depthwise(depthwise(x, module.conv0, 1), module.conv_spatial, dilation)
    weights = torch.einsum("oc,bcyx->boyx", module.conv1.weight[:, :, 0, 0], weights)
    weights = weights + module.conv1.bias[:, None, None]
    torch.testing.assert_close(module(x), x * weights)


def test_a_kernel_of_21_is_a_5_and_a_dilated_7() -> None:
    module = LargeKernelAttention(4)
    assert module.conv0.weight.shape == (4, 1, 5, 5)
    assert module.conv_spatial.weight.shape == (4, 1, 7, 7)
    assert module.conv_spatial.dilation == (3, 3)


def test_attention_reaches_eleven_pixels_and_no_further() -> None:
    module = LargeKernelAttention(1).double()
    x = torch.ones(1, 1, 31, 31, dtype=torch.float64)
    other = x.clone()
    other[..., 15, 15] += 1
    changed = (module(other) - module(x))[0, 0].abs() > 1e-12
    rows = changed.any(dim=1).nonzero().flatten()
    assert (rows[0].item(), rows[-1].item()) == (4, 26)  # 2 of the first convolution, 9 of the second


def test_there_is_a_shortcut_inside_of_the_attention() -> None:
    module, x = VanAttention(4).double(), image()
    y = torch.nn.functional.conv2d(x, module.proj_1.weight, module.proj_1.bias)
    y = module.lka(0.5 * y * (1 + torch.erf(y / 2**0.5)))
    torch.testing.assert_close(module(x) - x, module.proj_2(y))


def test_a_block_norms_over_the_batch_and_scales_both_branches() -> None:
    assert torch.equal(VanBlock(4).layer_scale_1, torch.full((4,), 0.01))
    block, x = VanBlock(4, mlp_ratio=2, layer_scale=0.25).double(), image()

    def normed(x: Tensor) -> Tensor:
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
        return (x - mean) / (var + 1e-5).sqrt()

    y = x + 0.25 * block.attn(normed(x))
    hidden = depthwise(block.fc1(normed(y)), block.dwconv, 1)
    y = y + 0.25 * block.fc2(0.5 * hidden * (1 + torch.erf(hidden / 2**0.5)))
    torch.testing.assert_close(block(x), y)


@pytest.mark.parametrize(("c", "size"), [(768, (14, 14)), (64, (56, 28)), (32, (7, 9))])
def test_closed_forms(c: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        lka, attention, block = LargeKernelAttention(c), VanAttention(c), VanBlock(c, mlp_ratio=4)
    assert counted(lka, size) == n * (25 + 49) * c + n * c**2
    assert counted(attention, size) == n * 74 * c + 3 * n * c**2
    assert counted(block, size) == n * 74 * c + 3 * n * c**2 + 8 * n * c**2 + 9 * n * 4 * c


def test_kernels_without_a_middle_are_refused() -> None:
    message = r"^kernel_size 23 with dilation 3 needs a convolution of 8 × 8, which is even$"
    with pytest.raises(ValueError, match=message):
        LargeKernelAttention(4, kernel_size=23)
    with pytest.raises(ValueError, match=r"^kernel_size 21 and dilation 0 must be positive$"):
        VanAttention(4, dilation=0)
