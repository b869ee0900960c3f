"""The two-layer perceptron over channels that stands behind a mixer in most blocks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ChannelMLP(nn.Module):
    """fc2(GELU(fc1(x))) over the last axis, the GELU exact; each token or image by itself.

    Args:
        out_dim: channels of the output, dim by default.
    """

    def __init__(self, dim: int, hidden_dim: int, out_dim: int | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim if out_dim is None else out_dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out
