"""Networks of stages: each embeds or merges what comes, and then mixes and feeds forward, block by block.

A network is data. `HierarchyConfig` has a `Stage` for each stage, and a `Stage` says, by classes and functions
that make modules, how it is entered, what its blocks are made of and where it tells positions:

    Stage(dim=384, depth=6, num_heads=12, embed=DeformableMerging, mixers=(hilo,), ffn=conv_ffn(4))

- `embed(channels, dim)` makes an `Embedding` (`_embed.py`): a map in, a map out, and the size of what comes out.
- `mixers` are functions of a `Place` that make a mixer of any layout. Blocks take them in turn, so that two
  alternate, and with none a block only feeds forward. `{"stage3": …}` puts another mixer in place of all.
- `ffn(dim)` makes what comes behind: an `MLP`, or a module of any layout.
- `norm(dim)` makes the norms of a block.
- `block(dim, mixer=…, ffn=…, norm=…)` joins them; `PreNormBlock` unless the paper does it another way. A block
  is called with tokens (B, N, dim) and the size of their grid, or, if its stage's layout is "NCHW", with a map.
- `start(dim, tokens)`, `after_first(dim)` and `end(dim)` make what comes before the first block, after it (both
  are called with tokens and size) and after the last (a norm).

`Hierarchy(config, num_classes=…, resolution=…, kernel=…, mixer=…)` is the network; `network(Hierarchy, config)`
of `_builder.py` is its row in `BACKBONES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchsuite.backbones._choice import (
    Choices,
    Layout,
    MixerChoice,
    check_runs_on,
    choice_of,
    chosen,
    mix_tokens,
)
from benchsuite.backbones._embed import Embedding, Size, size_of
from benchsuite.backbones._token_block import check_image
from benchsuite.backbones.vit import GRIDLESS
from benchsuite.mixers._feed_forward import MLP
from benchsuite.mixers._token_conv import as_map, as_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a mixer stands: width and heads of its stage, the grid there, and the kernel asked for."""

    dim: int
    num_heads: int
    grid: Size
    kernel: str

    def kernel_of(self, cls: type[nn.Module]) -> str:
        """The kernel asked for if the mixer runs on it, and else "math"."""
        return self.kernel if self.kernel in getattr(cls, "kernels", ()) else "math"


MakeMixer = Callable[[Place], nn.Module]
MakeModule = Callable[[int], nn.Module]
"""Of a number of channels."""


class MakeBlock(Protocol):
    """What joins mixer, feed-forward network and norms."""

    def __call__(
        self, dim: int, *, mixer: nn.Module | None, ffn: nn.Module, norm: MakeModule
    ) -> nn.Module: ...


def layer_norm(eps: float) -> MakeModule:
    """LayerNorms of this epsilon."""
    return partial(nn.LayerNorm, eps=eps)


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
        layout: of the tensors between blocks: "BNC" tokens or "NCHW" maps.
        class_token: put one before the tokens of the grid. It has no place in the grid, so `Place.grid` and the
            size that blocks are called with are then (1, 1 + N). For the last stage only.
    """

    dim: int
    depth: int
    embed: Callable[[int, int], Embedding]
    ffn: MakeModule
    mixers: tuple[MakeMixer, ...] = ()
    num_heads: int = 1
    norm: MakeModule = layer_norm(1e-5)
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
        norm: before the head; None for none.
        norm_after_mean: whether that norm is of the mean over the last stage's tokens, and not of each.
        fixed_resolution: whether images of other sizes than the network was built for are refused, since weights
            are tied to a grid.
    """

    name: str
    stages: tuple[Stage, ...]
    norm: MakeModule | None = layer_norm(1e-5)
    norm_after_mean: bool = False
    fixed_resolution: bool = False


