"""Spatial-reduction attention: every token attends to a shrunk copy of the grid.

Papers: Wang et al., "Pyramid Vision Transformer", ICCV 2021, arXiv:2102.12122 (strided convolution);
    "PVT v2", CVMJ 2022, arXiv:2106.13797 (the same, and linear: average pooling to a fixed size).
Reference: whai362/PVT @ 57e2dfa, classification/pvt.py and pvt_v2.py, Attention.
Names: sr_ratio is the paper's R; pool_size, its P; M keys and values, M = N / R² or P².
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, check_positive, head_dim_of
from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments


class _ReducedAttention(nn.Module, ABC):
    """Queries of all N tokens; keys and values of the M tokens that a subclass makes of them."""

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")
    name: ClassVar[str]
    """Key in `MIXERS`, for messages."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        qkv_bias: bool,
        attn_drop: float,
        proj_drop: float,
        kernel: str,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, self.name)
        self.q = nn.Linear(dim, dim, bias=qkv_bias)
        self.kv = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        batch, tokens, _ = x.shape
        # Keys first: what reducing takes is free before there are queries.
        k, v = split_heads(self.kv(self._reduce(x, size)), self.num_heads, 2)  # each B, heads, M, head_dim
        q = self.q(x).reshape(batch, tokens, self.num_heads, self.head_dim).transpose(1, 2)
        x = attend(q, k, v, kernel=self.kernel, dropout=self.attn_drop if self.training else 0.0)
        x = x.transpose(1, 2).flatten(2)  # the same name, so that the heads' memory is free
        out: Tensor = self.proj_drop(self.proj(x))
        return out

    @abstractmethod
    def _reduce(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, N, dim) → (B, M, dim)."""


class SpatialReductionAttention(_ReducedAttention):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim); keys from a strided convolution.

    Rows and columns beyond a multiple of sr_ratio are dropped from keys and values, as the authors do. With
    sr_ratio 1 there is no convolution and no norm, and this is MSA.

    MACs: 2NC² + R²MC² + 2MC² + 2NMC, without the second term (the convolution) for R = 1.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        sr_ratio: side of the square of tokens that become one key; 1 for all tokens.

    Raises:
        ValueError: num_heads does not divide dim, sr_ratio is not positive, or the kernel is unknown; in
            `forward`, the grid is smaller than sr_ratio.
    """

    name: ClassVar[str] = "sra"

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        sr_ratio: int = 2,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__(
            dim, num_heads, qkv_bias=qkv_bias, attn_drop=attn_drop, proj_drop=proj_drop, kernel=kernel
        )
        check_positive("sr_ratio", sr_ratio)
        self.sr_ratio = sr_ratio
        if sr_ratio > 1:
            self.sr = nn.Conv2d(dim, dim, kernel_size=sr_ratio, stride=sr_ratio)
            self.norm = nn.LayerNorm(dim, eps=1e-5)  # 1e-6 is for the blocks around

    def _reduce(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        self._check(size)
        if self.sr_ratio == 1:
            return x
        out: Tensor = self.norm(as_tokens(self.sr(as_map(x, size))))
        return out

    def _check(self, size: tuple[int, int]) -> None:
        if min(size) < self.sr_ratio:
            raise ValueError(f"sr_ratio {self.sr_ratio} is larger than the {size[0]} × {size[1]} grid")


class LinearSpatialReductionAttention(_ReducedAttention):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim); keys from a grid pooled to a fixed size.

    Linear in the tokens: the pooled grid is pool_size × pool_size for every input, also where that is larger.

    MACs: 2NC² + 3P²C² + 2P²NC.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        pool_size: side of the grid that keys and values are pooled to.

    Raises:
        ValueError: num_heads does not divide dim, pool_size is not positive, or the kernel is unknown.
    """

    name: ClassVar[str] = "linear_sra"

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        pool_size: int = 7,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__(
            dim, num_heads, qkv_bias=qkv_bias, attn_drop=attn_drop, proj_drop=proj_drop, kernel=kernel
        )
        check_positive("pool_size", pool_size)
        self.pool_size = pool_size
        self.sr = nn.Conv2d(dim, dim, kernel_size=1)
        self.norm = nn.LayerNorm(dim, eps=1e-5)

    def _reduce(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        pooled = F.adaptive_avg_pool2d(as_map(x, size), self.pool_size)
        return F.gelu(self.norm(as_tokens(self.sr(pooled))))


_SRA = arguments(
    *SHARED_ARGUMENTS,
    "sr_ratio",
    defaults={"qkv_bias": False, "sr_ratio": 1},
    only={"qk_scale": None, "linear": False},
)

PORTS = {
    "pvt_sra": Port(mixer="sra", arguments=_SRA),
    "pvtv2_sra": Port(mixer="sra", arguments=_SRA),
    "pvtv2_linear_sra": Port(
        mixer="linear_sra",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            defaults={"qkv_bias": False},
            only={"qk_scale": None, "linear": True},
            ignored=("sr_ratio",),  # the authors read it only where linear is False
        ),
    ),
}
