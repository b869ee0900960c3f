"""Involution against explicit loops over positions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers.involution import Involution


def by_loops(module: Involution, x: Tensor) -> Tensor:
    """Of a module in eval mode, in double precision."""
    batch, channels, height, width = x.shape
    k, stride, groups = module.kernel_size, module.stride, module.groups
    out = torch.zeros(batch, channels, height // stride, width // stride, dtype=x.dtype)
    for row in range(height // stride):
        for column in range(width // stride):
            y, x_ = row * stride, column * stride
            source = x[:, :, y : y + stride, x_ : x_ + stride].mean(dim=(2, 3))
            hidden = source @ module.reduce.weight[:, :, 0, 0].t()
            norm = module.norm
            hidden = (hidden - norm.running_mean) / (norm.running_var + 1e-5).sqrt()
            hidden = (hidden * norm.weight + norm.bias).clamp_min(0)
            kernel = hidden @ module.span.weight[:, :, 0, 0].t() + module.span.bias
            kernel = kernel.reshape(batch, groups, k, k).repeat_interleave(channels // groups, dim=1)
            for i in range(k):
                for j in range(k):
                    at = y + i - k // 2, x_ + j - k // 2
                    if 0 <= at[0] < height and 0 <= at[1] < width:
                        out[:, :, row, column] += kernel[:, :, i, j] * x[:, :, at[0], at[1]]
    return out


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"kernel_size": 3, "group_channels": 4},
        {"kernel_size": 5, "group_channels": 8, "reduction": 2, "stride": 3},
        {"kernel_size": 1, "group_channels": 1},
    ],
)
def test_it_is_a_kernel_of_its_own_for_each_position(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    module = Involution(16, **options).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    nn.init.normal_(module.norm.running_mean)
    nn.init.uniform_(module.norm.running_var, 0.5, 2.0)
    x = torch.randn(2, 16, 6, 12, dtype=torch.float64)
    module.eval()
    torch.testing.assert_close(module(x), by_loops(module, x))


def test_nothing_normalises_the_kernels() -> None:
    module = Involution(16, kernel_size=3).double()
    with torch.no_grad():
        module.span.weight.zero_()
        module.span.bias.fill_(2.0)
    out = module(torch.ones(1, 16, 4, 4, dtype=torch.float64))
    torch.testing.assert_close(out[0, 0, :2, :2], torch.tensor([[8.0, 12.0], [12.0, 18.0]]).double())


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^group_channels 16 does not divide dim 24$"):
        Involution(24)
    with pytest.raises(ValueError, match=r"^reduction 3 does not divide dim 16$"):
        Involution(16, reduction=3)
    with pytest.raises(ValueError, match=r"^kernel_size 4 is not odd and positive$"):
        Involution(16, kernel_size=4)


def test_a_grid_that_the_stride_does_not_divide_is_refused() -> None:
    module, message = Involution(16, stride=2), r"^stride 2 does not divide the 8 × 7 grid$"
    with pytest.raises(ValueError, match=message):
        module(torch.zeros(1, 16, 8, 7))
