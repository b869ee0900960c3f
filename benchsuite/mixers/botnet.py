"""BoTNet's self-attention: global, with logits of relative height and width that depend on the query.

Paper: Srinivas et al., "Bottleneck Transformers for Visual Recognition", CVPR 2021, arXiv:2101.11605.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/layers/bottleneck_attn.py, BottleneckAttn.
Differs: offsets become positions by a view, where the authors pad and copy; kernels that take no bias have
    logits of position as part of the products of queries and keys.
Names: pos_embed.height_rel and pos_embed.width_rel are the paper's R_h and R_w.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Axial, Layout, attend, attend_maps
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._port import Port, arguments
from benchsuite.mixers._timm import check_grid, pool_for, round_width

WITHOUT_BIAS = ("flash", "cudnn")
"""Kernels that are given logits of position within queries and keys."""


class BottleneckAttention(nn.Module):
    """Mix a (B, dim, H, W) map into (B, dim_out, H / stride, W / stride). There is no output projection.

    MACs: NC(2D + E) + ND(2H − 1 + 2W − 1) + N²(D + E), D channels of the queries, E of the output.

        With dim_out and qk_ratio as they are, D = E = C: 3NC² + 2NC(H + W − 1) + 2N²C. "flash" and "cudnn"
        have 2N²hF for the last term, F = D / h + H + W channels a head (or E / h, if that is more).

    Args:
        dim, num_heads, qkv_bias, kernel: as for `MSA`.
        grid: H and W of the maps.
        dim_out: channels of the output, dim by default.
        stride: 2 averages squares of four positions of the output.
        head_dim: channels per head of queries and keys; by default dim_out × qk_ratio, rounded to a
            multiple of 8, shared out among the heads.
        qk_ratio: channels of queries and keys over dim_out, before rounding to a multiple of 8.
        scale_pos_embed: scale the logits of position by 1 / √head_dim, as those of content always are.

    Raises:
        ValueError: num_heads does not divide dim_out, stride is neither 1 nor 2, or the kernel is unknown; in
            `forward`, the map is not of this grid.
    """

    layout: ClassVar[Layout] = "NCHW"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    relation: ClassVar[Relation] = Relation("dense", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 4,
        *,
        grid: tuple[int, int] = (14, 14),
        dim_out: int | None = None,
        stride: int = 1,
        head_dim: int | None = None,
        qk_ratio: float = 1.0,
        qkv_bias: bool = False,
        scale_pos_embed: bool = False,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.grid = grid
        self.dim_out = dim if dim_out is None else dim_out
        self.v_dim = head_dim_of(self.dim_out, num_heads)
        self.head_dim = head_dim or round_width(self.dim_out * qk_ratio) // num_heads
        self.qk_width = num_heads * self.head_dim
        self.scale = self.head_dim**-0.5
        self.scale_pos_embed = scale_pos_embed
        self.kernel = check_kernel(kernel, self.kernels, "bottleneck_attention")
        self.qkv = nn.Conv2d(dim, 2 * self.qk_width + self.dim_out, 1, bias=qkv_bias)
        self.pos_embed = _RelativeLogits(grid, self.head_dim)
        self.pool = pool_for(stride)
        self._made_for: tuple[object, ...] | None = None
        self._ones: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2], x.shape[3])
        check_grid(self.grid, size, "bottleneck_attention")
        q, k, v = self.qkv(x).flatten(2).split_with_sizes((self.qk_width, self.qk_width, self.dim_out), dim=1)
        q, k, v = (torch.unflatten(t, 1, (self.num_heads, -1)) for t in (q, k, v))  # B, heads, channels, N
        rows, columns = self.pos_embed(q)  # B, heads, N, H and B, heads, N, W
        if self.scale_pos_embed:
            rows, columns = rows * self.scale, columns * self.scale
        if self.kernel not in WITHOUT_BIAS:
            x = attend_maps(q, k, v, kernel=self.kernel, bias=Axial(rows, columns))
        else:
            x = self._attend_without_bias(q, k, v, rows, columns)
        out: Tensor = self.pool(torch.unflatten(x, -1, size))
        return out

    def _attend_without_bias(self, q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The same through longer queries and keys: each key says by ones in which row and column it is.

        The products pick the logits of that row and column, so that no (N, N) bias is formed, and kernels
        that take none can be used.
        """
        width = self._fused_width()
        q = torch.cat((q.transpose(-2, -1) * self.scale, rows, columns), dim=-1)
        k = torch.cat((k.transpose(-2, -1), self._places(k).expand(*k.shape[:2], -1, -1)), dim=-1)
        q, k, v = (F.pad(t, (0, width - t.shape[-1])) for t in (q, k, v.transpose(-2, -1)))
        out = attend(q * math.sqrt(width), k, v, kernel=self.kernel)  # which divides by √width
        return out[..., : self.v_dim].transpose(-2, -1).flatten(1, 2)

    def _fused_width(self) -> int:
        """Channels per head of longer queries and keys; fused kernels want as many in the values."""
        return max(self.head_dim + sum(self.grid), self.v_dim)

    def _places(self, like: Tensor) -> Tensor:
        """(N, H + W): a one for the row and one for the column of each position. Made once, no buffer."""
        made_for = (like.device, like.dtype)
        if self._ones is None or made_for != self._made_for:
            height, width = self.grid
            with torch.inference_mode(False):  # what inference mode makes, a later backward pass may not save
                y = torch.arange(height, device=like.device).repeat_interleave(width)
                x = torch.arange(width, device=like.device).repeat(height)
                places = torch.cat((F.one_hot(y, height), F.one_hot(x, width)), dim=-1)
                self._ones = places.to(like.dtype)
            self._made_for = made_for
        return self._ones


