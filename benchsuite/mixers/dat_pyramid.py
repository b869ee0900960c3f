"""Spatial-reduction attention on maps, as the networks of DAT have it in their first stages.

Paper: Xia et al., "DAT++: Spatially Dynamic Vision Transformer with Deformable Attention", 2023,
    arXiv:2309.01430; after PVT, arXiv:2102.12122.
Reference: LeapLabTHU/DAT @ 32173fc, models/dat_blocks.py, PyramidAttention.
Names: sr_ratio is PVT's R.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout, as_heads, attend_maps
from benchsuite.mixers._checks import check_kernel, check_positive, head_dim_of
from benchsuite.mixers._layers import ChannelNorm, dropout
from benchsuite.mixers._port import Port, arguments, renamed

Size = tuple[int, int]


class PyramidAttention(nn.Module):
    """Mix a (B, dim, H, W) map into one of the same shape; keys from a strided convolution and a norm.

    Rows and columns beyond a multiple of sr_ratio are dropped from keys and values.

    MACs: 2NC² + R²MC² + 2MC² + 2NMC, without the second term (the convolution) for R = 1.

    Args:
        dim, num_heads, attn_drop, proj_drop, kernel: as for `MSA`.
        sr_ratio: side of the square of tokens that become one key; 1 for all tokens.

    Raises:
        ValueError: num_heads does not divide dim, sr_ratio is not positive, or the kernel is unknown; in
            `forward`, the map is smaller than sr_ratio.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("low rank", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        sr_ratio: int = 1,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        head_dim_of(dim, num_heads)
        check_positive("sr_ratio", sr_ratio)
        self.dim = dim
        self.num_heads = num_heads
        self.sr_ratio = sr_ratio
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "dat_pyramid")
        self.q = nn.Conv2d(dim, dim, 1)
        self.kv = nn.Conv2d(dim, 2 * dim, 1)
        self.proj = nn.Conv2d(dim, dim, 1)
        self.proj_drop = dropout(proj_drop)
        if sr_ratio > 1:
            shrink = nn.Conv2d(dim, dim, sr_ratio, stride=sr_ratio)
            self.proj_ds = nn.Sequential(shrink, ChannelNorm(dim, eps=1e-5))

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[2:]) < self.sr_ratio:
            raise ValueError(f"sr_ratio {self.sr_ratio} is larger than the {x.shape[2]} × {x.shape[3]} map")
        k, v = self.kv(x if self.sr_ratio == 1 else self.proj_ds(x)).chunk(2, dim=1)
        dropout = self.attn_drop if self.training else 0.0
        q, k, v = (as_heads(t, self.num_heads) for t in (self.q(x), k, v))
        out = attend_maps(q, k, v, kernel=self.kernel, dropout=dropout, scale_q=True)
        mixed: Tensor = self.proj_drop(self.proj(out.reshape(x.shape)))
        return mixed


PORTS = {
    "dat_pyramid": Port(
        mixer="dat_pyramid",
        arguments=arguments("dim num_heads sr_ratio attn_drop proj_drop"),
        state=renamed((r"proj_ds\.1\.norm\.", "proj_ds.1.")),
    ),
}
