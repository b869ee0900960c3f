"""Fourier transforms of the grid, with filters of the frequencies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchsuite.mixers.afno import AdaptiveFourierMixing
from benchsuite.mixers.fnet import FourierMixing
from benchsuite.mixers.gfnet import GlobalFilter

Size = tuple[int, int]


def fourier(mixer: FourierMixing, x: Tensor, size: Size) -> Tensor:
    """The real part of a transform over channels and one over tokens."""
    return torch.fft.fft(torch.fft.fft(x, dim=2), dim=1).real


def global_filter(mixer: GlobalFilter, x: Tensor, size: Size) -> Tensor:
    """Transform, product with a complex weight for each frequency and channel, inverse."""
    maps = torch.fft.rfft2(x.unflatten(1, size), dim=(1, 2), norm="ortho")
    maps = maps * torch.view_as_complex(mixer.complex_weight)
    return torch.fft.irfft2(maps, s=size, dim=(1, 2), norm="ortho").flatten(1, 2)


def adaptive(mixer: AdaptiveFourierMixing, x: Tensor, size: Size) -> Tensor:
    """A complex perceptron of each block of channels at each frequency, by products of real parts."""
    modes = torch.fft.rfft2(x.unflatten(1, size), dim=(1, 2), norm="ortho")
    blocks = modes.unflatten(3, (mixer.num_blocks, -1))  # B, H, W / 2 + 1, blocks, channels
    real, imag = _product(blocks.real, blocks.imag, mixer.w1, mixer.b1)
    real, imag = _product(real.relu(), imag.relu(), mixer.w2, mixer.b2)
    shrunk = F.softshrink(torch.stack([real, imag], dim=-1), mixer.sparsity_threshold)
    modes = torch.view_as_complex(shrunk).flatten(3)
    return x + torch.fft.irfft2(modes, s=size, dim=(1, 2), norm="ortho").flatten(1, 2)


def _product(real: Tensor, imag: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """(real + i imag)(weight₀ + i weight₁) + bias₀ + i bias₁ for each block."""

    def times(x: Tensor, part: int) -> Tensor:
        return torch.einsum("bhwki,kio->bhwko", x, weight[part])

    return times(real, 0) - times(imag, 1) + bias[0], times(imag, 0) + times(real, 1) + bias[1]