class Hierarchy(nn.Module):
    """Images (B, 3, H, W) → logits (B, num_classes).

    The head is linear, of the class token if the last stage has one, and else of the mean over all tokens.

    Args:
        resolution: of the images, one number or height and width.
        kernel: for mixers that run on it; others run on their own.
        mixer: "stage1", "stage2", … or "all" → what mixes there, for stages that have a mixer: a name of
            `MIXERS`, {"name": …, "params": {…}}, or {"alternate": […]} of those, taken in turn block by block.

    Raises:
        ValueError: the images are too small or do not fit a stage, or a mixer or kernel is unknown or does not
            fit; in `forward`, the resolution is fixed and the images have another.
    """

    def __init__(
        self,
        config: HierarchyConfig,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> None:
        super().__init__()
        size = (resolution, resolution) if isinstance(resolution, int) else (resolution[0], resolution[1])
        self.name = config.name
        self.size = size if config.fixed_resolution else None
        self.norm_after_mean = config.norm_after_mean
        mixing = tuple(f"stage{i}" for i, stage in enumerate(config.stages, 1) if stage.mixers)
        self.stages = nn.ModuleList()
        channels = 3
        for number, stage in enumerate(config.stages, 1):
            choice = choice_of(mixer, f"stage{number}", mixing) if stage.mixers else None
            built = StageOfBlocks(stage, channels, size, kernel, choice, f"stage{number}")
            self.stages.append(built)
            channels, size = stage.dim, built.embed.grid(size)
        if config.norm is not None:
            self.norm = config.norm(channels)
        self.has_norm = config.norm is not None
        self.head = nn.Linear(channels, num_classes)
        check_runs_on(self, kernel, config.name)

    def forward(self, x: Tensor) -> Tensor:
        if self.size is not None:
            check_image(x, self.size, self.name)
        for stage in self.stages:
            x = stage(x)
        if self.has_norm and not self.norm_after_mean:
            x = self.norm(x)
        if x.dim() == 4:
            x = x.mean(dim=(2, 3))
        else:
            x = x[:, 0] if self.stages[-1].class_token is not None else x.mean(dim=1)
        if self.has_norm and self.norm_after_mean:
            x = self.norm(x)
        logits: Tensor = self.head(x)
        return logits


class StageOfBlocks(nn.Module):
    """A `Stage` as a module: what the stage before has made, tokens of a grid or a map → what its blocks make."""

    def __init__(
        self,
        stage: Stage,
        channels: int,
        size: Size,
        kernel: str,
        choice: MixerChoice | None,
        name: str,
    ) -> None:
        super().__init__()
        dim, self.layout = stage.dim, stage.layout
        self.embed = stage.embed(channels, dim)
        try:
            grid = self.embed.grid(size)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        tokens = grid[0] * grid[1]
        if stage.class_token:
            tokens, grid = tokens + 1, (1, tokens + 1)
        place = Place(dim=dim, num_heads=stage.num_heads, grid=grid, kernel=kernel)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if stage.class_token else None
        self.start = stage.start(dim, tokens) if stage.start else None
        makes: list[Callable[[], nn.Module]] = [partial(make, place) for make in stage.mixers]
        if choice is not None:
            makes = [_swapped(one, stage, place, name) for one in _in_turn(choice, name)]
        mixers = islice(cycle(makes), stage.depth) if makes else [None] * stage.depth
        self.blocks = nn.ModuleList(
            stage.block(dim, mixer=make and _fitting(make(), grid, name), ffn=stage.ffn(dim), norm=stage.norm)
            for make in mixers
        )
        self.after_first = stage.after_first(dim) if stage.after_first else None
        self.end = stage.end(dim) if stage.end else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        size = size_of(x)
        if self.layout == "NCHW":
            for block in self.blocks:
                x = block(x)
            return self.end(x) if self.end is not None else x
        x = as_tokens(x)
        grid = size
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
            grid = (1, 1 + size[0] * size[1])
        if self.start is not None:
            x = self.start(x, grid)
        for index, block in enumerate(self.blocks):
            x = block(x, grid)
            if index == 0 and self.after_first is not None:
                x = self.after_first(x, grid)
        if self.end is not None:
            x = self.end(x)
        return x if self.class_token is not None else as_map(x, size)


def _in_turn(choice: MixerChoice, stage: str) -> list[MixerChoice]:
    """The mixers that a choice names."""
    if isinstance(choice, str) or "alternate" not in choice:
        return [choice]
    alternate = choice["alternate"]
    if len(choice) > 1 or not isinstance(alternate, (list, tuple)) or not alternate:
        raise ValueError(f'{stage}: "alternate" stands alone and has a list of mixers, not {dict(choice)!r}')
    return list(alternate)


def _swapped(choice: MixerChoice, stage: Stage, place: Place, name: str) -> Callable[[], nn.Module]:
    """What makes the chosen mixer, tried out on the stage."""
    called = choice if isinstance(choice, str) else str(choice.get("name", ""))
    make = chosen(
        choice,
        stage=name,
        dim=place.dim,
        grid=place.grid,
        layout="BNC",
        num_heads=place.num_heads,
        kernel=place.kernel,
    )
    if stage.class_token and ":" not in called and called not in GRIDLESS:
        raise ValueError(
            f"{name}: mixer {called!r} mixes over a grid, in which the class token of this stage has no place. "
            f"Allowed: {', '.join(sorted(GRIDLESS))}"
        )
    return make


def _fitting(mixer: nn.Module, grid: Size, stage: str) -> nn.Module:
    """Return the mixer, or raise ValueError if it knows that it cannot mix this grid."""
    macs: Callable[[Size], Any] | None = getattr(mixer, "macs", None)
    try:
        if macs is not None:
            macs(grid)
    except ValueError as error:
        raise ValueError(f"{stage}: {error}") from error
    return mixer
