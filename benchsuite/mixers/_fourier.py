"""The spectrum of a token grid, in the precision that Fourier transforms exist in.

No counter and no closed form here counts a transform: it is no matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
