"""Numbers of an attention matrix and of a feature map. Pure functions of tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy(weights: Tensor) -> Tensor:
    """Mean entropy of each head in nats.

    Args:
        weights: (..., heads, queries, keys), each row sums to 1.

    Returns:
        (heads,): − Σ_j a_ij ln a_ij, mean over queries and all axes in front; a weight of 0 adds 0.
    """
    return _of_heads(torch.special.entr(weights.float()).sum(dim=-1))


def distance(weights: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """Mean distance of each head between a query and where it looks.

    Args:
        weights: (..., heads, queries, keys).
        queries, keys: (number, 2) places. The norm is L1, the sum over both axes.

    Returns:
        (heads,): Σ_j a_ij ‖p_i − p_j‖₁, mean over queries and all axes in front.
    """
    apart = torch.cdist(queries, keys, p=1).to(weights.device)
    return _of_heads((weights.float() * apart).sum(dim=-1))


def _of_heads(values: Tensor) -> Tensor:
    """(..., heads, queries) → (heads,)."""
    return values.movedim(-2, 0).flatten(1).mean(dim=1)


def rings(magnitude: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over all frequencies of the same length.

    Args:
        magnitude: (H, W), the zero frequency in the corner, as `torch.fft.fft2` has it.

    Returns:
        Frequency of each ring, in shares of the Nyquist frequency of the shorter side, and the mean in it;
        NaN for a ring without frequencies. A ring is as wide as the step between two of that side.
    """
    height, width = magnitude.shape
    steps = max(1, min(height, width) // 2)
    length = _lengths(height, width).square().sum(dim=0).sqrt()
    ring = (length * steps).round().long()
    counts = torch.zeros(int(ring.max()) + 1).index_add_(0, ring.flatten(), torch.ones(height * width))
    sums = torch.zeros_like(counts).index_add_(0, ring.flatten(), magnitude.float().flatten())
    return torch.arange(len(counts)) / steps, torch.where(counts > 0, sums / counts, math.nan)


def high_share(energy: Tensor) -> float | None:
    """Share of the energy above half the Nyquist frequency along either axis; None without energy.

    Args:
        energy: (H, W), the zero frequency in the corner.
    """
    total = float(energy.sum())
    high = _lengths(*energy.shape).amax(dim=0) > 0.5
    return float(energy[high].sum()) / total if total > 0 else None


def _lengths(height: int, width: int) -> Tensor:
    """(2, H, W): absolute frequency along each axis in shares of the Nyquist frequency."""
    rows, columns = (torch.fft.fftfreq(side).abs() * 2 for side in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
