"""MaxViT's two attentions: in blocks of neighbours, and on grids of tokens spread over the whole map.

Paper: Tu et al., "MaxViT: Multi-Axis Vision Transformer", ECCV 2022, arXiv:2204.01697.
Reference: huggingface/pytorch-image-models @ aa4b585, timm/models/maxxvit.py, PartitionAttentionCl without
    its norms, residuals and MLP, and AttentionCl.
Differs: queries are scaled and not logits.
Names: window_size is the paper's P for blocks and its G for grids: tokens on a side of what attends together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import ATTENTION_KERNELS, Layout
from benchsuite.mixers._checks import check_kernel, head_dim_of
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import Port, arguments, renamed
from benchsuite.mixers._windows import (
    RelativePositionBias,
    as_pair,
    attend_in_groups,
    check_divides,
    cut_heads,
    merge,
)


class _PartitionAttention(nn.Module):
    """Attention among the tokens of each group that a map is cut into.

    MACs: 4NC² + 2NwC, w tokens in a group.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = ATTENTION_KERNELS
    name: ClassVar[str]
    """Key in `MIXERS`, for messages."""
    dilated: ClassVar[bool]

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        window_size: int | tuple[int, int] = 7,
        rel_pos: str | None = "bias",
        head_first: bool = True,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.window = as_pair(window_size)
        self.head_first = head_first
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, self.name)
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.rel_pos = None if rel_pos is None else RelativePositionBias(self.window, num_heads, kind=rel_pos)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self.proj_drop = dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[1], x.shape[2])
        check_divides(self.window, size)
        axes = (self.num_heads, 3) if self.head_first else (3, self.num_heads)
        qkv = torch.unflatten(self.qkv(x), -1, (*axes, self.head_dim))
        qkv = qkv.transpose(3, 4) if self.head_first else qkv  # B, H, W, 3, heads, head_dim
        q, k, v = cut_heads(qkv, size, self.window, dilated=self.dilated).unbind(0)
        del qkv
        bias = None if self.rel_pos is None else self.rel_pos()
        dropout = self.attn_drop if self.training else 0.0
        x = attend_in_groups(q, k, v, kernel=self.kernel, bias=bias, dropout=dropout)
        out: Tensor = self.proj_drop(self.proj(merge(x, size, self.window, dilated=self.dilated)))
        return out


class BlockAttention(_PartitionAttention):
    """Mix a (B, H, W, dim) map into (B, H, W, dim), within windows of neighbouring tokens.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: tokens on a side, or height and width.
        rel_pos: how the learned bias of relative positions is kept: "bias", Swin's table; "bias_tf", a map
            for each head; None for no bias.
        head_first: the projection's channels are q, k and v of the first head, then of the second, and so on;
            otherwise all queries, then all keys, then all values.
        proj_bias: whether the projection has a bias.

    Raises:
        ValueError: num_heads does not divide dim, an option is unknown or not positive, or the kernel is
            unknown; in `forward`, the window does not divide the grid.
    """

    name: ClassVar[str] = "maxvit_block_attention"
    dilated: ClassVar[bool] = False
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")


class GridAttention(_PartitionAttention):
    """Mix a (B, H, W, dim) map into (B, H, W, dim), among tokens that lie H / G rows, W / G columns apart.

    Arguments and errors are those of `BlockAttention`; window_size is G, whatever the map.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop, kernel: as for `MSA`.
        window_size: G, tokens on a side of a group, or height and width.
        rel_pos, head_first, proj_bias: as for `BlockAttention`.
    """

    name: ClassVar[str] = "maxvit_grid_attention"
    dilated: ClassVar[bool] = True
    relation: ClassVar[Relation] = Relation("sparse", ("heads",), "dynamic per position")


_ARGUMENTS = arguments(
    "dim head_first attn_drop proj_drop",
    renamed={
        "dim_head": "head_dim",
        "rel_pos_type": "rel_pos",
        "partition_type": "partition",
        "window_size": "block",
        "grid_size": "grid",
        "bias": "qkv_bias",
        "attn_bias": "qkv_bias",
    },
    defaults={"head_dim": 32, "block": 7, "grid": 7},
)


def _arguments(authors: Mapping[str, Any], partition: str) -> dict[str, Any]:
    ours = _ARGUMENTS(authors)
    given = ours.pop("partition", partition)
    if given != partition:
        raise ValueError(f"partition_type={given!r} is not that of {partition} attention")
    ours["num_heads"] = ours["dim"] // ours.pop("head_dim")
    ours["proj_bias"] = ours.get("qkv_bias", True)
    sides = {"block": ours.pop("block"), "grid": ours.pop("grid")}
    side = sides[partition]
    return ours | {"window_size": side if isinstance(side, int) else tuple(side)}


def _block(authors: Mapping[str, Any]) -> dict[str, Any]:
    return _arguments(authors, "block")


def _grid(authors: Mapping[str, Any]) -> dict[str, Any]:
    return _arguments(authors, "grid")


_state = renamed((r"attn\.", ""), drop=(r".*relative_position_index$",))

PORTS = {
    "maxvit_block_attention": Port(mixer="maxvit_block_attention", arguments=_block, state=_state),
    "maxvit_grid_attention": Port(mixer="maxvit_grid_attention", arguments=_grid, state=_state),
}
