"""Cross-covariance attention: channels attend to channels; the local patch interaction and the block around.

Paper: El-Nouby et al., "XCiT: Cross-Covariance Image Transformers", NeurIPS 2021, arXiv:2106.09681.
Reference: facebookresearch/xcit @ 82f5291, xcit.py, XCA, LPI and XCABlock.
Differs: nothing.
Names: temperature is the paper's τ, as a factor and not a divisor; layer_scale is the authors' eta.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import Layout
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._grid import as_map, as_tokens
from benchsuite.mixers._layers import MLP, dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments


class CrossCovarianceAttention(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim). The grid's shape does not matter.

    Queries and keys have length 1 over the tokens, channel by channel, and softmax is over the channels of a
    head: the attention of a head is head_dim × head_dim, whatever N.

    MACs: 4NC² + 2NCd, d the channels of a head.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)
    relation: ClassVar[Relation] = Relation("none", ("positions",), "dynamic per image")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.kernel = check_kernel(kernel, self.kernels, "xca")
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attn_drop = dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 4, 1).unbind(0)  # each B, heads, head_dim, N
        # Without names for the normalised ones and the logits, so that their memory is free for the output.
        attn = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        attn = (attn * self.temperature).softmax(dim=-1)  # B, heads, head_dim, head_dim
        x = (self.attn_drop(attn) @ v).permute(0, 3, 1, 2).reshape(batch, tokens, self.dim)
        out: Tensor = self.proj_drop(self.proj(x))
        return out


class LocalPatchInteraction(nn.Module):
    """Two depth-wise convolutions on (B, N, dim) tokens, with GELU and then batch norm between them.

    MACs: 2Nk²C.

    Args:
        dim: channels of input and output.
        kernel_size: side of both convolutions, odd.

    Raises:
        ValueError: kernel_size is not odd, so that no padding keeps the grid's size.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(self, dim: int, *, kernel_size: int = 3) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size} is not odd")
        self.dim = dim
        self.kernel_size = kernel_size
        self.conv1 = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)
        self.bn = nn.BatchNorm2d(dim)
        self.conv2 = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        return as_tokens(self.conv2(self.bn(F.gelu(self.conv1(as_map(x, size))))))


class XCiTBlock(nn.Module):
    """A block of XCiT on (B, N, dim) tokens: attention, then local patch interaction, then MLP.

    Each is a branch with a norm before and a factor a channel behind.

    MACs: Those of the parts, and 2NCD for the MLP of width D.

    Args:
        dim, num_heads, qkv_bias, attn_drop, kernel: as for `MSA`.
        mlp_ratio: width of the MLP over dim.
        layer_scale: where the factors start.
        kernel_size: as for `LocalPatchInteraction`.
        norm_eps: of the three layer norms.
        proj_drop: dropout behind the projection of the attention and in the MLP.

    Raises:
        ValueError: num_heads does not divide dim, kernel_size is not odd, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ("math",)

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        mlp_ratio: float = 4.0,
        layer_scale: float = 1.0,
        kernel_size: int = 3,
        norm_eps: float = 1e-6,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        check_kernel(kernel, self.kernels, "xcit_block")
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = CrossCovarianceAttention(
            dim, num_heads, qkv_bias=qkv_bias, attn_drop=attn_drop, proj_drop=proj_drop, kernel=kernel
        )
        self.norm3 = nn.LayerNorm(dim, eps=norm_eps)
        self.local_mp = LocalPatchInteraction(dim, kernel_size=kernel_size)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = MLP(dim, hidden_dim=int(dim * mlp_ratio), drop=proj_drop)
        self.gamma1, self.gamma2, self.gamma3 = (
            nn.Parameter(torch.full((dim,), layer_scale)) for _ in range(3)
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        x = x + self.gamma1 * self.attn(self.norm1(x), size)
        x = x + self.gamma3 * self.local_mp(self.norm3(x), size)
        out: Tensor = x + self.gamma2 * self.mlp(self.norm2(x))
        return out


PORTS = {
    "xca": Port(
        mixer="xca",
        # qk_scale is taken by the authors and has no effect: queries and keys are normalised.
        arguments=arguments(*SHARED_ARGUMENTS, defaults={"qkv_bias": False}, ignored=("qk_scale",)),
    ),
    "xcit_lpi": Port(
        mixer="xcit_lpi",
        arguments=arguments(
            "kernel_size",
            renamed={"in_features": "dim"},
            only={"out_features": None},
            ignored=("hidden_features", "drop"),  # which that class takes and does not use
        ),
    ),
    "xcit_block": Port(
        mixer="xcit_block",
        arguments=arguments(
            "dim num_heads mlp_ratio qkv_bias attn_drop",
            renamed={"eta": "layer_scale", "drop": "proj_drop"},
            defaults={"qkv_bias": False, "norm_eps": 1e-5},
            ignored=("qk_scale", "drop_path", "num_tokens"),
        ),
    ),
}
