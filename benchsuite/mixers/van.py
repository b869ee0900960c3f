"""Large-kernel attention: a large depth-wise convolution, in three cheap parts, multiplies the map.

Paper: Guo et al., "Visual Attention Network", CVMJ 2023, arXiv:2202.09741.
Reference: Visual-Attention-Network/VAN-Classification @ e19779b, models/van.py, LKA, Attention and Block.
Differs: kernel_size and dilation may be chosen; the authors fix them at 21 and 3.
Names: kernel_size is the paper's K, dilation its d: a depth-wise convolution of 2d − 1, then one of ⌈K / d⌉
    with dilation d, then 1 × 1.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments, renamed


class LargeKernelAttention(nn.Module):
    """Multiply a (B, dim, H, W) map by three convolutions of it. No activation, no norm, no softmax.

    MACs: N((2d − 1)² + ⌈K / d⌉²)C + NC².

    Args:
        dim: channels of input and output.
        kernel_size: side of the large kernel that the convolutions make up.
        dilation: of the second convolution.

    Raises:
        ValueError: kernel_size or dilation is not positive, or ⌈kernel_size / dilation⌉ is even, so that no
            padding keeps the map's size.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions",), "static")

    def __init__(self, dim: int, *, kernel_size: int = 21, dilation: int = 3) -> None:
        super().__init__()
        if kernel_size < 1 or dilation < 1:
            raise ValueError(f"kernel_size {kernel_size} and dilation {dilation} must be positive")
        near, far = 2 * dilation - 1, -(-kernel_size // dilation)
        if far % 2 == 0:
            raise ValueError(
                f"kernel_size {kernel_size} with dilation {dilation} needs a convolution of {far} × {far}, "
                f"which is even"
            )
        self.dim = dim
        self.conv0 = nn.Conv2d(dim, dim, near, padding=near // 2, groups=dim)
        self.conv_spatial = nn.Conv2d(
            dim, dim, far, padding=dilation * (far // 2), dilation=dilation, groups=dim
        )
        self.conv1 = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.conv1(self.conv_spatial(self.conv0(x)))
        return x * weights


class VanAttention(nn.Module):
    """Mix a (B, dim, H, W) map into one of the same shape: projections around LKA, and a shortcut inside.

    MACs: 2NC² and LKA's.

    Args:
        dim: channels of input and output.
        kernel_size, dilation: as for `LargeKernelAttention`.

    Raises:
        ValueError: as for `LargeKernelAttention`.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = LargeKernelAttention.relation

    def __init__(self, dim: int, *, kernel_size: int = 21, dilation: int = 3) -> None:
        super().__init__()
        self.dim = dim
        self.proj_1 = nn.Conv2d(dim, dim, 1)
        self.lka = LargeKernelAttention(dim, kernel_size=kernel_size, dilation=dilation)
        self.proj_2 = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj_2(self.lka(F.gelu(self.proj_1(x)))) + x
        return out


class VanBlock(nn.Module):
    """A block of VAN on (B, dim, H, W): batch norm, attention; batch norm, MLP with a 3 × 3 convolution.

    MACs: The attention's, 2NCD and 9ND, D the width of the MLP.

    Args:
        dim: channels of input and output.
        kernel_size, dilation: as for `LargeKernelAttention`.
        mlp_ratio: width of the MLP over dim.
        layer_scale: where the factors of the two branches, one a channel, start.
        proj_drop: dropout in the MLP.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        *,
        kernel_size: int = 21,
        dilation: int = 3,
        mlp_ratio: float = 4.0,
        layer_scale: float = 1e-2,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.hidden_dim = int(dim * mlp_ratio)
        self.norm1 = nn.BatchNorm2d(dim)
        self.attn = VanAttention(dim, kernel_size=kernel_size, dilation=dilation)
        self.norm2 = nn.BatchNorm2d(dim)
        self.fc1 = nn.Conv2d(dim, self.hidden_dim, 1)
        self.dwconv = nn.Conv2d(self.hidden_dim, self.hidden_dim, 3, padding=1, groups=self.hidden_dim)
        self.fc2 = nn.Conv2d(self.hidden_dim, dim, 1)
        self.drop = dropout(proj_drop)
        self.layer_scale_1 = nn.Parameter(torch.full((dim,), layer_scale))
        self.layer_scale_2 = nn.Parameter(torch.full((dim,), layer_scale))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layer_scale_1[:, None, None] * self.attn(self.norm1(x))
        hidden = self.drop(F.gelu(self.dwconv(self.fc1(self.norm2(x)))))
        out: Tensor = x + self.layer_scale_2[:, None, None] * self.drop(self.fc2(hidden))
        return out


_GATE = (r"spatial_gating_unit\.", "lka.")

PORTS = {
    "van_lka": Port(mixer="lka", arguments=arguments("dim")),
    "van_attention": Port(mixer="van", arguments=arguments(renamed={"d_model": "dim"}), state=renamed(_GATE)),
    "van_block": Port(
        mixer="van_block",
        arguments=arguments("dim", "mlp_ratio", renamed={"drop": "proj_drop"}, ignored=("drop_path",)),
        state=renamed(
            (r"attn\.spatial_gating_unit\.", "attn.lka."),
            (r"mlp\.dwconv\.dwconv\.", "dwconv."),
            (r"mlp\.", ""),
        ),
    ),
}
