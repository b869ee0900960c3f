"""Spectra of HiLo's two branches: what their projections put out, seen by forward hooks."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

import torch
from torch import Tensor, nn

from benchsuite.analyse.data import Spectrum
from benchsuite.analyse.statistics import high_share, rings
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
