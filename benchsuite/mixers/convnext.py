"""ConvNeXt's token mixer, a depth-wise convolution with a kernel of 7 × 7, and the block around it.

Paper: Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545.
Reference: facebookresearch/ConvNeXt @ 06f7b05, models/convnext.py, Block.
Names: gamma is the layer scale; pwconv1 and pwconv2 are the layers of mlp.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._layers import MLP
from benchsuite.mixers._port import Port, arguments, renamed


class ConvNeXtConv(nn.Module):
    """Mix (B, dim, H, W) maps into (B, dim, H, W), each channel by itself, zeros around the map.

    MACs: NCk².

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.

    Raises:
        ValueError: kernel_size is not odd.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("local", ("positions",), "static")

    def __init__(self, dim: int, *, kernel_size: int = 7) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size} is not odd, so the grid would not keep its size")
        self.dwconv = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dwconv(x)
        return out


class ConvNeXtBlock(nn.Module):
    """A layer of ConvNeXt on (B, dim, H, W): depth-wise convolution, norm, MLP, layer scale, residual.

    MACs: NCk² + 2NCD, D the hidden units of the MLP.

    Args:
        dim: channels of input and output.
        kernel_size: side of the kernel, odd.
        mlp_ratio: hidden channels of the MLP over dim.
        init_scale: initial value of the layer scale; 0 is no layer scale.

    Raises:
        ValueError: as `ConvNeXtConv`.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self, dim: int, *, kernel_size: int = 7, mlp_ratio: float = 4.0, init_scale: float = 1e-6
    ) -> None:
        super().__init__()
        self.mixer = ConvNeXtConv(dim, kernel_size=kernel_size)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))
        self.gamma = nn.Parameter(torch.full((dim,), init_scale)) if init_scale > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.mlp(self.norm(self.mixer(x).permute(0, 2, 3, 1)))  # B, H, W, dim
        if self.gamma is not None:
            out = self.gamma * out
        return x + out.permute(0, 3, 1, 2)


PORTS = {
    "convnext_block": Port(
        mixer="convnext_block",
        arguments=arguments("dim", renamed={"layer_scale_init_value": "init_scale"}, only={"drop_path": 0.0}),
        state=renamed((r"dwconv\.", "mixer.dwconv."), (r"pwconv", "mlp.fc")),
    ),
}
