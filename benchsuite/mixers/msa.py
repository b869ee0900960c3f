"""Multi-head self-attention: every token attends to every token.

Paper: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv:2010.11929.
Reference: ziplab/LITv2 @ 7501c86, classification/models/attentions.py, Attention.
Names: num_heads is the paper's k; head_dim its D_h.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments


class MSA(nn.Module):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim). The grid's shape does not matter.

    MACs: 4NC² + 2N²C: four projections, q kᵀ, attention times v.

    Args:
        dim: channels of input and output.
        num_heads: heads, among which the channels are shared out.
        qkv_bias: whether the layer of queries, keys and values has a bias.
        attn_drop: dropout of attention weights.
        proj_drop: dropout of the output.
        kernel: attention kernel, one of `kernels`.

    Raises:
        ValueError: num_heads does not divide dim, or the kernel is unknown.
    """

    layout: ClassVar[Layout] = "BNC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

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
        self.kernel = check_kernel(kernel, self.kernels, "msa")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q, k, v = split_heads(self.qkv(x), self.num_heads, 3)  # each B, heads, N, head_dim
        x = attend(q, k, v, kernel=self.kernel, dropout=self.attn_drop if self.training else 0.0)
        x = x.transpose(1, 2).flatten(2)  # the same name, so that the heads' memory is free
        out: Tensor = self.proj_drop(self.proj(x))
        return out


PORTS = {
    "msa": Port(
        mixer="msa",
        arguments=arguments(*SHARED_ARGUMENTS, defaults={"qkv_bias": False}, only={"qk_scale": None}),
    ),
}
