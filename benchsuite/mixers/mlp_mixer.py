"""Token mixing of MLP-Mixer: a two-layer perceptron along the tokens, the same for every channel.

Paper: Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", NeurIPS 2021, arXiv:2105.01601.
Reference: timm 0.4.13 as in dingmyu/davit @ fc79470, timm/models/mlp_mixer.py, MixerBlock.
Differs: matrices multiply from the left, where the reference transposes twice.
Names: tokens_dim is the paper's D_S; tokens, its S; dim, its C.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_positive
from benchsuite.mixers._grid import check_tokens, tokens_of
from benchsuite.mixers._layers import MLP, TokenLinear, dropout
from benchsuite.mixers._port import Port, arguments, in_one_column

_RATIOS = (0.5, 4.0)


class TokenMixingMLP(nn.Module):
    """Mix (B, N, dim) tokens into (B, N, dim). Only the number of tokens matters, not the grid's shape.

    The input is taken as it is: norm and residual belong to the block.

    MACs: 2NTC, T = tokens_dim.

    Args:
        dim: channels of input and output.
        grid: H and W that the weights are made for.
        tokens_dim: hidden units along the tokens, int(dim / 2) by default.
        proj_drop: after each of the two layers.

    Raises:
        ValueError: tokens_dim is not positive; in `forward`, another number of tokens.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("dense", ("channels",), "static")

    def __init__(
        self,
        dim: int,
        *,
        grid: tuple[int, int] = (14, 14),
        tokens_dim: int | None = None,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.tokens = tokens_of(grid)
        tokens_dim = int(dim * _RATIOS[0]) if tokens_dim is None else tokens_dim
        check_positive("tokens_dim", tokens_dim)
        self.fc1 = TokenLinear(self.tokens, tokens_dim)
        self.fc2 = TokenLinear(tokens_dim, self.tokens)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        check_tokens(size, self.tokens, "token_mlp")
        x = self.proj_drop(F.gelu(self.fc1(x)))  # B, tokens_dim, dim
        out: Tensor = self.proj_drop(self.fc2(x))
        return out


class MixerBlock(nn.Module):
    """A layer of MLP-Mixer on (B, N, dim): norm, token mixing, residual; norm, channel MLP, residual.

    MACs: 2NTC + 2NCD, T and D the hidden units along tokens and channels.

    Args:
        dim: channels of input and output.
        grid: height and width of the grid, which the weights are made for.
        mlp_ratio: hidden units along the tokens and along the channels, both as multiples of dim.

    Raises:
        ValueError: as `TokenMixingMLP`.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        grid: tuple[int, int] = (14, 14),
        mlp_ratio: tuple[float, float] = _RATIOS,
    ) -> None:
        super().__init__()
        tokens_dim, channels_dim = (int(ratio * dim) for ratio in mlp_ratio)
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp_tokens = TokenMixingMLP(dim, grid=grid, tokens_dim=tokens_dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp_channels = MLP(dim, hidden_dim=channels_dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.mlp_tokens(self.norm1(x), size)
        out: Tensor = x + self.mlp_channels(self.norm2(x))
        return out


def _ratios(authors: Mapping[str, Any]) -> tuple[float, float]:
    """The authors' pair of ratios, which may come as one number for both."""
    ratio = authors.get("mlp_ratio", _RATIOS)
    tokens, channels = (ratio, ratio) if isinstance(ratio, (int, float)) else ratio
    return tokens, channels


_NO_DROP = {"drop": 0.0, "drop_path": 0.0}

_block = in_one_column(arguments("dim", renamed={"seq_len": "grid"}, only=_NO_DROP, ignored=("mlp_ratio",)))
_tokens = in_one_column(
    arguments(
        "dim",
        "tokens_dim",
        renamed={"seq_len": "grid", "drop": "proj_drop"},
        ignored=("mlp_ratio", "drop_path"),
    )
)


def _block_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    return _block(authors) | {"mlp_ratio": _ratios(authors)}


def _token_arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    return {"tokens_dim": int(_ratios(authors)[0] * authors["dim"])} | _tokens(authors)


PORTS = {
    "mixer_token_mlp": Port(mixer="token_mlp", arguments=_token_arguments),
    "mixer_block": Port(mixer="mixer_block", arguments=_block_arguments),
}
