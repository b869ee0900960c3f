"""Sparse MLP: a token mixes with those of its row and those of its column, by a matrix each.

Paper: Tang et al., "Sparse MLP for Image Recognition: Is Self-Attention Really Necessary?", AAAI 2022,
    arXiv:2109.05422.
Reference: microsoft/SPACH @ dcede1e, models/smlp.py, sMLPBlock.
Differs: H and W need not be equal; the matrices are those of linear layers, where the authors have 1 × 1
    convolutions. The authors' proj_h mixes along the width and their proh_w along the height: ours are
    proj_w and proj_h.
Names: proj_h and proj_w are the paper's mixing along H and along W; fuse, its FC over 3C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._grid import check_grid, tokens_of
from benchsuite.mixers._port import Port, State, arguments, renamed


class SparseMLP(nn.Module):
    """Mix (B, dim, H, W) maps into (B, dim, H, W).

    MACs: NC(H + W) + 3NC².

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.

    Raises:
        ValueError: in `forward`, another grid than `grid`.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("sparse", ("positions", "channels"), "static")

    def __init__(self, dim: int, *, grid: tuple[int, int] = (14, 14)) -> None:
        super().__init__()
        tokens_of(grid)
        self.dim = dim
        self.grid = (grid[0], grid[1])
        self.norm = nn.BatchNorm2d(dim)
        self.proj_h = nn.Linear(grid[0], grid[0])
        self.proj_w = nn.Linear(grid[1], grid[1])
        self.fuse = nn.Conv2d(3 * dim, dim, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        check_grid((x.shape[2], x.shape[3]), self.grid, "smlp")
        x = F.gelu(self.norm(x))
        along_w = _mixed(self.proj_w, x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        along_h = _mixed(self.proj_h, x.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.fuse(torch.cat([x, along_w, along_h], dim=1))
        return out


def _mixed(layer: nn.Linear, x: Tensor) -> Tensor:
    """(B, L, …) with its second axis mixed by the layer, as a 1 × 1 convolution."""
    return F.conv2d(x, layer.weight[:, :, None, None], layer.bias)


_named = arguments(renamed={"channels": "dim", "H": "height", "W": "width"})
_rename = renamed((r"BN\.", "norm."), (r"proj_h\.", "proj_w."), (r"proh_w\.", "proj_h."))


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    ours = _named(authors)
    ours["grid"] = (ours.pop("height"), ours.pop("width"))
    return ours


def _state(state: State) -> dict[str, Tensor]:
    """Kernels of 1 × 1 convolutions become matrices."""
    ours = _rename(state)
    for name in ("proj_h.weight", "proj_w.weight"):
        ours[name] = ours[name].flatten(1)
    return ours


PORTS = {"smlp": Port(mixer="smlp", arguments=_arguments, state=_state)}
