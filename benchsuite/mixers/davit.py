"""DaViT: windows of tokens and groups of channels attend in turn, each behind a position encoding.

Paper: Ding et al., "DaViT: Dual Attention Vision Transformers", ECCV 2022, arXiv:2204.03645.
Reference: dingmyu/davit @ fc79470, timm/models/davit.py.
Differs: the logits of channel attention are scaled after the product, not the keys before it; no stochastic
    depth in the blocks.
Names: window_size² is the paper's P_w; num_heads of channel attention, its N_g, each group C_g channels wide.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, split_heads
from benchsuite.mixers._checks import check_kernel, check_positive, head_dim_of
from benchsuite.mixers._grid import padded_size
from benchsuite.mixers._layers import MLP, ConvolutionalPosition
from benchsuite.mixers._port import Port, arguments, renamed
from benchsuite.mixers._windows import attend_in_windows, cut_heads, on_shifted_grid


class DaViTWindowAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim), within windows. No bias, shift or mask.

    A grid that the window does not divide is padded with zeros, right and bottom, and the output cropped.
    Padded tokens are not masked: their keys and values are the biases of the projection.

    MACs: 4NC² + 2Nw²C, N of the padded grid, w the side of the window.

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        window_size: side of a window, in tokens.

    Raises:
        ValueError: num_heads does not divide dim, window_size is not positive, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        qkv_bias: bool = True,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.window_size = check_positive("window_size", window_size)
        self.kernel = check_kernel(kernel, self.kernels, "davit_window")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        grid, window = padded_size(size, self.window_size), self.window_size

        def mix(x: Tensor) -> Tensor:
            qkv = torch.unflatten(self.qkv(x), -1, (3, self.num_heads, self.head_dim))
            qkv = cut_heads(qkv, grid, window)
            mixed = attend_in_windows(qkv, grid, window, kernel=self.kernel, scale_q=True)
            out: Tensor = self.proj(mixed)
            return out

        return on_shifted_grid(mix, x, size, grid, 0)


class ChannelAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim); the grid's shape does not matter.

    Channels attend to channels of their group, over all tokens: softmax(kᵀv / sqrt(dim / num_heads)) qᵀ. The
    roles are the authors', who compare keys with values and apply the result to the queries. Linear in N.

    MACs: 4NC² + 2NCC_g, C_g = C / num_heads.

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    # Fused kernels hold a whole row of what is compared; here a row has N entries, more than they take.
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("none", ("positions",), "dynamic per image")

    def __init__(self, dim: int, num_heads: int = 8, *, qkv_bias: bool = True, kernel: str = "math") -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.kernel = check_kernel(kernel, self.kernels, "davit_channel")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q, k, v = split_heads(self.qkv(x), self.num_heads, 3)  # each B, groups, N, C_g
        logits = (k.transpose(-2, -1) @ v) * self.head_dim**-0.5  # B, groups, C_g of k, C_g of v
        x = q @ logits.softmax(dim=-1).transpose(-2, -1)  # B, groups, N, C_g
        x = x.transpose(1, 2).flatten(2)
        out: Tensor = self.proj(x)
        return out


class _Block(nn.Module):
    """Position, attention with residual, position, MLP with residual. LayerNorms have eps 1e-5.

    MACs: Attention, 2 × 9NC, and 2NCD of the MLP.
    """

    layout: ClassVar[Layout] = "BNC"

    def __init__(
        self, dim: int, attn: DaViTWindowAttention | ChannelAttention, mlp_ratio: float, ffn: bool
    ) -> None:
        super().__init__()
        self.dim = dim
        self.kernel = attn.kernel
        self.cpe = nn.ModuleList([ConvolutionalPosition(dim), ConvolutionalPosition(dim)])
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.attn = attn
        self.ffn = ffn
        if ffn:
            self.norm2 = nn.LayerNorm(dim, eps=1e-5)
            self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = self.cpe[0](x, size)
        x = x + self.attn(self.norm1(x), size)
        x = self.cpe[1](x, size)
        return x + self.mlp(self.norm2(x)) if self.ffn else x


class DaViTSpatialBlock(_Block):
    """The block around window attention: (B, N, dim) tokens of an H × W grid → (B, N, dim).

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        window_size: as for `DaViTWindowAttention`.
        mlp_ratio: hidden channels of the MLP over dim.
        ffn: whether there is an MLP (and a norm before it) at the end.

    Raises:
        ValueError: as `DaViTWindowAttention` does.
    """

    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        ffn: bool = True,
        kernel: str = "math",
    ) -> None:
        check_kernel(kernel, self.kernels, "davit_spatial_block")
        attn = DaViTWindowAttention(dim, num_heads, window_size=window_size, qkv_bias=qkv_bias, kernel=kernel)
        super().__init__(dim, attn, mlp_ratio, ffn)


class DaViTChannelBlock(_Block):
    """The block around channel attention: (B, N, dim) tokens of an H × W grid → (B, N, dim).

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        mlp_ratio: hidden channels of the MLP over dim.
        ffn: as for `DaViTSpatialBlock`.

    Raises:
        ValueError: as `ChannelAttention` does.
    """

    kernels: ClassVar[tuple[str, ...]] = ChannelAttention.kernels

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        ffn: bool = True,
        kernel: str = "math",
    ) -> None:
        check_kernel(kernel, self.kernels, "davit_channel_block")
        super().__init__(
            dim, ChannelAttention(dim, num_heads, qkv_bias=qkv_bias, kernel=kernel), mlp_ratio, ffn
        )


class DaViTDualBlock(nn.Module):
    """A spatial block and then a channel block, the unit that a stage repeats: (B, N, dim) → (B, N, dim).

    MACs: The sum of both.

    Args:
        dim, num_heads, qkv_bias: as for `MSA`.
        window_size: as for `DaViTWindowAttention`.
        mlp_ratio: hidden channels of the MLP over dim.
        ffn: as for `DaViTSpatialBlock`.
        kernel: of the windows; channels attend by "math" in any case.

    Raises:
        ValueError: as `DaViTWindowAttention` does.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        ffn: bool = True,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.kernel = check_kernel(kernel, self.kernels, "davit_dual_block")
        self.spatial = DaViTSpatialBlock(
            dim,
            num_heads,
            window_size=window_size,
            mlp_ratio=mlp_ratio,
            qkv_bias=qkv_bias,
            ffn=ffn,
            kernel=kernel,
        )
        self.channel = DaViTChannelBlock(dim, num_heads, mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, ffn=ffn)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.channel(self.spatial(x, size), size)
        return out


