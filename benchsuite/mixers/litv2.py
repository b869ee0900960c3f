"""LITv2's blocks: HiLo with a convolutional feed-forward network behind, and that network alone.

Paper: Pan et al., "Fast Vision Transformers with HiLo Attention", NeurIPS 2022, arXiv:2205.13213.
Reference: ziplab/LITv2 @ 7501c86, classification/models/blocks.py, DWMlp, Block and ConvFFNBlock.
Differs: the network takes grids that are not square; no stochastic depth. HiLo itself is in `hilo.py`.
Names: window_size is the authors' local_ws; hidden_dim, their hidden_features.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel
from benchsuite.mixers._layers import ConvFFN, conv_ffn_arguments, conv_ffn_state
from benchsuite.mixers._port import Port, arguments
from benchsuite.mixers.hilo import HiLo


class LITv2FeedForward(ConvFFN):
    """fc1, 3 × 3 depth-wise convolution, GELU, fc2: (B, N, dim) tokens of an H × W grid → (B, N, out_dim).

    Args:
        dim: channels of input and output.
        hidden_dim: channels between the layers, 4 × dim by default.
        out_dim: channels of the output, dim by default.
        drop: dropout in the feed-forward network.
    """


class ConvFFNBlock(nn.Module):
    """x + feed-forward(norm(x)) on (B, N, dim) tokens: the block of the first two stages. No attention.

    The LayerNorm has eps 1e-5.

    MACs: 2NCD + 9ND, D the channels between the layers.

    Args:
        dim: channels of input and output.
        mlp_ratio: hidden channels of the MLP over dim.
        drop: dropout in the feed-forward network.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int, *, mlp_ratio: float = 4.0, drop: float = 0.0) -> None:
        super().__init__()
        self.dim = dim
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.mlp = LITv2FeedForward(dim, hidden_dim=int(dim * mlp_ratio), drop=drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = x + self.mlp(self.norm2(x), size)
        return out


class LITv2Block(ConvFFNBlock):
    """x + HiLo(norm(x)), then x + feed-forward(norm(x)), on (B, N, dim) tokens: the later stages' block.

    MACs: HiLo's, and 2NCD + 9ND.

    Args:
        dim, num_heads, qkv_bias, attn_drop, kernel: as for `MSA`.
        alpha, window_size, pad: as for `HiLo`.
        mlp_ratio: hidden channels of the MLP over dim.
        drop: dropout in the feed-forward network.

    Raises:
        ValueError: as `HiLo` does.
    """

    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        alpha: float = 0.5,
        window_size: int = 2,
        pad: bool = False,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__(dim, mlp_ratio=mlp_ratio, drop=drop)
        self.num_heads = num_heads
        self.kernel = check_kernel(kernel, self.kernels, "litv2_block")
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.attn = HiLo(
            dim,
            num_heads,
            alpha=alpha,
            window_size=window_size,
            pad=pad,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=drop,
            kernel=kernel,
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return super().forward(x + self.attn(self.norm1(x), size), size)


_IGNORED = ("input_resolution", "drop_path")

_conv_block = arguments(
    "dim mlp_ratio drop",
    ignored=(*_IGNORED, "num_heads", "qkv_bias", "qk_scale", "attn_drop", "local_ws", "alpha"),
)
_hilo_block = arguments(
    *("dim", "num_heads", "mlp_ratio", "qkv_bias", "attn_drop", "drop", "alpha"),
    renamed={"local_ws": "window_size"},
    defaults={"qkv_bias": False, "window_size": 1},
    only={"qk_scale": None},
    ignored=_IGNORED,
)


PORTS = {
    "convffn": Port(mixer="convffn", arguments=conv_ffn_arguments(ignored=("linear",)), state=conv_ffn_state),
    "litv2_convffn_block": Port(mixer="litv2_convffn_block", arguments=_conv_block, state=conv_ffn_state),
    "litv2_block": Port(mixer="litv2_block", arguments=_hilo_block, state=conv_ffn_state),
}
