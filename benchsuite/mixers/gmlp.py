"""gMLP: half of the channels gate the other half, after a matrix has mixed them along the tokens.

Paper: Liu et al., "Pay Attention to MLPs", NeurIPS 2021, arXiv:2105.08050.
Reference: timm @ aa4b585, timm/models/mlp_mixer.py, SpatialGatingUnit and SpatialGatingBlock; with several
    heads, the SpatialGatingUnit of later versions of lucidrains/g-mlp-pytorch.
Differs: the matrix multiplies from the left, where timm transposes twice. Neither causal nor circulant
    matrices, which are for text.
Names: proj is the paper's f_{W,b}; the halves u and v are the paper's Z₁ and Z₂.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import head_dim_of
from benchsuite.mixers._grid import check_tokens, tokens_of
from benchsuite.mixers._layers import TokenLinear
from benchsuite.mixers._port import Port, arguments, in_one_column, renamed


class _HeadwiseTokenLinear(nn.Module):
    """(B, N, C) → (B, N, C): a matrix and a bias along the tokens for each head's share of the channels.

    MACs: N²C: each head has its share of the channels.
    """

    def __init__(self, num_heads: int, tokens: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_heads, tokens, tokens))
        self.bias = nn.Parameter(torch.empty(num_heads, tokens))

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, channels = x.shape
        by_head = x.reshape(batch, tokens, self.weight.shape[0], -1).transpose(1, 2)  # B, heads, N, C / heads
        out: Tensor = self.weight @ by_head + self.bias[:, :, None]
        return out.transpose(1, 2).reshape(batch, tokens, channels)


class SpatialGatingUnit(nn.Module):
    """Gate (B, N, dim) tokens into (B, N, dim / 2): u · proj(norm(v)), u the first half of the channels.

    MACs: N²C / 2.

    Args:
        dim: channels of input and output.
        num_heads: shares of the gate's channels that have a matrix each.
        grid: height and width of the grid, which the weights are made for.

    Raises:
        ValueError: dim is odd, num_heads does not divide its half; in `forward`, another number of tokens
            than that of `grid`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int, num_heads: int = 1, *, grid: tuple[int, int] = (14, 14)) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim {dim} is odd and has no half")
        head_dim_of(dim // 2, num_heads)
        self.gate_dim = dim // 2
        self.tokens = tokens_of(grid)
        self.norm = nn.LayerNorm(self.gate_dim, eps=1e-5)
        self.proj: TokenLinear | _HeadwiseTokenLinear
        if num_heads == 1:
            self.proj = TokenLinear(self.tokens, self.tokens)
        else:
            self.proj = _HeadwiseTokenLinear(num_heads, self.tokens)
        # As the paper has it, the gate is nearly 1 at first.
        nn.init.normal_(self.proj.weight, std=1e-6)
        nn.init.ones_(self.proj.bias)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        check_tokens(size, self.tokens, "gmlp_sgu")
        u, v = x.chunk(2, dim=-1)
        out: Tensor = u * self.proj(self.norm(v))
        return out


class GatedMLP(nn.Module):
    """Mix (B, N, dim) tokens into (B, N, dim): a channel MLP with the gate in its middle.

    Norm and residual belong to the block.

    MACs: NCD + N²D/2 + NCD/2, D the hidden channels.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.
        mlp_ratio: hidden channels as a multiple of dim; the gate leaves half of them.

    Raises:
        ValueError: as `SpatialGatingUnit`, of the hidden channels.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("dense", ("channels",), "static")

    def __init__(self, dim: int, *, grid: tuple[int, int] = (14, 14), mlp_ratio: float = 4.0) -> None:
        super().__init__()
        hidden_dim = int(dim * mlp_ratio)
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.gate = SpatialGatingUnit(hidden_dim, grid=grid)
        self.fc2 = nn.Linear(hidden_dim // 2, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.fc2(self.gate(F.gelu(self.fc1(x)), size))
        return out


class GMLPBlock(nn.Module):
    """A layer of gMLP on (B, N, dim): norm, gated MLP, residual.

    MACs: As `GatedMLP`.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.
        mlp_ratio: hidden channels of the MLP over dim.

    Raises:
        ValueError: as `GatedMLP`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int, *, grid: tuple[int, int] = (14, 14), mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp_channels = GatedMLP(dim, grid=grid, mlp_ratio=mlp_ratio)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = x + self.mlp_channels(self.norm(x), size)
        return out


PORTS = {
    "gmlp_sgu": Port(
        mixer="gmlp_sgu", arguments=in_one_column(arguments("dim", renamed={"seq_len": "grid"}))
    ),
    "gmlp_sgu_multihead": Port(
        mixer="gmlp_sgu",
        arguments=in_one_column(
            arguments(
                "dim",
                "num_heads",
                renamed={"heads": "num_heads", "dim_seq": "grid", "seq_len": "grid"},
                only={"causal": False, "circulant_matrix": False, "act": None},
                ignored=("init_eps",),
            )
        ),
        state=renamed((r"weight$", "proj.weight"), (r"bias$", "proj.bias")),
    ),
    "gmlp_block": Port(
        mixer="gmlp_block",
        arguments=in_one_column(
            arguments("dim", "mlp_ratio", renamed={"seq_len": "grid"}, only={"drop": 0.0, "drop_path": 0.0})
        ),
    ),
}
