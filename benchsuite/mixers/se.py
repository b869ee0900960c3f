"""Squeeze-and-excitation: gate each channel by what two layers make of the channels' means.

Paper: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, arXiv:1709.01507.
Reference: dingmyu/davit @ fc79470, timm/models/layers/squeeze_excite.py, SEModule.
Names: rd_ratio is the paper's 1 / r; rd_channels, its C / r.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_positive
from benchsuite.mixers._port import Port, arguments


class SqueezeExcite(nn.Module):
    """Gate (B, dim, H, W) maps channel by channel; a position knows of others by the gate alone.

    MACs: 2CD, D channels between the layers, for any grid.

    Args:
        dim: channels of input and output.
        rd_ratio: width between the layers, as a share of dim, rounded to a multiple of rd_divisor.
        rd_channels: that width itself, in place of rd_ratio.
        rd_divisor: multiple that the width is rounded to.
        add_maxpool: describe a channel by the mean of its mean and its maximum.

    Raises:
        ValueError: rd_channels or rd_divisor is not positive.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("low rank", ("positions",), "dynamic per image")

    def __init__(
        self,
        dim: int,
        *,
        rd_ratio: float = 1 / 16,
        rd_channels: int | None = None,
        rd_divisor: int = 8,
        add_maxpool: bool = False,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.add_maxpool = add_maxpool
        self.rd_channels = bottleneck_width(dim, rd_ratio, rd_channels, rd_divisor)
        self.fc1 = nn.Conv2d(dim, self.rd_channels, 1)
        self.fc2 = nn.Conv2d(self.rd_channels, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.fc1(describe(x, add_maxpool=self.add_maxpool)))
        out: Tensor = x * self.fc2(hidden).sigmoid()
        return out


def bottleneck_width(dim: int, rd_ratio: float, rd_channels: int | None, rd_divisor: int) -> int:
    """rd_channels if given, else dim × rd_ratio, rounded to a multiple of rd_divisor and at least that.

    Raises:
        ValueError: the width is not positive.
    """
    if rd_channels is not None:
        check_positive("rd_channels", rd_channels)
        return rd_channels
    check_positive("rd_divisor", rd_divisor)
    return max(rd_divisor, int(dim * rd_ratio + rd_divisor / 2) // rd_divisor * rd_divisor)


def describe(x: Tensor, *, add_maxpool: bool) -> Tensor:
    """(B, C, H, W) → (B, C, 1, 1): the mean over the map, or the mean of that and the maximum."""
    mean = x.mean(dim=(2, 3), keepdim=True)
    return (mean + x.amax(dim=(2, 3), keepdim=True)) * 0.5 if add_maxpool else mean


PORTS = {
    "se": Port(
        mixer="se",
        arguments=arguments("rd_ratio rd_channels rd_divisor add_maxpool", renamed={"channels": "dim"}),
    ),
}
