"""Involution: a kernel for each position, predicted from its own features and shared by groups of channels.

Paper: Li et al., "Involution: Inverting the Inherence of Convolution for Visual Recognition", CVPR 2021,
    arXiv:2103.06255.
Reference: d-li14/involution @ 21c3158, cls/mmcls/models/utils/involution_naive.py, involution.
Differs: channels and reduction are options; the authors fix 16 channels a group and a reduction of 4.
Names: kernel_size is the paper's K; reduction, its r; C / group_channels, its G; M = N / stride².
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, check_odd
from benchsuite.mixers._compiled import by_kernel
from benchsuite.mixers._neighbors import check_stride, position_wise_conv
from benchsuite.mixers._port import Port, arguments, renamed


class Involution(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim, H / stride, W / stride).

    The map is padded with zeros. With a stride, kernels are predicted from the averaged map.

    MACs: MC²/r + M(C/r)K²G + MCK².

    Args:
        dim: as for `MSA`.
        kernel_size: side of the kernel, odd.
        stride: of the output's positions.
        group_channels: channels that share a kernel.
        reduction: by which the features that a kernel is predicted from are narrower than the map.
        kernel: "math", or "compiled": padding, products and sums as one loop that torch compiles.

    Raises:
        ValueError: group_channels or reduction does not divide dim, kernel_size is not odd, or the kernel is
            unknown; in `forward`, the stride does not divide the grid.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math", "compiled")
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 7,
        stride: int = 1,
        group_channels: int = 16,
        reduction: int = 4,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.kernel = check_kernel(kernel, self.kernels, "involution")
        for name, value in (("group_channels", group_channels), ("reduction", reduction)):
            if value < 1 or dim % value:
                raise ValueError(f"{name} {value} does not divide dim {dim}")
        self.dim = dim
        self.kernel_size = check_odd("kernel_size", kernel_size)
        self.stride = stride
        self.groups = dim // group_channels
        self.reduced = dim // reduction
        self.reduce = nn.Conv2d(dim, self.reduced, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(self.reduced)
        self.span = nn.Conv2d(self.reduced, kernel_size**2 * self.groups, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        check_stride(self.stride, (x.shape[2], x.shape[3]))
        source = x if self.stride == 1 else F.avg_pool2d(x, self.stride)
        weights = self.span(self.norm(self.reduce(source)).relu())
        weights = weights.unflatten(1, (self.groups, -1))  # B, groups, k², H', W'
        return by_kernel(self.kernel, position_wise_conv, x, weights, self.kernel_size, stride=self.stride)


PORTS = {
    "involution": Port(
        mixer="involution",
        arguments=arguments("kernel_size", "stride", renamed={"channels": "dim"}),
        state=renamed((r"conv1\.conv\.", "reduce."), (r"conv1\.bn\.", "norm."), (r"conv2\.conv\.", "span.")),
    ),
}
