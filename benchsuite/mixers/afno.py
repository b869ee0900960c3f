"""Adaptive Fourier mixing (AFNO): each frequency of the grid through a complex perceptron, the same for all.

Paper: Guibas et al., "Adaptive Fourier Neural Operators: Efficient Token Mixers for Transformers", ICLR 2022,
    arXiv:2111.13587.
Reference: NVlabs/AFNO-transformer @ 941e924, afno/afno2d.py, AFNO2D.
Differs: the four real products of a complex one are one product of real and imaginary parts side by side, in
    one batch for all blocks; frequencies that are dropped are not computed with; double stays double.
Names: num_blocks is the paper's k; mlp_ratio, the authors' hidden_size_factor; sparsity_threshold, the
    paper's λ.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._grid import from_spectrum, single_or_double, spectrum
from benchsuite.mixers._port import Port, arguments


class AdaptiveFourierMixing(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim). The input is added to the output.

    MACs: 8MCD, M frequencies (H × those kept of a row), D hidden units of a block; no transforms.

    Args:
        dim: channels of input and output.
        num_blocks: groups of channels, each with a perceptron of its own.
        mlp_ratio: hidden units of a block's perceptron over its channels.
        sparsity_threshold: by which the result is shrunk towards zero, real and imaginary parts each.
        hard_thresholding_fraction: of the frequencies along a row, this share of ⌊HW / 2⌋ + 1 is kept, as the
            authors' code has it. So only a share below about 1 / H drops any of the ⌊W / 2⌋ + 1 there are.

    Raises:
        ValueError: num_blocks does not divide dim, or the fraction is not in (0, 1]; in `forward`, no
            frequency is kept.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("dense", ("positions",), "static")

    def __init__(
        self,
        dim: int,
        *,
        num_blocks: int = 8,
        mlp_ratio: int = 1,
        sparsity_threshold: float = 0.01,
        hard_thresholding_fraction: float = 1.0,
    ) -> None:
        super().__init__()
        if num_blocks < 1 or dim % num_blocks:
            raise ValueError(f"num_blocks {num_blocks} does not divide dim {dim}")
        if not 0 < hard_thresholding_fraction <= 1:
            raise ValueError(
                f"hard_thresholding_fraction {hard_thresholding_fraction} is not above 0 and at most 1"
            )
        self.dim = dim
        self.num_blocks = num_blocks
        self.sparsity_threshold = sparsity_threshold
        self.fraction = hard_thresholding_fraction
        width, hidden = dim // num_blocks, dim // num_blocks * mlp_ratio
        self.w1 = nn.Parameter(0.02 * torch.randn(2, num_blocks, width, hidden))
        self.b1 = nn.Parameter(0.02 * torch.randn(2, num_blocks, hidden))
        self.w2 = nn.Parameter(0.02 * torch.randn(2, num_blocks, hidden, width))
        self.b2 = nn.Parameter(0.02 * torch.randn(2, num_blocks, width))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        kept = self._kept(size)
        modes = spectrum(x, size)[:, :, :kept]  # B, H, kept, dim
        shape = modes.shape
        # Real and imaginary part are neighbours in memory: a channel's pair is two real channels.
        parts = torch.view_as_real(modes).reshape(-1, self.num_blocks, 2 * self.dim // self.num_blocks)
        parts = parts.transpose(0, 1)  # blocks, B × H × kept, 2 × dim / blocks
        parts = _complex_linear(parts, self.w1, self.b1).relu_()  # a product needs not what it has put out
        parts = F.softshrink(_complex_linear(parts, self.w2, self.b2), self.sparsity_threshold)
        modes = torch.view_as_complex(parts.transpose(0, 1).reshape(*shape, 2))
        del parts  # of which modes are a copy
        return x + from_spectrum(modes, size).to(x.dtype)

    def _kept(self, size: tuple[int, int]) -> int:
        """Number of frequencies along a row that are computed with."""
        kept = int((size[0] * size[1] // 2 + 1) * self.fraction)
        if kept < 1:
            raise ValueError(
                f"hard_thresholding_fraction {self.fraction} keeps no frequency "
                f"of a {size[0]} × {size[1]} grid"
            )
        return min(kept, size[1] // 2 + 1)


def _complex_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A complex linear layer for each block, on pairs of real numbers.

    Args:
        x: (blocks, M, 2 × inputs); weight: (2, blocks, inputs, outputs), real part first; bias: (2, blocks,
            outputs).

    Returns:
        (blocks, M, 2 × outputs).
    """
    real, imag = single_or_double(weight).unbind(0)
    of_real = torch.stack([real, imag], dim=-1)  # what a real input adds to real and imaginary outputs
    of_imag = torch.stack([-imag, real], dim=-1)
    pairs = torch.stack([of_real, of_imag], dim=2)  # blocks, inputs, 2, outputs, 2
    matrix = pairs.flatten(3).flatten(1, 2)
    shift = single_or_double(bias).permute(1, 2, 0).flatten(1)[:, None]  # blocks, 1, 2 × outputs
    return torch.baddbmm(shift, x, matrix)


PORTS = {
    "afno2d": Port(
        mixer="afno",
        arguments=arguments(
            "num_blocks sparsity_threshold hard_thresholding_fraction",
            renamed={"hidden_size": "dim", "hidden_size_factor": "mlp_ratio"},
        ),
    ),
}
