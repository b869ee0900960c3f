"""Refuses through another file of its package."""

from __future__ import annotations

from torch import Tensor, nn

from packaged.words import refuse


class Mixer(nn.Module):
    def __init__(self, dim: int, grid: tuple[int, int]) -> None:
        super().__init__()
        if grid[0] % 7:
            refuse(f"{grid} is not divisible by 7")
        self.p = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return self.p(x)
