"""A mixer of your own: all that benchsuite needs of it is `forward(x, size)`."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ShiftMixer(nn.Module):
    """Move a quarter of the channels one way each over the grid, then project."""

    def __init__(self, dim: int, distance: int = 1) -> None:
        super().__init__()
        self.distance = distance
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        down, up, right, left = x.unflatten(1, size).chunk(4, dim=-1)  # each B, H, W, dim / 4
        d = self.distance
        moved = [down.roll(d, 1), up.roll(-d, 1), right.roll(d, 2), left.roll(-d, 2)]
        out: Tensor = self.proj(torch.cat(moved, dim=-1).flatten(1, 2))  # B, N, dim
        return out
