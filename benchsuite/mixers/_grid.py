"""Grids of tokens: as maps and back, padded, fixed to one size, and as a spectrum.

No counter and no closed form here counts a Fourier transform: it is no matrix product.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]
"""Height and width, in tokens."""


def as_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, N, C) tokens as a (B, C, H, W) view, channels last in memory."""
    return x.transpose(1, 2).view(x.shape[0], x.shape[2], *size)


def as_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B, N, C) tokens; a view."""
    return x.flatten(2).transpose(1, 2)


def padded_size(size: Size, window_size: int) -> Size:
    """The grid's size rounded up to multiples of the window's."""
    height, width = (-(-side // window_size) * window_size for side in size)
    return height, width


def pad_grid(x: Tensor, size: Size, padded: Size) -> Tensor:
    """Pad a (B, H, W, C) map with zeros, right and bottom. No copy if it has that size."""
    if padded == size:
        return x
    return F.pad(x, (0, 0, 0, padded[1] - size[1], 0, padded[0] - size[0]))


def crop_grid(x: Tensor, size: Size) -> Tensor:
    """The inverse of `pad_grid`: a view of the first H rows and W columns."""
    return x[:, : size[0], : size[1]]


def check_grid(size: Size, grid: Size, mixer: str) -> None:
    """Raise ValueError unless `size` is the grid that the mixer was built for."""
    if size != grid:
        raise ValueError(
            f"{mixer} was built for a {grid[0]} × {grid[1]} grid, and this one is {size[0]} × {size[1]}"
        )


def check_tokens(size: Size, tokens: int, mixer: str) -> None:
    """Raise ValueError unless the grid has as many tokens as the mixer was built for, in whatever shape."""
    if size[0] * size[1] != tokens:
        raise ValueError(
            f"{mixer} was built for {tokens} tokens, and a {size[0]} × {size[1]} grid has {size[0] * size[1]}"
        )


def tokens_of(grid: Size) -> int:
    """Number of tokens of a grid; raises ValueError if a side is not positive."""
    if min(grid) < 1:
        raise ValueError(f"there is no {grid[0]} × {grid[1]} grid")
    return grid[0] * grid[1]


def single_or_double(x: Tensor) -> Tensor:
    """`x`, or a float32 copy of a half-precision `x`: on most devices, there is no transform of those."""
    return x.float() if x.dtype in {torch.float16, torch.bfloat16} else x


def spectrum(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, N, C) real tokens → (B, H, W // 2 + 1, C) complex, unitary ("ortho"). The rest is conjugate."""
    x = single_or_double(x).reshape(x.shape[0], *size, x.shape[-1])
    out: Tensor = torch.fft.rfft2(x, dim=(1, 2), norm="ortho")
    return out


def from_spectrum(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The inverse of `spectrum`. Frequencies missing at the end of the third axis are zero.

    The imaginary parts of the self-conjugate columns (the mean along a row and, for an even W, the
    alternation) have no effect.
    """
    out: Tensor = torch.fft.irfft2(x, s=size, dim=(1, 2), norm="ortho")
    return out.reshape(x.shape[0], size[0] * size[1], x.shape[-1])
