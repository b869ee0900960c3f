"""FNet's mixing: the real part of the Fourier transform over tokens and channels.

Paper: Lee-Thorp et al., "FNet: Mixing Tokens with Fourier Transforms", NAACL 2022, arXiv:2105.03824.
Reference: rishikksh20/FNet-pytorch @ 6288eca, fnet.py, FNetBlock; the authors' own code is in JAX.
Differs: one two-dimensional transform, where the reference does one over channels and one over tokens; half
    precision is transformed in float32.
Names: the paper's F_seq and F_h are the transforms over tokens and over channels.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._grid import single_or_double
from benchsuite.mixers._port import Port, arguments


class FourierMixing(nn.Module):
    """Mix (B, N, dim) tokens into (B, N, dim), without parameters.

    The tokens are a sequence: the grid's shape does not matter. Not normalised, so values grow by √(N dim).

    MACs: None: a Fourier transform is not counted.

    Args:
        dim: channels of input and output.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("dense", ("channels",), "static")

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = torch.fft.fft2(single_or_double(x)).real
        return out.to(x.dtype)


PORTS = {
    # Parameters would tell the channels; there are none, and any number does.
    "fnet": Port(mixer="fnet", arguments=arguments("dim", defaults={"dim": 1})),
}
