"""What channel gates share: the width of their bottleneck, and the description of a map."""

from __future__ import annotations

from torch import Tensor


def bottleneck_width(dim: int, rd_ratio: float, rd_channels: int | None, rd_divisor: int) -> int:
    """rd_channels if given, else dim × rd_ratio, rounded to a multiple of rd_divisor and at least that.

    Raises:
        ValueError: the width is not positive.
    """
    if rd_channels is not None:
        if rd_channels < 1:
            raise ValueError(f"rd_channels {rd_channels} is not positive")
        return rd_channels
    if rd_divisor < 1:
        raise ValueError(f"rd_divisor {rd_divisor} is not positive")
    return max(rd_divisor, int(dim * rd_ratio + rd_divisor / 2) // rd_divisor * rd_divisor)


def describe(x: Tensor, *, add_maxpool: bool) -> Tensor:
    """(B, C, H, W) → (B, C, 1, 1): the mean over the map, or the mean of that and the maximum."""
    mean = x.mean(dim=(2, 3), keepdim=True)
    return (mean + x.amax(dim=(2, 3), keepdim=True)) * 0.5 if add_maxpool else mean
