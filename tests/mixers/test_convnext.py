"""ConvNeXt's depth-wise convolution and block, position by position: there is no golden case."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchsuite.mixers.convnext import PORTS, ConvNeXtBlock, ConvNeXtConv


def map_of(scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(2, 3, 4, 9, generator=generator, dtype=torch.float64)


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Depth-wise, zeros around, one position and one offset at a time."""
    height, width, side = x.shape[2], x.shape[3], weight.shape[-1]
    out = bias[:, None, None].expand_as(x).clone()
    for i in range(height):
        for j in range(width):
            for a in range(side):
                for b in range(side):
                    y, z = i + a - side // 2, j + b - side // 2
                    if 0 <= y < height and 0 <= z < width:
                        out[:, :, i, j] += weight[:, 0, a, b] * x[:, :, y, z]
    return out


@torch.no_grad()
@pytest.mark.parametrize(("options", "side"), [({}, 7), ({"kernel_size": 3}, 3)])
def test_it_is_a_depth_wise_convolution(options: dict[str, int], side: int) -> None:
    module, x = ConvNeXtConv(3, **options).double(), map_of()
    assert module.dwconv.weight.shape == (3, 1, side, side)
    torch.testing.assert_close(module(x), convolved(x, module.dwconv.weight, module.dwconv.bias))


@torch.no_grad()
@pytest.mark.parametrize("init_scale", [0.5, 0.0])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_block_is_convolution_norm_mlp_and_a_scaled_residual(init_scale: float, scale: float) -> None:
    """On the smaller input, the epsilon of the norm decides: it is 1e-6."""
    torch.manual_seed(0)
    module, x = ConvNeXtBlock(3, init_scale=init_scale).double(), map_of(scale)
    for parameter in (*module.norm.parameters(), *module.mlp.parameters()):
        torch.nn.init.normal_(parameter)
    torch.nn.init.zeros_(module.mixer.dwconv.bias)
    y = convolved(x, module.mixer.dwconv.weight, module.mixer.dwconv.bias)
    expected = torch.empty_like(x)
    for i in range(4):
        for j in range(9):
            token = y[:, :, i, j]
            centred = token - token.mean(1, keepdim=True)
            token = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
            token = token * module.norm.weight + module.norm.bias
            hidden = token @ module.mlp.fc1.weight.t() + module.mlp.fc1.bias
            hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
            out = hidden @ module.mlp.fc2.weight.t() + module.mlp.fc2.bias
            expected[:, :, i, j] = x[:, :, i, j] + (init_scale or 1) * out
    torch.testing.assert_close(module(x), expected)


def test_the_layer_scale_is_tiny_at_first_and_can_be_left_out() -> None:
    assert ConvNeXtBlock(3).gamma.tolist() == pytest.approx([1e-6] * 3)
    assert ConvNeXtBlock(3, init_scale=0).gamma is None


def test_a_kernel_without_a_middle_is_refused() -> None:
    message = r"^kernel_size 4 is not odd, so the grid would not keep its size$"
    for cls in (ConvNeXtConv, ConvNeXtBlock):
        with pytest.raises(ValueError, match=message):
            cls(3, kernel_size=4)


def test_the_authors_weights_fill_the_block() -> None:
    port = PORTS["convnext_block"]
    module = ConvNeXtBlock(**port.arguments({"dim": 3, "drop_path": 0.0, "layer_scale_init_value": 1e-6}))
    theirs = {"gamma": (3,), "dwconv.weight": (3, 1, 7, 7), "dwconv.bias": (3,), "norm.weight": (3,)}
    theirs |= {"norm.bias": (3,), "pwconv1.weight": (12, 3), "pwconv1.bias": (12,)}
    theirs |= {"pwconv2.weight": (3, 12), "pwconv2.bias": (3,)}
    module.load_state_dict(port.state({name: torch.ones(shape) for name, shape in theirs.items()}))
    assert all((parameter == 1).all() for parameter in module.parameters())
