"""A linear layer along the tokens, which Mixer, gMLP and ResMLP mix them by."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TokenLinear(nn.Linear):
    """(B, N, C) → (B, M, C): an M × N matrix and a bias for each of the M tokens, the same for every channel.

    Parameters are those of `nn.Linear(N, M)`. The matrix multiplies from the left, so that channels stay
    where they are: the authors transpose, multiply, and transpose back.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.expand(x.shape[0], -1, -1)
        return torch.baddbmm(self.bias[None, :, None], weight, x)
