"""Diffusion: tokens spread over the grid by repeated averaging, then a projection."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Diffusion(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid by `steps` averages over 3 × 3 neighbours.

    Args:
        steps: how far a token reaches.
    """

    def __init__(self, dim: int, steps: int = 20) -> None:
        super().__init__()
        self.steps = steps
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        grid = x.transpose(1, 2).unflatten(2, size)  # B, dim, H, W
        for _ in range(self.steps):
            grid = F.avg_pool2d(grid, 3, stride=1, padding=1)
        out: Tensor = self.proj(grid.flatten(2).transpose(1, 2))  # B, N, dim
        return out
