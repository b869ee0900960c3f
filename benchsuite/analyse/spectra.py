"""Spectra of HiLo's two branches: Fourier magnitudes of the outputs of their projections."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

import torch
from torch import Tensor, nn

from benchsuite.analyse.data import Spectrum
from benchsuite.mixers.hilo import HiLo

BRANCHES = {"h_proj": "Hi-Fi", "l_proj": "Lo-Fi"}
"""The last module of each branch → its name."""


@dataclass
class SpectrumReader:
    """Within the context, outputs of the branches of every HiLo in `root` become `spectra`."""

    root: nn.Module
    spectra: list[Spectrum] = field(default_factory=list)
    _exits: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> SpectrumReader:
        for path, module in self.root.named_modules():
            if not isinstance(module, HiLo):
                continue
            for name, branch in BRANCHES.items():
                projection: nn.Module | None = getattr(module, name, None)
                if projection is not None:
                    handle = projection.register_forward_hook(self._seen(path, branch))
                    self._exits.callback(handle.remove)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def _seen(self, path: str, branch: str) -> Callable[[nn.Module, object, Tensor], None]:
        def see(module: nn.Module, args: object, output: Tensor) -> None:
            self.spectra.append(spectrum(output.detach(), path, branch))

        return see


def spectrum(output: Tensor, path: str = "", branch: str = "") -> Spectrum:
    """The spectrum of a (B, H, W, C) map."""
    transformed = torch.fft.fft2(output.float(), dim=(1, 2)).abs()  # B, H, W, C
    frequency, amplitude = rings(transformed.mean(dim=(0, 3)))
    return Spectrum(
        layer=path,
        branch=branch,
        grid=(int(output.shape[1]), int(output.shape[2])),
        frequency=tuple(round(value, 6) for value in frequency.tolist()),
        amplitude=tuple(None if math.isnan(value) else value for value in amplitude.tolist()),
        high_share=high_share(transformed.square().mean(dim=(0, 3))),
    )


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
