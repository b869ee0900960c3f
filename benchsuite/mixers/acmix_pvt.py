"""ACmix on PVT's spatial-reduction attention: attention and a convolution share queries, keys and values.

Paper: Pan et al., "On the Integration of Self-Attention and Convolution", CVPR 2022, arXiv:2111.14556.
Reference: none was released for PVT; the attention is whai362/PVT @ 57e2dfa, classification/pvt.py.
Differs: the paper does not say how a convolution takes keys and values that have been reduced. Here each is
    spread over the sr_ratio × sr_ratio tokens that it was made of, so that the projections are shared as they
    are. As in the authors' Swin, the queries come unscaled, only the attention is projected, and both paths
    are summed with a learned rate each.
Names: sr_ratio is PVT's R; conv_kernel_size, ACmix's k_c; rate1 and rate2, its α and β.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import attend, split_heads
from benchsuite.mixers._port import Port
from benchsuite.mixers.acmix import ShiftedConvolution
from benchsuite.mixers.pvt import SpatialReductionAttention


class ACmixSpatialReductionAttention(SpatialReductionAttention):
    """Mix (B, N, dim) tokens of an H × W grid into (B, N, dim): PVT's attention plus a convolution.

    Rows and columns beyond a multiple of sr_ratio are no part of keys and values; there the convolution sees
    the nearest ones.

    MACs: Those of PVT's attention, plus 3Nk_c²C + Nk_c⁴C; the last term is that of "group_conv".

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        sr_ratio: side of the square of tokens that become one key; 1 for all tokens.
        conv_kernel_size: side of the convolution.
        shift: how the convolution path shifts, "group_conv" or "tensor".

    Raises:
        ValueError: as SpatialReductionAttention; and conv_kernel_size is not odd, or shift is unknown.
    """

    name: ClassVar[str] = "acmix_sra"
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        sr_ratio: int = 2,
        conv_kernel_size: int = 3,
        shift: str = "group_conv",
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__(
            dim,
            num_heads,
            sr_ratio=sr_ratio,
            qkv_bias=qkv_bias,
            attn_drop=attn_drop,
            proj_drop=proj_drop,
            kernel=kernel,
        )
        self.conv = ShiftedConvolution(
            3 * num_heads, self.head_dim, dim, kernel_size=conv_kernel_size, bias=True, shift=shift
        )
        self.rate1 = nn.Parameter(torch.full((1,), 0.5))
        self.rate2 = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q, kv = self.q(x), self.kv(self._reduce(x, size))  # B, N, dim; B, M, 2 · dim
        heads = self.num_heads, self.head_dim
        k, v = split_heads(kv, self.num_heads, 2)  # each B, heads, M, head_dim
        dropout = self.attn_drop if self.training else 0.0
        attended = attend(q.unflatten(2, heads).transpose(1, 2), k, v, kernel=self.kernel, dropout=dropout)
        attended = attended.transpose(1, 2).flatten(2)
        attended = self.proj_drop(self.proj(attended))
        features = torch.cat([q.transpose(1, 2).unflatten(2, size), self._spread(kv, size)], dim=1)
        conv = self.conv(torch.unflatten(features, 1, (3 * self.num_heads, self.head_dim)))
        out: Tensor = self.rate1 * attended + self.rate2 * conv.flatten(2).transpose(1, 2)
        return out

    def _spread(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, M, C) reduced tokens → (B, C, H, W), each where it came from."""
        ratio = self.sr_ratio
        rows, columns = size[0] // ratio, size[1] // ratio
        x = torch.unflatten(x.transpose(1, 2), 2, (rows, columns))
        # Stacked and not repeated: the gradient is then a sum of slices.
        x = torch.stack([x] * ratio, dim=4).flatten(3)
        x = torch.stack([x] * ratio, dim=3).flatten(2, 3)
        beyond = (0, size[1] - columns * ratio, 0, size[0] - rows * ratio)
        return F.pad(x, beyond, mode="replicate") if any(beyond) else x


PORTS: dict[str, Port] = {}
"""Nothing was released to be a port of."""
