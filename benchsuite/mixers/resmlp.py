"""ResMLP: one matrix along the tokens, between two affine maps of the channels.

Paper: Touvron et al., "ResMLP: Feedforward networks for image classification with data-efficient training",
    TPAMI 2022, arXiv:2105.03404.
Reference: facebookresearch/deit @ 7e160fe, resmlp_models.py, layers_scale_mlp_blocks.
Differs: the matrix multiplies from the left, where the authors transpose twice.
Names: norm is the paper's first Aff, gamma its second, which has no shift; proj, the paper's A.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._grid import check_tokens, tokens_of
from benchsuite.mixers._layers import MLP, TokenLinear
from benchsuite.mixers._port import Port, arguments, in_one_column, renamed


class Affine(nn.Module):
    """alpha x + beta for each channel, the last axis: a norm without statistics."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(dim))
        self.beta = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.beta, self.alpha, x)


class CrossPatch(nn.Module):
    """Mix (B, N, dim) tokens into (B, N, dim): gamma · proj(norm(x)). The residual belongs to the block.

    MACs: N²C.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.
        init_scale: initial value of gamma, smaller the deeper the network.

    Raises:
        ValueError: in `forward`, another number of tokens than that of `grid`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("dense", ("channels",), "static")

    def __init__(self, dim: int, *, grid: tuple[int, int] = (14, 14), init_scale: float = 1e-4) -> None:
        super().__init__()
        self.dim = dim
        self.tokens = tokens_of(grid)
        self.norm = Affine(dim)
        self.proj = TokenLinear(self.tokens, self.tokens)
        self.gamma = nn.Parameter(torch.full((dim,), init_scale))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        check_tokens(size, self.tokens, "resmlp")
        out: Tensor = self.gamma * self.proj(self.norm(x))
        return out


class ResMLPBlock(nn.Module):
    """A layer of ResMLP on (B, N, dim): mixing across patches and an MLP, both with scale and residual.

    MACs: N²C + 2NCD, D the hidden units of the MLP.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.
        mlp_ratio: hidden channels of the MLP over dim.
        init_scale: initial value of both gammas.

    Raises:
        ValueError: as `CrossPatch`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self, dim: int, *, grid: tuple[int, int] = (14, 14), mlp_ratio: float = 4.0, init_scale: float = 1e-4
    ) -> None:
        super().__init__()
        self.mixer = CrossPatch(dim, grid=grid, init_scale=init_scale)
        self.norm = Affine(dim)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))
        self.gamma = nn.Parameter(torch.full((dim,), init_scale))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.mixer(x, size)
        out: Tensor = x + self.gamma * self.mlp(self.norm(x))
        return out


PORTS = {
    "resmlp_block": Port(
        mixer="resmlp_block",
        arguments=in_one_column(
            arguments(
                "dim",
                renamed={"num_patches": "grid", "init_values": "init_scale"},
                only={"drop": 0.0, "drop_path": 0.0},
            )
        ),
        state=renamed(
            (r"norm1\.", "mixer.norm."),
            (r"attn\.", "mixer.proj."),
            (r"gamma_1", "mixer.gamma"),
            (r"norm2\.", "norm."),
            (r"gamma_2", "gamma"),
        ),
    ),
}
