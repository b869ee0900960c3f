"""Class attention: the class token alone attends, to itself and to all patches.

Paper: Touvron et al., "Going deeper with Image Transformers" (CaiT), ICCV 2021, arXiv:2103.17239.
Reference: facebookresearch/xcit @ 82f5291, xcit.py, ClassAttention, which is CaiT's with one projection.
Differs: queries are computed for the class token only, as in CaiT; XCiT computes all and drops all but one.
Names: token 0 is the class token, the paper's x_class.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments


class ClassAttention(nn.Module):
    """Renew the first of (B, 1 + N, dim) tokens, the class token, from all; the others pass unchanged.

    MACs: 2C² + 2TC² + 2TC of T = 1 + N tokens: q and proj of one token, k and v of all, two products.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS

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
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "class_attention")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        weight, bias = self.qkv.weight, self.qkv.bias
        q = F.linear(x[:, :1], weight[: self.dim], None if bias is None else bias[: self.dim])
        kv = F.linear(x, weight[self.dim :], None if bias is None else bias[self.dim :])
        mixed = attend_from_one(
            q, kv, self.num_heads, kernel=self.kernel, dropout=self.attn_drop if self.training else 0.0
        )
        return torch.cat([self.proj_drop(self.proj(mixed)), x[:, 1:]], dim=1)


def attend_from_one(q: Tensor, kv: Tensor, num_heads: int, *, kernel: str, dropout: float) -> Tensor:
    """Attention of one token: (B, 1, width) queries, (B, T, 2 · width) keys and values → (B, 1, width)."""
    q = torch.unflatten(q, 2, (num_heads, -1)).transpose(1, 2)  # B, heads, 1, head_dim
    k, v = split_heads(kv, num_heads, 2)  # each B, heads, T, head_dim
    return attend(q, k, v, kernel=kernel, dropout=dropout, scale_q=True).transpose(1, 2).flatten(2)


def _run(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
    out: Tensor = module(x, size)
    return out


PORTS = {
    "class_attention": Port(
        mixer="class_attention",
        arguments=arguments(*SHARED_ARGUMENTS, defaults={"qkv_bias": False}, only={"qk_scale": None}),
        run=_run,
    ),
}
