"""Static and dynamic depth-wise convolutions against explicit loops over positions and taps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.mixers.depthwise import (
    PORTS,
    DepthwiseConv,
    DynamicDepthwiseConv,
    InhomogeneousDepthwiseConv,
)
from tests.mixers.counting import counted

DIM = 8


def maps(size: tuple[int, int], batch: int = 2, dim: int = DIM) -> Tensor:
    return torch.randn(batch, dim, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def filled(module: nn.Module) -> Any:
    torch.manual_seed(1)
    for tensor in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
        nn.init.uniform_(tensor, 0.2, 1.2)
    return module.double().eval()


def normed(bn: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """With running statistics; channels are the last axis."""
    assert bn.running_mean is not None
    assert bn.running_var is not None
    return (x - bn.running_mean) / (bn.running_var + 1e-5).sqrt() * bn.weight + bn.bias


def tap_by_tap(x: Tensor, kernel_at: Any, side: int, stride: int = 1, padding: int | None = None) -> Tensor:
    """Σ kernel × input over the taps, with zeros outside; kernel_at(image, channel, y, x) is (side, side)."""
    padding = side // 2 if padding is None else padding
    batch, dim, height, width = x.shape
    rows, columns = ((s + 2 * padding - side) // stride + 1 for s in (height, width))
    out = torch.zeros(batch, dim, rows, columns, dtype=x.dtype)
    for image in range(batch):
        for c in range(dim):
            for row in range(rows):
                for column in range(columns):
                    kernel = kernel_at(image, c, row, column)
                    for i in range(side):
                        for j in range(side):
                            y, z = row * stride + i - padding, column * stride + j - padding
                            if 0 <= y < height and 0 <= z < width:
                                out[image, c, row, column] += kernel[i, j] * x[image, c, y, z]
    return out


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("groups", [None, 8, 4, 1])
def test_a_static_kernel_serves_consecutive_channels(groups: int | None, bias: bool) -> None:
    module = filled(DepthwiseConv(DIM, kernel_size=3, groups=groups, bias=bias))
    x = maps((3, 4))
    shared = DIM // (groups or DIM)
    with torch.no_grad():
        expected = tap_by_tap(x, lambda image, c, y, z: module.weight[c // shared, 0], 3)
        if bias:
            expected = expected + module.bias[:, None, None]
        torch.testing.assert_close(module(x), expected)


def test_sharing_saves_parameters_and_nothing_else() -> None:
    alone, shared = DepthwiseConv(64, bias=False), DepthwiseConv(64, groups=4, bias=False)
    assert sum(p.numel() for p in alone.parameters()) == 64 * 49
    assert sum(p.numel() for p in shared.parameters()) == 4 * 49
    assert counted(alone, (14, 14)) == counted(shared, (14, 14))


@pytest.mark.parametrize(("side", "stride", "padding"), [(3, 1, None), (5, 1, None), (3, 2, 1), (3, 1, 0)])
def test_kernels_of_an_image_come_from_its_mean(side: int, stride: int, padding: int | None) -> None:
    module = filled(DynamicDepthwiseConv(DIM, kernel_size=side, stride=stride, padding=padding, reduction=2))
    x = maps((5, 6))
    with torch.no_grad():
        hidden = normed(module.bn, x.mean((2, 3)) @ module.conv1.weight[:, :, 0, 0].T).clamp(min=0)
        kernels = hidden @ module.conv2.weight[:, :, 0, 0].T + module.conv2.bias
        kernels = kernels.reshape(2, DIM, side, side)
        expected = tap_by_tap(x, lambda image, c, y, z: kernels[image, c], side, stride, padding)
        torch.testing.assert_close(module(x), expected + module.bias[:, None, None])


def test_the_dynamic_convolution_is_not_static() -> None:
    """The released configurations build a static one in its place."""
    module, x = filled(DynamicDepthwiseConv(DIM)), maps((6, 6))
    impulse = torch.zeros_like(x[:1])
    impulse[0, :, 3, 3] = 1.0
    bias = module.bias[:, None, None]
    assert not torch.allclose(module(x + impulse) - module(x), module(impulse) - bias)
    static = filled(DepthwiseConv(DIM))
    torch.testing.assert_close(
        static(x + impulse) - static(x), (static(impulse) - static.bias[:, None, None]).expand_as(x)
    )


def test_a_dynamic_convolution_trains_on_statistics_of_the_batch() -> None:
    module, x = filled(DynamicDepthwiseConv(DIM)).train(), maps((5, 5), batch=3)
    module.bn.running_mean.fill_(1e6)
    assert module(x).abs().max() < 1e5
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        module(x[:1])


@pytest.mark.parametrize(("groups", "side"), [(8, 3), (4, 3), (1, 5), (2, 1)])
def test_kernels_of_a_position_come_from_the_position(groups: int, side: int) -> None:
    module = filled(InhomogeneousDepthwiseConv(DIM, kernel_size=side, groups=groups, reduction=2))
    x = maps((4, 5))
    with torch.no_grad():
        at = x.permute(0, 2, 3, 1)
        hidden = at @ module.conv1.weight[:, :, 0, 0].T + module.conv1.bias
        hidden = normed(module.bn, hidden).clamp(min=0)
        kernels = hidden @ module.conv2.weight[:, :, 0, 0].T + module.conv2.bias
        kernels = kernels.reshape(2, 4, 5, groups, side, side)
        shared = DIM // groups
        expected = tap_by_tap(x, lambda image, c, y, z: kernels[image, y, z, c // shared], side)
        torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DepthwiseConv(8, kernel_size=4), "kernel_size 4 is not odd and positive"),
        (lambda: DepthwiseConv(8, groups=3), "groups 3 does not divide dim 8"),
        (lambda: DynamicDepthwiseConv(8, stride=0), "stride 0 is not positive"),
        (lambda: DynamicDepthwiseConv(8, reduction=9), "reduction 9 is not between 1 and dim 8"),
        (lambda: InhomogeneousDepthwiseConv(48), "groups 32 does not divide dim 48"),
        (lambda: InhomogeneousDepthwiseConv(32, reduction=0), "reduction 0 is not between 1 and dim 32"),
    ],
)
def test_wrong_options_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_ports_read_the_authors_defaults() -> None:
    dynamic = PORTS["dynamic_dwconv"].arguments
    assert dynamic({"dim": 8, "kernel_size": 7, "groups": 8}) == {"dim": 8, "kernel_size": 7, "padding": 1}
    with pytest.raises(ValueError, match="groups=2 is not supported; only a depth-wise convolution is"):
        dynamic({"dim": 8, "kernel_size": 7, "groups": 2})
    inhomogeneous = PORTS["idynamic_dwconv"].arguments
    given = {"channels": 96, "kernel_size": 7, "group_channels": 3}
    assert inhomogeneous(given) == {"dim": 96, "kernel_size": 7, "groups": 32}
    with pytest.raises(ValueError, match="groups of 5 channels do not make up dim 96"):
        inhomogeneous(given | {"group_channels": 5})