class DaViTPosition(ConvolutionalPosition):
    """The position encoding in front of attention and of the MLP: x + depth-wise convolution of x.

    Args:
        dim: channels of input and output.
        kernel_size: side of the convolution's kernel, odd.
        stride: of the convolution; with one there is no residual.
    """


_ATTENTION = ("dim", "num_heads", "qkv_bias")
_BLOCK = (*_ATTENTION, "mlp_ratio", "ffn")

PORTS = {
    "davit_window": Port(
        mixer="davit_window",
        arguments=arguments(*_ATTENTION, "window_size", ignored=("mlp_ratio", "drop_path", "ffn")),
        state=renamed((r"attn\.", "")),
    ),
    "davit_channel": Port(
        mixer="davit_channel", arguments=arguments(*_ATTENTION, defaults={"qkv_bias": False})
    ),
    "davit_cpe": Port(mixer="davit_cpe", arguments=arguments("dim", renamed={"k": "kernel_size"})),
    "davit_spatial_block": Port(
        mixer="davit_spatial_block", arguments=arguments(*_BLOCK, "window_size", ignored=("drop_path",))
    ),
    "davit_channel_block": Port(
        mixer="davit_channel_block",
        arguments=arguments(*_BLOCK, defaults={"qkv_bias": False}, ignored=("drop_path",)),
    ),
}
