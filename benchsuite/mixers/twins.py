"""Twins' attention: windows of their own (LSA) and a shrunk copy of the whole grid (GSA), in alternation.

Paper: Chu et al., "Twins: Revisiting the Design of Spatial Attention", NeurIPS 2021, arXiv:2104.13840.
Reference: Meituan-AutoML/Twins @ c1ff671, gvt.py, GroupAttention and Attention.
Names: window_size is the authors' ws; sr_ratio, the side of what one key stands for; T-MSA is what the HiLo
    paper calls the alternation.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, check_positive, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments
from benchsuite.mixers._windows import attend_in_windows, check_divides, cut_heads
from benchsuite.mixers.pvt import SpatialReductionAttention


class LocallyGroupedAttention(nn.Module):
    """LSA: mix (B, N, dim) tokens of an H × W grid into (B, N, dim), within windows. No bias, shift or mask.

    MACs: 4NC² + 2Nw²C, w the side of the window.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: side of a window, in tokens.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown; in `forward`, the window does not
            divide the grid.
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
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.window_size = check_positive("window_size", window_size)
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "lsa")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        check_divides(self.window_size, size)
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, *size, 3, self.num_heads, self.head_dim)
        qkv = cut_heads(qkv, size, self.window_size)
        dropout = self.attn_drop if self.training else 0.0
        x = attend_in_windows(qkv, size, self.window_size, kernel=self.kernel, dropout=dropout)
        out: Tensor = self.proj_drop(self.proj(x.reshape(batch, tokens, self.dim)))
        return out


class GlobalSubSampledAttention(SpatialReductionAttention):
    """GSA: mix (B, N, dim) tokens of an H × W grid into (B, N, dim). The maths of PVT's SRA.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        sr_ratio: side of the square of tokens that become one key; 1 for all tokens.
    """

    name: ClassVar[str] = "gsa"


class TwinsAttention(nn.Module):
    """T-MSA: LSA and then GSA, the pair of which a Twins stage is made, with nothing between.

    Mixes (B, N, dim) tokens of an H × W grid into (B, N, dim). In the network each is in a block of its own.

    MACs: The sum of both.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: as for `LocallyGroupedAttention`.
        sr_ratio: as for `GlobalSubSampledAttention`.

    Raises:
        ValueError: as `LocallyGroupedAttention` and `GlobalSubSampledAttention` do.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int = 7,
        sr_ratio: int = 2,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.kernel = check_kernel(kernel, self.kernels, "t_msa")
        self.lsa = LocallyGroupedAttention(
            dim,
            num_heads,
            window_size=window_size,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            kernel=kernel,
        )
        self.gsa = GlobalSubSampledAttention(
            dim,
            num_heads,
            sr_ratio=sr_ratio,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            kernel=kernel,
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.gsa(self.lsa(x, size), size)
        return out


PORTS = {
    "twins_lsa": Port(
        mixer="lsa",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            renamed={"ws": "window_size"},
            defaults={"qkv_bias": False},
            only={"qk_scale": None},
        ),
    ),
    "twins_gsa": Port(
        mixer="gsa",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            "sr_ratio",
            defaults={"qkv_bias": False, "sr_ratio": 1},
            only={"qk_scale": None},
        ),
    ),
}
