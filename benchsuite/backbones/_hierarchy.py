"""Networks of stages: each embeds or merges what comes, and then mixes and feeds forward, block by block.

What they are made of is data, a `HierarchyConfig` (`_stage.py`); here it becomes modules.
`Hierarchy(config, num_classes=…, resolution=…, kernel=…, mixer=…)` is the network, and
`network(Hierarchy, config)` of `_network.py`, its row in `BACKBONES`. Weights are named `stages.0.embed.…`,
`stages.0.blocks.0.…`, and `start`, `after_first`, `end` and `class_token` beside `embed`; `norm.…`, `head.…`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import cycle, islice

import torch
from torch import Tensor, nn

from benchsuite.backbones._choice import (
    Choices,
    Layout,
    MixerChoice,
    MixerSlot,
    check_runs_on,
    choice_of,
    chosen,
    mixed_shape,
)
from benchsuite.backbones._embed import Size, check_image, size_of
from benchsuite.backbones._stage import HierarchyConfig, MakeMixer, Place, Stage
from benchsuite.mixers._grid import as_map, as_tokens


class Hierarchy(nn.Module):
    """Images (B, 3, H, W) → logits (B, num_classes).

    The head is linear, of the class token if the last stage has one, and else of the mean over its tokens.

    Args:
        resolution: of the images, one number or height and width.
        kernel: for mixers that run on it; others run on their own.
        mixer: "stage1", "stage2", … or "all" → what mixes there, for stages that have a mixer: a name of
            `MIXERS`, {"name": …, "params": {…}}, or {"alternate": […]} of those, taken in turn.

    Raises:
        ValueError: the images are too small or do not fit a stage, or a mixer or kernel is unknown or does
            not fit; in `forward`, the resolution is fixed and the images have another.
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
        mixing = tuple(f"stage{i}" for i, stage in enumerate(config.stages, 1) if stage.mixers)
        if mixer and not mixing:
            raise ValueError(f"{config.name} has no mixer that another could take the place of")
        choices = {name: choice_of(mixer, name, mixing) for name in mixing}
        self.stages = nn.ModuleList()
        channels = 3
        for number, stage in enumerate(config.stages, 1):
            name = f"stage{number}"
            built = StageOfBlocks(stage, channels, size, kernel, choices.get(name), name)
            self.stages.append(built)
            channels, size = stage.dim, built.embed.grid(size)
        self.has_class_token = config.stages[-1].class_token
        self.norm = config.norm(channels) if config.norm else nn.Identity()
        self.norm_after_mean = config.norm_after_mean
        self.head = nn.Linear(channels, num_classes)
        check_runs_on(self, kernel, config.name)

    def forward(self, x: Tensor) -> Tensor:
        if self.size is not None:
            check_image(x, self.size, self.name)
        for stage in self.stages:
            x = stage(x)
        if self.has_class_token:  # B, 1 + N, dim
            x = self.norm(x)[:, 0]
        elif self.norm_after_mean:
            x = self.norm(x.mean(dim=(2, 3)))
        elif self.stages[-1].layout == "NCHW":
            x = self.norm(x).mean(dim=(2, 3))
        else:
            x = self.norm(as_tokens(x)).mean(dim=1)
        logits: Tensor = self.head(x)
        return logits


class StageOfBlocks(nn.Module):
    """A `Stage` as a module: (B, channels, H, W) → (B, dim, H', W'), or (B, 1 + N, dim) with a class token.

    Attributes:
        place: its width, heads and grid, for whoever shows them.
        slot: of its mixers, in whose place others may be put; None where it has none.

    Args:
        size: height and width of what comes.
        choice: what mixes in place of the stage's own mixers.
        name: "stage1", for messages.

    Raises:
        ValueError: there are too few tokens, or a mixer does not fit them.
    """

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
        if stage.class_token:
            grid = (1, 1 + grid[0] * grid[1])
        self.place = place = Place(name=name, dim=dim, num_heads=stage.num_heads, grid=grid, kernel=kernel)
        self.slot = _slot(stage, place) if stage.mixers else None
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if stage.class_token else None
        self.start = stage.start(dim, grid[0] * grid[1]) if stage.start else None
        mixers = islice(cycle(_makers(stage, place, choice)), stage.depth)
        self.blocks = nn.ModuleList(
            stage.block(dim, mixer=make(), ffn=stage.ffn(dim), norm=stage.norm) for make in mixers
        )
        self.after_first = stage.after_first(dim) if stage.after_first else None
        self.end = stage.end(dim) if stage.end else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        if self.layout == "NCHW":
            for block in self.blocks:
                x = block(x)
            return x if self.end is None else self.end(x)
        size = grid = size_of(x)
        x = as_tokens(x)
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
        return as_map(x, size) if self.class_token is None else x


def _makers(stage: Stage, place: Place, choice: MixerChoice | None) -> list[Callable[[], nn.Module | None]]:
    """Makers of the mixers of a stage, in turn; each is tried at the stage's grid."""
    if not stage.mixers:
        return [lambda: None]
    if choice is None:
        for make in stage.mixers:
            _check(make, place, stage.layout)
        return [partial(make, place) for make in stage.mixers]
    return [chosen(each, _slot(stage, place)) for each in _in_turn(choice, place)]


def _in_turn(choice: MixerChoice, place: Place) -> list[MixerChoice]:
    """The mixers that a choice names."""
    if isinstance(choice, str) or "alternate" not in choice:
        return [choice]
    alternate = choice["alternate"]
    if len(choice) > 1 or not isinstance(alternate, (list, tuple)) or not alternate:
        raise ValueError(f'{place.name}: "alternate" stands alone, with a list of mixers: {dict(choice)!r}')
    return list(alternate)


def _slot(stage: Stage, place: Place) -> MixerSlot:
    """Where the mixers of a stage are."""
    return MixerSlot(
        stage=place.name,
        dim=place.dim,
        grid=place.grid,
        layout=stage.layout,
        num_heads=place.num_heads,
        kernel=place.kernel,
        class_token=stage.class_token,
    )


def _check(make: MakeMixer, place: Place, layout: Layout) -> None:
    """Raise ValueError if a stage's own mixer refuses its grid."""
    try:
        mixed_shape(partial(make, place), place.dim, place.grid, layout)
    except ValueError as error:
        raise ValueError(f"{place.name}: {error}") from error
