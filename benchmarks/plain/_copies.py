"""k² copies of a map, one for each neighbour."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def copies(x: Tensor, kernel_size: int, *, stride: int = 1, dilation: int = 1, padding: int = 0) -> Tensor:
    """(B, C, H, W) → (B, C, k², H', W'), zeros around the map."""
    span = dilation * (kernel_size - 1) + 1
    rows = (x.shape[2] + 2 * padding - span) // stride + 1
    unfolded = F.unfold(x, kernel_size, dilation=dilation, padding=padding, stride=stride)  # B, C·k², H'·W'
    return unfolded.view(x.shape[0], x.shape[1], kernel_size**2, rows, -1)


def reflected(x: Tensor, kernel_size: int, *, stride: int = 1, dilation: int = 1) -> Tensor:
    """The same around a map that is padded by reflection, so that stride 1 keeps its size."""
    padding = dilation * (kernel_size - 1) // 2
    return copies(F.pad(x, (padding,) * 4, mode="reflect"), kernel_size, stride=stride, dilation=dilation)
