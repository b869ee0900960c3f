"""Halo attention: blocks of queries attend to their block and a halo around it, with relative positions.

Paper: Vaswani et al., "Scaling Local Self-Attention for Parameter Efficient Visual Backbones", CVPR 2021,
    arXiv:2103.12731.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/layers/halo_attn.py, HaloAttn.
Names: block_size and halo_size are the paper's b and h; window, the side b + 2h of a block with its halo;
    M = N / stride² queries.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Axial, Layout, attend
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._neighbors import unfolded
from benchsuite.mixers._port import Port, arguments, renamed
from benchsuite.mixers._timm import round_width


class HaloAttention(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim_out, H / stride, W / stride).

    Keys outside of the map are zeros and not masked: their position logits count. There is no projection of
    the output.

    MACs: MCI + NC(I + C') + 2M(2w − 1)I + Mw²(I + C'), w the window, I = heads × d, C' of the output.

        Queries, keys and values, position logits, attention. If the output is averaged, M = N.

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        dim_out: channels of the output, dim by default; the heads divide these.
        block_size: side of a block of queries.
        halo_size: tokens that a block's keys reach beyond it on each side.
        stride: 1 or 2. Queries are taken at every second position, or the output is averaged if avg_down is
            set or the block's side is odd.
        avg_down: average the output where the stride is 2.
        head_dim: channels of queries and keys per head; by default those of qk_ratio.
        qk_ratio: channels of queries and keys over dim_out, before rounding to a multiple of 8.
        scale_pos: scale the position logits as well.

    Raises:
        ValueError: num_heads does not divide dim_out, the stride is not 1 or 2, the halo is negative, or the
            kernel is unknown; in `forward`, the block does not divide the grid.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        dim_out: int | None = None,
        block_size: int = 8,
        halo_size: int = 3,
        stride: int = 1,
        avg_down: bool = False,
        head_dim: int | None = None,
        qk_ratio: float = 1.0,
        scale_pos: bool = False,
        qkv_bias: bool = False,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.kernel = check_kernel(kernel, self.kernels, "halo")
        self.dim = dim
        self.dim_out = dim if dim_out is None else dim_out
        self.num_heads = num_heads
        self.v_dim = head_dim_of(self.dim_out, num_heads)
        self.qk_dim = round_width(self.dim_out * qk_ratio) // num_heads if head_dim is None else head_dim
        if stride not in {1, 2}:
            raise ValueError(f"stride {stride} is not 1 or 2")
        if block_size < 1 or halo_size < 0:
            raise ValueError(f"there is no block of {block_size} with a halo of {halo_size}")
        self.block_size = block_size
        self.halo_size = halo_size
        self.window = block_size + 2 * halo_size
        self.stride = stride
        self.pool = stride == 2 and (avg_down or block_size % 2 == 1)
        self.query_stride = 1 if self.pool else stride
        self.query_side = block_size // self.query_stride
        self.scale_pos = scale_pos
        self.q = nn.Conv2d(dim, num_heads * self.qk_dim, 1, stride=self.query_stride, bias=qkv_bias)
        self.kv = nn.Conv2d(dim, num_heads * (self.qk_dim + self.v_dim), 1, bias=qkv_bias)
        scale = self.qk_dim**-0.5
        self.height_rel = nn.Parameter(torch.randn(2 * self.window - 1, self.qk_dim) * scale)
        self.width_rel = nn.Parameter(torch.randn(2 * self.window - 1, self.qk_dim) * scale)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self._blocks((x.shape[2], x.shape[3]))
        side = self.query_side
        q = self.q(x).unflatten(1, (self.num_heads, self.qk_dim))
        q = q.unflatten(4, (columns, side)).unflatten(3, (rows, side))  # B, heads, d, rows, s, columns, s
        q = q.permute(0, 1, 3, 5, 4, 6, 2).flatten(1, 3)  # B, heads · blocks, s, s, d
        k, v = self._windows(x)
        mixed = attend(q.flatten(2, 3), k, v, kernel=self.kernel, bias=self._position_logits(q))
        mixed = mixed.reshape(x.shape[0], self.num_heads, rows, columns, side, side, self.v_dim)
        mixed = mixed.permute(0, 1, 6, 2, 4, 3, 5)  # B, heads, d_v, rows, s, columns, s
        out = mixed.reshape(x.shape[0], self.dim_out, rows * side, columns * side)
        return F.avg_pool2d(out, 2) if self.pool else out

    def _windows(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, heads · blocks, w², d) keys and (B, heads · blocks, w², d_v) values.

        They are apart before they are copied, so that one copy puts their gradients together and turns them.
        """
        kv = torch.unflatten(
            unfolded(self.kv(x), self.window, self.block_size, zeros=self.halo_size), 1, (self.num_heads, -1)
        )
        parts = torch.split(kv, [self.qk_dim, self.v_dim], dim=2)
        return tuple(t.permute(0, 1, 5, 6, 3, 4, 2).flatten(4, 5).flatten(1, 3) for t in parts)

    def _position_logits(self, q: Tensor) -> Axial:
        """Of (B, blocks, s, s, d) unscaled queries, for the rows and the columns of their windows' keys."""
        down = _by_key(q.transpose(2, 3) @ self.height_rel.t()).transpose(2, 3)  # B, blocks, s, s, window
        across = _by_key(q @ self.width_rel.t())
        parts = Axial(down.flatten(2, 3), across.flatten(2, 3))
        return Axial(*(part * self.qk_dim**-0.5 for part in parts)) if self.scale_pos else parts

    def _blocks(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of blocks."""
        height, width = size
        if height % self.block_size or width % self.block_size:
            raise ValueError(f"block_size {self.block_size} does not divide the {height} × {width} grid")
        return height // self.block_size, width // self.block_size


def _by_key(logits: Tensor) -> Tensor:
    """Logits of relative positions, (…, s, 2w − 1) → of keys, (…, s, w).

    Query i and key j stand at j − i + w − 1, flattened at i (2w − 2) + j + w − 1: rows that are one shorter,
    from w − 1 on, of which the first w entries are the keys.
    """
    side, relative = logits.shape[-2:]
    window, row = (relative + 1) // 2, relative - 1
    if row == 0:
        return logits
    flat = logits.flatten(-2)
    rows = F.pad(flat, (1 - window, side * row - flat.shape[-1] + window - 1))
    return torch.unflatten(rows, -1, (side, row))[..., :window]


PORTS = {
    "halo_attention": Port(
        mixer="halo",
        arguments=arguments(
            "dim dim_out num_heads stride block_size halo_size qk_ratio qkv_bias avg_down",
            renamed={"dim_head": "head_dim", "scale_pos_embed": "scale_pos"},
            ignored=("feat_size",),  # which sizes nothing
        ),
        state=renamed((r"pos_embed\.", "")),
    ),
}
