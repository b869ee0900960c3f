"""Configuration of a network of stages: its stages, and what makes their parts.

A network is a `HierarchyConfig`, which has a `Stage` for each stage. A `Stage` says, by classes and functions
that make modules, how it is entered, what its blocks are made of, and where it tells positions:

    Stage(dim=384, depth=6, num_heads=12, embed=DeformableEmbedding, mixers=(attention(HiLo),), ffn=mlp(4))

- `embed(channels, dim)` makes an `Embedding` (`_embed.py`): a map in, a map out, and what size that has.
- `mixers` are functions of a `Place` that make a mixer of any layout, such as `attention` returns. Blocks
  take them in turn, so that two alternate; with none, a block only feeds forward.
- `ffn(dim)` makes what comes behind the mixer: an `MLP`, or a module of any layout.
- `norm(dim)` makes the norms of a block.
- `block(dim, mixer=…, ffn=…, norm=…)` joins them: `PreNormBlock`, unless the paper does it another way. It is
  called with tokens (B, N, dim) and the size of their grid, or with a map if its stage's layout is "NCHW".
- `start(dim, tokens)` and `after_first(dim)` make what tells positions, before the first block and behind it;
  both are called with tokens and size.
- `end(dim)` makes a norm behind the last block.

`_hierarchy.py` builds the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchsuite.backbones._choice import Layout, mix_tokens
from benchsuite.backbones._embed import Embedding, Size
from benchsuite.mixers._layers import MLP


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Place of a mixer: its stage, with width, heads and grid, and the kernel asked for."""

    name: str
    dim: int
    num_heads: int
    grid: Size
    kernel: str

    def kernel_of(self, cls: type[nn.Module]) -> str:
        """The kernel asked for if the mixer runs on it, and else "math"."""
        return self.kernel if self.kernel in getattr(cls, "kernels", ()) else "math"

    def fill(self, cls: type[nn.Module], **params: Any) -> nn.Module:
        """A mixer for this place: of its width and heads, on `kernel_of` it, with these parameters."""
        return cls(self.dim, self.num_heads, **params, kernel=self.kernel_of(cls))


MakeMixer = Callable[[Place], nn.Module]
MakeModule = Callable[[int], nn.Module]
"""Of a number of channels."""


class MakeBlock(Protocol):
    """Maker of a block, which joins mixer, feed-forward network and norms."""

    def __call__(
        self, dim: int, *, mixer: nn.Module | None, ffn: nn.Module, norm: MakeModule
    ) -> nn.Module: ...


def attention(cls: type[nn.Module], **params: Any) -> MakeMixer:
    """Maker of mixers of this class, with these parameters."""

    def make(place: Place) -> nn.Module:
        return place.fill(cls, **params)

    return make


NORM: MakeModule = partial(nn.LayerNorm, eps=1e-5)
NORM_1E6: MakeModule = partial(nn.LayerNorm, eps=1e-6)
"""LayerNorms, by their epsilon: torch's own, and that of ViT and of what PVT started."""


def mlp(ratio: float) -> MakeModule:
    """MLPs with `ratio` times as many channels between their layers."""

    def make(dim: int) -> MLP:
        return MLP(dim, hidden_dim=int(dim * ratio))

    return make


class PreNormBlock(nn.Module):
    """x + mixer(norm(x)), then x + ffn(norm(x)), on (B, N, dim) tokens; without a mixer, the latter alone."""

    def __init__(self, dim: int, *, mixer: nn.Module | None, ffn: nn.Module, norm: MakeModule) -> None:
        super().__init__()
        self.has_mixer = mixer is not None
        if mixer is not None:
            self.norm1 = norm(dim)
            self.attn = mixer
        self.norm2 = norm(dim)
        self.mlp = ffn

    def forward(self, x: Tensor, size: Size) -> Tensor:
        if self.has_mixer:
            x = x + mix_tokens(self.attn, self.norm1(x), size)
        return x + feed_forward(self.mlp, self.norm2(x), size)


def feed_forward(ffn: nn.Module, x: Tensor, size: Size) -> Tensor:
    """Run an `MLP`, or a module of any layout, on (B, N, C) tokens."""
    out: Tensor = ffn(x) if isinstance(ffn, MLP) else mix_tokens(ffn, x, size)
    return out


class AbsolutePosition(nn.Module):
    """Add to each of (B, tokens, dim) a vector of its own, learned."""

    def __init__(self, dim: int, tokens: int) -> None:
        super().__init__()
        self.table = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, tokens, dim), std=0.02))

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return x + self.table


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a network; the module's docstring says what its parts are.

    Attributes:
        layout: of the tensors between blocks, "BNC" tokens or "NCHW" maps. Of maps there is no `start`,
            `after_first` or class token.
        class_token: put one before the tokens of the grid. It has no place there, so `Place.grid`, and the
            size that blocks are called with, is (1, 1 + N). For the last stage only.
    """

    dim: int
    depth: int
    embed: Callable[[int, int], Embedding]
    ffn: MakeModule
    mixers: tuple[MakeMixer, ...] = ()
    num_heads: int = 1
    norm: MakeModule = NORM
    block: MakeBlock = PreNormBlock
    start: Callable[[int, int], nn.Module] | None = None
    after_first: MakeModule | None = None
    end: MakeModule | None = None
    layout: Layout = "BNC"
    class_token: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyConfig:
    """A network of stages.

    Attributes:
        name: of the family, for messages.
        norm: before the head, of the last stage's tokens (or map); None for none.
        norm_after_mean: whether that norm is of their mean.
        blocks_a_layer: blocks that the paper's depths count as one.
        fixed_resolution: refuse images of another size than the network was built for, as weights are tied
            to it.
    """

    name: str
    stages: tuple[Stage, ...]
    norm: MakeModule | None = NORM
    norm_after_mean: bool = False
    blocks_a_layer: int = 1
    fixed_resolution: bool = False
