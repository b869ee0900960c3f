"""Parts of the attention layers that timm keeps for maps (B, C, H, W).

CoAtNet's and BoTNet's attention, lambda layers and the non-local block: widths rounded to multiples of eight,
heads that are cut out of channels, a fixed grid, and an average pool in place of a stride.
"""

from __future__ import annotations

from torch import nn


def round_width(width: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `width`, but not less than `divisor` or than 90 % of `width`."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded


def check_grid(grid: tuple[int, int], size: tuple[int, int], mixer: str) -> None:
    """Raise ValueError if a mixer that is made for one grid meets another."""
    if tuple(size) != tuple(grid):
        raise ValueError(
            f"this {mixer} is made for a {grid[0]} × {grid[1]} grid, not for one of {size[0]} × {size[1]}"
        )


def pool_for(stride: int) -> nn.Module:
    """Pooling that timm has for a stride: none for 1, for 2 a 2 × 2 average of the output.

    Raises:
        ValueError: another stride.
    """
    if stride not in (1, 2):
        raise ValueError(f"stride {stride} is neither 1 nor 2")
    return nn.AvgPool2d(2, 2) if stride == 2 else nn.Identity()
