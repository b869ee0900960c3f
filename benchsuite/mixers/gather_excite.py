"""Gather-excite: gate each channel, position by position, by what was gathered around the position.

Paper: Hu et al., "Gather-Excite: Exploiting Feature Context in Convolutional Neural Networks", NeurIPS 2018,
    arXiv:1810.12348.
Reference: dingmyu/davit @ fc79470, timm/models/layers/gather_excite.py, GatherExcite.
Differs: the global gather with parameters is the paper's, one value a channel, unless padded is True.
Names: extent is the paper's e, 0 its global extent; extra_params=False is θ⁻, True θ, with use_mlp also θ⁺.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._port import Arguments, Port, arguments
from benchsuite.mixers.se import bottleneck_width, describe

Size = tuple[int, int]


class GatherExcite(nn.Module):
    """Gate (B, dim, H, W) maps by a sigmoid of what is gathered over extent × extent positions.

    MACs: 9C for each position of each convolution's output (HWC, if global), 2CD for each gathered value.

    Args:
        dim: channels of input and output.
        extent: positions a side that one gate stands for, an even number for θ⁻ and a power of 2 for θ; 0 is
            the whole map.
        extra_params: gather by depth-wise convolutions with batch norms, and not by average pooling.
        use_mlp: two 1 × 1 convolutions between gathering and the gate.
        grid: height and width of the map, for the global gather with parameters: its kernel is as large.
        padded: that gather pads by (side − 1) // 2, as timm's does, so that it gives a map and not one value.
        add_maxpool: gather the mean of mean and maximum; for θ⁻.
        rd_ratio, rd_channels, rd_divisor: width between the layers of the MLP, as for squeeze-and-excitation.

    Raises:
        ValueError: extent is neither 0 nor of that kind, or rd_channels or rd_divisor is not positive; in
            `forward`, the map is not as large as grid where that matters.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        *,
        extent: int = 4,
        extra_params: bool = True,
        use_mlp: bool = False,
        grid: Size = (14, 14),
        padded: bool = False,
        add_maxpool: bool = False,
        rd_ratio: float = 1 / 16,
        rd_channels: int | None = None,
        rd_divisor: int = 1,
    ) -> None:
        super().__init__()
        if extent < 0 or extent % 2:
            raise ValueError(f"extent {extent} is neither 0 nor even")
        if extra_params and extent & (extent - 1):
            raise ValueError(f"extent {extent} is no power of 2, so strides of 2 do not make it up")
        self.dim = dim
        self.extent = extent
        self.add_maxpool = add_maxpool
        self.grid = (grid[0], grid[1])
        self.padding = ((grid[0] - 1) // 2, (grid[1] - 1) // 2) if padded else (0, 0)
        self.gather = self._convolutions() if extra_params else None
        self.rd_channels = bottleneck_width(dim, rd_ratio, rd_channels, rd_divisor) if use_mlp else 0
        if use_mlp:
            self.mlp = nn.Sequential(
                OrderedDict(
                    fc1=nn.Conv2d(dim, self.rd_channels, 1),
                    act=nn.ReLU(),
                    fc2=nn.Conv2d(self.rd_channels, dim, 1),
                )
            )

    def _convolutions(self) -> nn.Sequential:
        layers: list[tuple[str, nn.Module]] = []
        if self.extent == 0:
            conv = nn.Conv2d(self.dim, self.dim, self.grid, padding=self.padding, groups=self.dim, bias=False)
            layers = [("conv1", conv), ("norm1", nn.BatchNorm2d(self.dim, eps=1e-5))]
        for level in range(1, self.extent.bit_length()):
            if level > 1:
                layers.append((f"act{level - 1}", nn.ReLU()))
            conv = nn.Conv2d(self.dim, self.dim, 3, stride=2, padding=1, groups=self.dim, bias=False)
            layers += [(f"conv{level}", conv), (f"norm{level}", nn.BatchNorm2d(self.dim, eps=1e-5))]
        return nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if self.gather is not None:
            if self.extent == 0 and (height, width) != self.grid:
                raise ValueError(f"the map is {height} × {width}, but grid is {self.grid}")
            gathered = self.gather(x)
        elif self.extent == 0:
            gathered = describe(x, add_maxpool=self.add_maxpool)
        else:
            gathered = self._pool(x)
        if self.rd_channels:
            gathered = self.mlp(gathered)
        # The gate is made before it is spread over the map, on extent² times fewer elements.
        gate = gathered.sigmoid()
        if gate.shape[2:] != (1, 1):
            gate = F.interpolate(gate, size=(height, width), mode="nearest")
        out: Tensor = x * gate
        return out

    def _pool(self, x: Tensor) -> Tensor:
        side, stride = 2 * self.extent - 1, self.extent
        mean = F.avg_pool2d(x, side, stride, padding=side // 2, count_include_pad=False)
        if not self.add_maxpool:
            return mean
        return (mean + F.max_pool2d(x, side, stride, padding=side // 2)) * 0.5


_read = arguments(
    "extent extra_params use_mlp add_maxpool rd_ratio rd_channels rd_divisor",
    renamed={"channels": "dim", "feat_size": "grid"},
    defaults={"extent": 0, "extra_params": False, "use_mlp": True, "padded": True},
)


def _arguments(authors: Arguments) -> dict[str, Any]:
    ours = _read(authors)
    side = ours.pop("grid", None)
    return ours if side is None else ours | {"grid": (side, side)}


PORTS = {"ge": Port(mixer="ge", arguments=_arguments)}
