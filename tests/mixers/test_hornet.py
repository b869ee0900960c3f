"""gnConv, its global filter and the block of HorNet, against sums written out."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.hornet import PORTS, GlobalLocalFilter, GnConv, HorNetBlock
from tests.mixers.counting import counted


def image(dim: int = 8, size: tuple[int, int] = (5, 6)) -> Tensor:
    return torch.randn(1, dim, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def pointwise(x: Tensor, conv: torch.nn.Conv2d) -> Tensor:
    return torch.einsum("oc,bcyx->boyx", conv.weight[:, :, 0, 0], x) + conv.bias[:, None, None]


def channel_norm(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    assert norm.eps == 1e-6
    x = (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=False) + 1e-6).sqrt()
    return x * norm.weight[:, None, None] + norm.bias[:, None, None]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_gates_double_their_width_from_order_to_order(order: int) -> None:
    module, x = GnConv(8, order=order, scale=0.25, kernel_size=3).double(), image()
    widths = [8 // 2 ** (order - 1 - i) for i in range(order)]
    both = pointwise(x, module.proj_in)
    first, gates = both[:, : widths[0]], torch.nn.functional.pad(both[:, widths[0] :], (1, 1, 1, 1))
    taps, bias = module.dwconv.weight[:, 0], module.dwconv.bias[:, None, None]
    spatial = sum(
        taps[:, i, j, None, None] * gates[:, :, i : i + 5, j : j + 6] for i in range(3) for j in range(3)
    )
    spatial = 0.25 * (spatial + bias)  # the constant scales the bias too
    parts = list(spatial.split(widths, dim=1))
    y = first * parts[0]
    for i in range(order - 1):
        y = pointwise(y, module.pws[i]) * parts[i + 1]
    torch.testing.assert_close(module(x), pointwise(y, module.proj_out))


def test_the_global_half_is_a_product_of_spectra_written_out_as_sums() -> None:
    height, width = 3, 4
    module = GlobalLocalFilter(2, filter_size=(height, width // 2 + 1)).double()
    x = image(1, (height, width))
    filter_ = torch.view_as_complex(module.complex_weight)[0].tolist()
    pixels = x[0, 0].tolist()

    def wave(u: int, v: int, y: int, c: int) -> complex:
        return cmath.exp(2j * math.pi * (u * y / height + v * c / width))

    def spectrum(u: int, v: int) -> complex:
        terms = (pixels[y][c] / wave(u, v, y, c) for y in range(height) for c in range(width))
        return sum(terms) / math.sqrt(height * width)

    expected = torch.zeros(height, width, dtype=torch.float64)
    for y in range(height):
        for c in range(width):
            total = 0.0
            for u in range(height):
                for v in range(width // 2 + 1):
                    twice = 1 if v in {0, width // 2} else 2  # what the half spectrum leaves out
                    total += twice * (spectrum(u, v) * filter_[u][v] * wave(u, v, y, c)).real
            expected[y, c] = total / math.sqrt(height * width)
    torch.testing.assert_close(module._filter(x)[0, 0], expected)


def test_local_and_global_channels_are_interleaved_between_two_norms() -> None:
    module, x = GlobalLocalFilter(8, filter_size=(5, 4)).double(), image()
    normed = channel_norm(x, module.pre_norm)
    local, spread = module.dw(normed[:, :4]), module._filter(normed[:, 4:])
    channels = [part[:, i] for i in range(4) for part in (local, spread)]
    torch.testing.assert_close(module(x), channel_norm(torch.stack(channels, dim=1), module.post_norm))


def test_a_filter_of_another_size_is_interpolated_with_its_corners_kept() -> None:
    module, x = GlobalLocalFilter(2, filter_size=(3, 2)).double(), image(1, (5, 4))
    rows, columns = [0, 0.5, 1, 1.5, 2], [0, 0.5, 1]  # 5 × 3 places on a 3 × 2 filter
    weight = module.complex_weight.detach()[0]
    fitted = torch.zeros(5, 3, 2, dtype=torch.float64)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            top, left = min(int(row), 1), min(int(column), 0)
            dy, dx = row - top, column - left
            fitted[i, j] = (1 - dy) * ((1 - dx) * weight[top, left] + dx * weight[top, left + 1]) + dy * (
                (1 - dx) * weight[top + 1, left] + dx * weight[top + 1, left + 1]
            )
    expected = torch.fft.irfft2(
        torch.fft.rfft2(x, norm="ortho") * torch.view_as_complex(fitted), s=(5, 4), norm="ortho"
    )
    torch.testing.assert_close(module._filter(x), expected)


def test_a_global_filter_sees_the_whole_map_and_a_convolution_does_not() -> None:
    x = image(8, (9, 9))
    other = x.clone()
    other[..., 0, 0] += 1
    for flag in (True, False):
        module = GnConv(8, order=3, global_filter=flag, filter_size=(9, 5)).double()
        far = (module(other) - module(x))[..., 8, 8].abs().max()
        assert (far > 1e-9) == flag


def test_a_block_norms_channels_and_scales_its_branches() -> None:
    block, x = HorNetBlock(8, order=2, layer_scale=0.3, mlp_ratio=2).double(), image()
    y = x + 0.3 * block.gnconv(channel_norm(x, block.norm1))
    hidden = channel_norm(y, block.norm2).permute(0, 2, 3, 1)
    hidden = block.mlp.fc1(hidden)
    hidden = block.mlp.fc2(0.5 * hidden * (1 + torch.erf(hidden / 2**0.5)))
    torch.testing.assert_close(block(x), y + 0.3 * hidden.permute(0, 3, 1, 2))


def test_without_layer_scale_there_are_no_factors() -> None:
    block, ones = HorNetBlock(8, order=2, layer_scale=0.0), HorNetBlock(8, order=2, layer_scale=1.0)
    assert "gamma1" not in block.state_dict()
    ones.load_state_dict(block.state_dict(), strict=False)
    torch.testing.assert_close(block(image().float()), ones(image().float()))


@pytest.mark.parametrize(("c", "size"), [(768, (14, 14)), (64, (56, 28)), (32, (7, 9))])
def test_closed_forms(c: int, size: tuple[int, int]) -> None:
    n = size[0] * size[1]
    with torch.device("meta"):
        plain, filtered = GnConv(c, order=3), GnConv(c, order=3, global_filter=True)
        block = HorNetBlock(c, order=3)
    gates, widening = c // 4 + c // 2 + c, (c // 4) * (c // 2) + (c // 2) * c
    assert counted(plain, size) == 3 * n * c**2 + 49 * n * gates + n * widening
    transforms = {"aten::fft_rfft2", "aten::fft_irfft2", "aten::view_as_complex"}
    local = 9 * n * gates // 2
    assert counted(filtered, size, ignored=transforms) == 3 * n * c**2 + local + n * widening
    assert counted(block, size) == counted(plain, size) + 8 * n * c**2


def test_widths_that_do_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^order 5 needs a dim that 16 divides, not 24$"):
        GnConv(24)
    with pytest.raises(ValueError, match=r"^order 0 is not positive$"):
        GnConv(24, order=0)
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd$"):
        GnConv(16, kernel_size=4)
    with pytest.raises(ValueError, match=r"^the 31 channels of the global filter do not split into two"):
        GnConv(16, global_filter=True)


def test_the_layer_of_the_authors_filter_is_a_flag_here() -> None:
    convert = PORTS["hornet_gnconv_gf"].arguments
    assert convert({"dim": 8, "gflayer": "GlobalLocalFilter", "h": 5}) == {
        "dim": 8,
        "global_filter": True,
        "filter_size": (5, 8),
    }
    assert convert({"dim": 8, "s": 0.5, "h": 5}) == {"dim": 8, "scale": 0.5}
    with pytest.raises(ValueError, match=r"^gflayer='Other' is not supported"):
        convert({"dim": 8, "gflayer": "Other"})
    nested = PORTS["hornet_block"].arguments({"dim": 8, "gnconv": {"order": 3}})
    assert nested == {"dim": 8, "order": 3}
