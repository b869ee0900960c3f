"""Networks of one's own: a class that takes images, a function that makes one, a class that takes words."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatchNet(nn.Module):
    """Images (B, 3, H, W) → logits (B, num_classes)."""

    def __init__(self, width: int = 32, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, stride=4)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stem(x).mean((2, 3)))


def wide_patch_net(resolution: int | tuple[int, int] = 224) -> nn.Module:
    """A network that is told the sides of its images, of which it makes no use."""
    return PatchNet(width=64)


class WordNet(nn.Module):
    """Numbers of words (B, L), and which of them count → the words' vectors (B, L, width), and their mean."""

    def __init__(self, words: int = 1000, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.proj = nn.Linear(width, width)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        x = torch.where(mask[..., None], self.proj(self.embed(ids)), 0.0)
        return {"vectors": x, "mean": x.mean(1)}
