"""Reading of the attention matrix of each mixer: what is a head, and where queries and keys lie.

A softmax alone does not say what its keys are, so every class has a line in `READERS`. A class without one is
not read, and the analysis says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Grid = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AttentionReading:
    """An attention matrix made sense of.

    Attributes:
        weights: (..., heads, queries, keys), each row sums to 1.
        places: (weights among tokens that lie somewhere, places of those queries, of those keys); None where
            keys have no place.
        branch: which attention of the mixer it is, "" where it has one.
        over: what the keys are.
    """

    weights: Tensor
    places: tuple[Tensor, Tensor, Tensor] | None = None
    branch: str = ""
    over: Literal["tokens", "channels"] = "tokens"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that a mixer was given: `leading` class tokens, then those of the grid."""

    grid: Grid
    leading: int = 0

    @property
    def number(self) -> int:
        """All of them."""
        return self.leading + self.grid[0] * self.grid[1]


Reader = Callable[[nn.Module, Tensor, Tokens | None], AttentionReading]


def centres(rows: int, columns: int, step: tuple[float, float]) -> Tensor:
    """(rows × columns, 2): centres of cells of this height and width, in row-major order."""
    y = (torch.arange(rows) + 0.5) * step[0]
    x = (torch.arange(columns) + 0.5) * step[1]
    return torch.stack([y.repeat_interleave(columns), x.repeat(rows)], dim=-1)


def of_grid(grid: Grid) -> Tensor:
    """Centres of all tokens in shares of the image."""
    return centres(*grid, (1 / grid[0], 1 / grid[1]))


def every_token(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Every token attends to every token: weights (B, heads, N, N)."""
    if tokens is None or weights.shape[-2:] != (tokens.number, tokens.number):
        return AttentionReading(weights)
    places = of_grid(tokens.grid)
    return AttentionReading(weights, (weights[..., tokens.leading :, tokens.leading :], places, places))


def pooled(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Keys are cells of the grid, of sr_ratio tokens a side: weights (B, heads, N, M)."""
    ratio = getattr(module, "sr_ratio", 1)
    return every_token(module, weights, tokens) if ratio == 1 else _pooled_by(ratio, weights, tokens)


def pooled_to_square(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Keys are the cells of a pool_size × pool_size grid over the image."""
    side = math.isqrt(weights.shape[-1])
    if tokens is None or side**2 != weights.shape[-1] or tokens.number != weights.shape[-2] or tokens.leading:
        return AttentionReading(weights)
    return AttentionReading(weights, (weights, of_grid(tokens.grid), of_grid((side, side))))


def _pooled_by(ratio: int, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    if tokens is None or tokens.leading:
        return AttentionReading(weights)
    height, width = tokens.grid
    rows, columns = height // ratio, width // ratio
    if weights.shape[-2:] != (height * width, rows * columns):  # a padded grid
        return AttentionReading(weights)
    keys = centres(rows, columns, (ratio / height, ratio / width))
    return AttentionReading(weights, (weights, of_grid(tokens.grid), keys))


def windows(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Square windows of neighbours: weights (B, windows, heads, window_size², window_size²).

    Only differences of places count, so those of one window serve all. In a shifted window, pairs that are no
    neighbours in the image are masked: their weight is 0.
    """
    return _in_windows(weights, tokens, dilated=False)


def dilated_windows(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Windows of tokens that are spread evenly over the image."""
    return _in_windows(weights, tokens, dilated=True)


def _in_windows(weights: Tensor, tokens: Tokens | None, *, dilated: bool) -> AttentionReading:
    side = math.isqrt(weights.shape[-1])
    if tokens is None or tokens.leading or weights.shape[-2:] != (side**2, side**2):
        return AttentionReading(weights)
    height, width = (side, side) if dilated else tokens.grid
    places = centres(side, side, (1 / height, 1 / width))
    return AttentionReading(weights, (weights, places, places))


def hilo(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Hi-Fi has an axis of windows, Lo-Fi pooled keys."""
    if weights.dim() == 5:
        reading, branch = windows(module, weights, tokens), "Hi-Fi"
    elif module.window_size == 1:
        reading, branch = every_token(module, weights, tokens), "Lo-Fi"
    else:
        reading, branch = _pooled_by(int(module.window_size), weights, tokens), "Lo-Fi"  # type: ignore[arg-type]
    return AttentionReading(reading.weights, reading.places, branch)


def without_places(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Keys that are mixtures, samples between tokens, or of several grids: an entropy, and no distance."""
    return AttentionReading(weights)


def channels(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """Channels attend to channels of their group or head: weights (B, heads, C, C)."""
    return AttentionReading(weights, over="channels")


def neighborhood(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """(B, heads, N, 1, window_size²): one query each."""
    return AttentionReading(weights.squeeze(-2))


def blocks_of_heads(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """(B, heads × blocks, queries, keys), keys of a block and the halo around it."""
    heads: int = module.num_heads  # type: ignore[assignment]
    return AttentionReading(torch.unflatten(weights, 1, (heads, -1)).transpose(1, 2))


def neighbors_first(module: nn.Module, weights: Tensor, tokens: Tokens | None) -> AttentionReading:
    """(B, heads, kernel_size², H, W): ACmix's softmax is over the third axis."""
    return AttentionReading(weights.flatten(3).transpose(-2, -1))


READERS: dict[str, Reader] = {
    "msa:MSA": every_token,
    "context_broadcast:UniformHeadMSA": every_token,
    "lit:RelPosMSA": every_token,
    "coatnet:CoAtNetAttention": every_token,
    "botnet:BottleneckAttention": every_token,
    "non_local:NonLocal": every_token,
    "cascaded_group:CascadedGroupAttention": every_token,
    "pvt:SpatialReductionAttention": pooled,
    "twins:GlobalSubSampledAttention": pooled,
    "acmix_pvt:ACmixSpatialReductionAttention": pooled,
    "pvt:LinearSpatialReductionAttention": pooled_to_square,
    "swin:WindowAttention": windows,
    "acmix_swin:ACmixWindowAttention": windows,
    "twins:LocallyGroupedAttention": windows,
    "davit:DaViTWindowAttention": windows,
    "swinv2:SwinV2WindowAttention": windows,
    "maxvit:BlockAttention": windows,
    "maxvit:GridAttention": dilated_windows,
    "hilo:HiLo": hilo,
    "davit:ChannelAttention": channels,
    "xcit:CrossCovarianceAttention": channels,
    "nat:NeighborhoodAttention": neighborhood,
    "acmix:ACmix": neighbors_first,
    "focal:FocalAttention": without_places,
    "linformer:Linformer": without_places,
    "cswin:StripeAttention": without_places,
    "dat:DeformableAttention": without_places,
    "dat_pyramid:PyramidAttention": without_places,
    "halo:HaloAttention": blocks_of_heads,
    "biformer:BiLevelRoutingAttention": without_places,
    "biformer:BiLevelRoutingAttention2d": without_places,
    "volo:OutlookAttention": without_places,
}
"""File of `benchsuite.mixers` and class → how to read its softmax. A subclass without a line is not read."""


def reader_of(module: nn.Module) -> Reader | None:
    """The line of a module's class; None for a class that is not read."""
    package, _, file = type(module).__module__.rpartition(".")
    return READERS.get(f"{file}:{type(module).__name__}") if package == "benchsuite.mixers" else None
