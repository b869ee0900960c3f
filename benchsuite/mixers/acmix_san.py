"""ACmix on SAN's patchwise attention: attention and a convolution share the three projections.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: none was released for SAN; the attention is hszhao/SAN @ d88b022, model/san.py, SAM.
Differs: the paper does not say how projections of unlike widths enter the convolution. Here each is cut into
    heads of rel_dim channels, which is one for each of the two that make the weights, and dim_out / rel_dim
    for the values; as in the authors' ResNet, both paths are summed with a learned rate each.
Names: as san.py; conv_kernel_size is ACmix's k_c; rate1 and rate2, its α and β.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers._port import Port
from benchsuite.mixers.acmix import ShiftedConvolution
from benchsuite.mixers.san import PatchwiseAttention


class ACmixPatchwiseAttention(PatchwiseAttention):
    """Mix a (B, dim, H, W) map into (B, dim_out, H, W): patchwise attention plus a convolution.

    MACs: Those of patchwise attention, plus Nk_c²(2R + C') + Nk_c⁴C'; the last is that of "group_conv".

    Args:
        dim, kernel: as for `MSA`.
        dim_out, rel_dim, share: as for PairwiseAttention.
        kernel_size: side of the window of attention, odd.
        dilation: distance of neighbouring keys, in tokens.
        conv_kernel_size: side of the convolution.
        shift: how the convolution path shifts, "group_conv" or "tensor".

    Raises:
        ValueError: as PairwiseAttention; and rel_dim does not divide dim_out, conv_kernel_size is not odd, or
            shift is unknown.
    """

    name: ClassVar[str] = "acmix_san"

    def __init__(
        self,
        dim: int,
        *,
        dim_out: int | None = None,
        rel_dim: int | None = None,
        share: int = 8,
        kernel_size: int = 7,
        dilation: int = 1,
        conv_kernel_size: int = 3,
        shift: str = "group_conv",
        kernel: str = "math",
    ) -> None:
        super().__init__(
            dim,
            dim_out=dim_out,
            rel_dim=rel_dim,
            share=share,
            kernel_size=kernel_size,
            dilation=dilation,
            kernel=kernel,
        )
        if self.dim_out % self.rel_dim:
            raise ValueError(f"rel_dim {self.rel_dim} does not divide dim_out {self.dim_out}")
        self.conv = ShiftedConvolution(
            2 + self.dim_out // self.rel_dim,
            self.rel_dim,
            self.dim_out,
            kernel_size=conv_kernel_size,
            shift=shift,
        )
        self.rate1 = nn.Parameter(torch.full((1,), 0.5))
        self.rate2 = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv1(x), self.conv2(x), self.conv3(x)
        conv = self.conv(torch.unflatten(torch.cat(features, dim=1), 1, (self.conv.in_heads, self.rel_dim)))
        out: Tensor = self.rate1 * self._weigh(x, *features) + self.rate2 * conv
        return out


PORTS: dict[str, Port] = {}
"""Nothing was released to be a port of."""