class _RelativeLogits(nn.Module):
    """Products of each query with the embeddings of the height and of the width to each row and column."""

    def __init__(self, grid: tuple[int, int], head_dim: int) -> None:
        super().__init__()
        self.grid = grid
        scale = head_dim**-0.5
        height, width = (2 * side - 1 for side in grid)
        self.height_rel = nn.Parameter(nn.init.normal_(torch.empty(height, head_dim), std=scale))
        self.width_rel = nn.Parameter(nn.init.normal_(torch.empty(width, head_dim), std=scale))

    def forward(self, q: Tensor) -> tuple[Tensor, Tensor]:
        """(B, heads, head_dim, N) → (B, heads, N, H) and (B, heads, N, W)."""
        q = torch.unflatten(q, -1, self.grid)  # B, heads, head_dim, H, W
        by_column = by_position(q.permute(0, 1, 3, 4, 2) @ self.width_rel.t())  # B, heads, H, W, W of the key
        by_row = by_position(q.permute(0, 1, 4, 3, 2) @ self.height_rel.t())  # B, heads, W, H, H of the key
        return by_row.transpose(2, 3).flatten(2, 3), by_column.flatten(2, 3)


def by_position(logits: Tensor) -> Tensor:
    """(..., L queries, 2L − 1 offsets key − query) → (..., L queries, L keys), a view of it.

    Flattened, key k of query q lies at q (2L − 1) + k − q + L − 1 = q (2L − 2) + k + L − 1: rows that are one
    shorter, from L − 1 on, of which the first L entries are the keys.
    """
    side = logits.shape[-2]
    if side == 1:
        return logits
    row = 2 * side - 2
    rows = logits.flatten(-2).narrow(-1, side - 1, side * row)
    return torch.unflatten(rows, -1, (side, row))[..., :side]


_ARGUMENTS = arguments(
    "dim num_heads dim_out stride qk_ratio qkv_bias scale_pos_embed",
    renamed={"feat_size": "grid", "dim_head": "head_dim"},
)


def _arguments(authors: Mapping[str, Any]) -> dict[str, Any]:
    ours = _ARGUMENTS(authors)
    return ours | {"grid": tuple(ours["grid"])}


PORTS = {"bottleneck_attention": Port(mixer="bottleneck_attention", arguments=_arguments)}
