"""Global filter: each frequency of the grid times a learned complex number, a circular convolution.

Paper: Rao et al., "Global Filter Networks for Image Classification", NeurIPS 2021, arXiv:2107.00645.
Reference: raoyongming/GFNet @ 2de48b6, gfnet.py, GlobalFilter and Block.
Differs: H and W need not be equal; the output has the input's dtype, where the authors return float32; double
    precision stays double.
Names: complex_weight is the paper's K, as real and imaginary parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._grid import check_grid, from_spectrum, single_or_double, spectrum, tokens_of
from benchsuite.mixers._layers import MLP
from benchsuite.mixers._port import Port, arguments


class GlobalFilter(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim).

    MACs: None: the transforms are not counted, and the filter is an elementwise product.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.

    Raises:
        ValueError: in `forward`, another grid than `grid`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("dense", ("positions",), "static")

    def __init__(self, dim: int, *, grid: tuple[int, int] = (14, 14)) -> None:
        super().__init__()
        tokens_of(grid)
        self.dim = dim
        self.grid = (grid[0], grid[1])
        self.complex_weight = nn.Parameter(0.02 * torch.randn(grid[0], grid[1] // 2 + 1, dim, 2))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        check_grid(size, self.grid, "gfnet")
        weight = torch.view_as_complex(single_or_double(self.complex_weight))
        return from_spectrum(spectrum(x, size) * weight, size).to(x.dtype)


class GFNetBlock(nn.Module):
    """A layer of GFNet on (B, N, dim): norm, filter, norm, MLP, and one residual around all of them.

    MACs: 2NCD, D the hidden units of the MLP.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.
        mlp_ratio: hidden channels of the MLP over dim.

    Raises:
        ValueError: as `GlobalFilter`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int, *, grid: tuple[int, int] = (14, 14), mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)  # the authors' networks pass 1e-6
        self.filter = GlobalFilter(dim, grid=grid)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        filtered = self.filter(self.norm1(x), size)
        out: Tensor = x + self.mlp(self.norm2(filtered))
        return out


def _grid(authors: Mapping[str, Any]) -> tuple[int, int]:
    """The grid that a filter of h × w frequencies is for: square if it can be, else of even width."""
    height, frequencies = authors.get("h", 14), authors.get("w", 8)
    return (height, height) if height // 2 + 1 == frequencies else (height, 2 * (frequencies - 1))


_filter = arguments("dim", ignored=("h", "w"))
_block = arguments("dim", "mlp_ratio", only={"drop": 0.0, "drop_path": 0.0}, ignored=("h", "w"))

PORTS = {
    "gfnet_filter": Port(
        mixer="gfnet", arguments=lambda authors: _filter(authors) | {"grid": _grid(authors)}
    ),
    "gfnet_block": Port(
        mixer="gfnet_block", arguments=lambda authors: _block(authors) | {"grid": _grid(authors)}
    ),
}
