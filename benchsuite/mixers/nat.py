"""Neighborhood attention: each position attends to the k × k positions nearest to it, dilated or not.

Papers: Hassani et al., "Neighborhood Attention Transformer", CVPR 2023, arXiv:2204.07143; Hassani and Shi,
    "Dilated Neighborhood Attention Transformer", 2022, arXiv:2209.15001.
Reference: SHI-Labs/Neighborhood-Attention-Transformer @ d334f5b, classification/nat.py, whose operator is
    natten's NeighborhoodAttention2D.
Differs: "math" gathers each window's keys, of which natten's kernels make no copy; "flex" makes none either
    and masks blocks of the grid; the other kernels attend by tiles, which copies two or three times, not k²
    times.
Names: kernel_size and dilation are the papers' k and δ; rpb, their B(i, j).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchsuite.mixers import Relation
from benchsuite.mixers._attention import FLEX_KERNELS, Layout, attend, split_heads
from benchsuite.mixers._checks import check_kernel, check_odd, check_positive, head_dim_of
from benchsuite.mixers._flex import Inside, Modify, block_mask_of, flex_attend, untraced
from benchsuite.mixers._layers import dropout
from benchsuite.mixers._port import SHARED_ARGUMENTS, Port, arguments
from benchsuite.mixers._tiles import Tiles, Windows


class NeighborhoodAttention(nn.Module):
    """Mix a (B, H, W, dim) map into (B, H, W, dim).

    Every position has k × k keys: near an edge, the window moves inwards and is not cut. With a dilation d,
    windows are those of the d × d interleaved grids, each on its own.

    MACs: 4NC² + 2Nk²C. On kernels with tiles their pairs of queries and keys stand for Nk².

        On "flex" it is what the method asks for; the pairs that a block multiplies and masks are not in it.

    Args:
        dim, num_heads, qkv_bias, attn_drop, proj_drop: as for `MSA`.
        kernel_size: side of the neighborhood, odd.
        dilation: distance of neighbouring keys, in tokens.
        rel_pos: add a learned bias for each head and relative position.
        kernel: "math" multiplies exactly the pairs of the windows; "flex", with a mask, all of each 128 × 128
            tokens of which some window has a pair; the others attend by tiles.

    Raises:
        ValueError: num_heads does not divide dim, kernel_size is not odd, dilation is not positive, or the
            kernel is unknown; in `forward`, the grid is smaller than kernel_size × dilation.
    """

    layout: ClassVar[Layout] = "NHWC"
    kernels: ClassVar[tuple[str, ...]] = FLEX_KERNELS
    relation: ClassVar[Relation] = Relation("local", ("heads",), "dynamic per position")

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        *,
        kernel_size: int = 7,
        dilation: int = 1,
        rel_pos: bool = True,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        kernel: str = "math",
    ) -> None:
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.head_dim = head_dim_of(dim, num_heads)
        self.kernel_size = check_odd("kernel_size", kernel_size)
        check_positive("dilation", dilation)
        self.dilation = dilation
        self.attn_drop = attn_drop
        self.kernel = check_kernel(kernel, self.kernels, "nat")
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.rel_pos = rel_pos
        if rel_pos:
            table = torch.empty(num_heads, 2 * kernel_size - 1, 2 * kernel_size - 1)
            self.rpb = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = dropout(proj_drop)
        self._made_for: tuple[object, ...] | None = None
        self._keys: Tensor | None = None
        self._offsets: tuple[Tensor, Tensor] | None = None
        self._tiles: Tiles | None = None
        self._neighborhood: FlexNeighborhood | None = None

    def forward(self, x: Tensor) -> Tensor:
        self._prepare(x)
        dropout = self.attn_drop if self.training else 0.0
        mixed = self._masked(x, dropout) if self.kernel == "flex" else self._cut(x, dropout)
        out: Tensor = self.proj_drop(self.proj(mixed))
        return out

    def _cut(self, x: Tensor, dropout: float) -> Tensor:
        """Attention by windows or tiles, before the projection: (B, H, W, dim)."""
        qkv = self.qkv(x).unflatten(3, (3, self.num_heads, self.head_dim))
        qkv = qkv.permute(3, 0, 4, 1, 2, 5)  # 3, B, heads, H, W, head_dim
        if self._tiles is not None:
            bias = self._tiles.mask
            if self.rel_pos:
                assert self._offsets is not None
                bias = bias + self._tiles.spread(self.rpb, *self._offsets)
            mixed = self._tiles.attend(*qkv.unbind(0), kernel=self.kernel, bias=bias, dropout=dropout)
        else:
            mixed = self._gathered(qkv, dropout)
        return mixed.permute(0, 2, 3, 1, 4).flatten(3)

    def _masked(self, x: Tensor, dropout: float) -> Tensor:
        """Attention to all of the grid under a mask, before the projection: (B, H, W, dim)."""
        near = self._neighborhood
        tokens = x.flatten(1, 2)
        if near is not None and near.order is not None:
            tokens = tokens.index_select(1, near.order)
        q, k, v = split_heads(self.qkv(tokens), self.num_heads, 3)  # each B, heads, N, head_dim
        if near is not None:
            modify = near.bias(self.rpb) if self.rel_pos else None
            mixed = flex_attend(q, k, v, modify=modify, block_mask=near.block_mask, dropout=dropout)
        elif torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
            # Counted on "meta", where only shapes matter: each query has as many keys as its window.
            k, v = (t.unsqueeze(3).expand(-1, -1, -1, self.kernel_size**2, -1) for t in (k, v))
            mixed = attend(q.unsqueeze(3), k, v, kernel="sdpa").squeeze(3)
        else:
            mixed = flex_attend(q, k, v)  # on "meta": the same tensors as under a mask
        mixed = mixed.transpose(1, 2).flatten(2)  # B, N, dim
        if near is not None and near.place is not None:
            mixed = mixed.index_select(1, near.place)
        return mixed.reshape(x.shape)

    def _gathered(self, qkv: Tensor, dropout: float) -> Tensor:
        """Attention of each query to a copy of its own keys and values: (B, heads, H, W, head_dim)."""
        assert self._keys is not None
        # One by one: the gradient of both together would be a copy of both of theirs.
        k, v = (t.flatten(2, 3).index_select(2, self._keys) for t in (qkv[1], qkv[2]))
        # B, heads, H·W, k², head_dim
        k, v = (torch.unflatten(t, 2, (-1, self.kernel_size**2)) for t in (k, v))
        bias = None
        if self.rel_pos:
            assert self._offsets is not None
            y, x = self._offsets
            bias = self.rpb[:, y[:, None, :, None], x[None, :, None, :]]  # heads, H, W, k, k
            bias = bias.flatten(3).flatten(1, 2).unsqueeze(2)  # heads, H·W, 1, k²
        q = qkv[0].flatten(2, 3).unsqueeze(3)  # B, heads, H·W, 1, head_dim
        mixed = attend(q, k, v, kernel="math", bias=bias, dropout=dropout, scale_q=True)
        return torch.unflatten(mixed.squeeze(3), 2, qkv.shape[3:5])

    def _prepare(self, x: Tensor) -> None:
        """Make index and mask unless those of the last call serve (why not buffers: see swin.py)."""
        size = int(x.shape[1]), int(x.shape[2])  # torch.jit.trace gives tensors, of which no set is made
        made_for = (size, x.device, x.dtype)
        if made_for == self._made_for:
            return
        rows, columns = self._windows(size)
        with torch.inference_mode(False):  # what inference mode makes, a later backward may not save
            if self.kernel == "flex":
                # A mask depends on values, which "meta" has not.
                made = (rows, columns, self.dilation, x.device)
                self._neighborhood = None if x.is_meta else untraced(FlexNeighborhood.make, *made)
                self._made_for = made_for
                return
            down, across = (torch.tensor(windows, device=x.device) for windows in (rows, columns))
            self._offsets = self._offset(down), self._offset(across)
            if self.kernel == "math":
                keys = down[:, None, :, None] * size[1] + across[None, :, None, :]  # H, W, k, k
                self._keys = keys.flatten()
            else:
                self._tiles = Tiles(rows, columns, self.dilation, x)
        self._made_for = made_for

    def _offset(self, windows: Tensor) -> Tensor:
        """Row or column of the bias table for each key of each window: (length, k)."""
        query = torch.arange(len(windows), device=windows.device)[:, None]
        apart = torch.div(windows - query, self.dilation, rounding_mode="floor")
        return apart + self.kernel_size - 1

    def _windows(self, size: tuple[int, int]) -> tuple[Windows, Windows]:
        """For each row and each column, the rows and columns of its keys."""
        k, d = self.kernel_size, self.dilation
        if min(size) < k * d:
            raise ValueError(
                f"kernel_size {k} with dilation {d} does not fit in the {size[0]} × {size[1]} grid"
            )
        rows, columns = ([_window(place, side, k, d) for place in range(side)] for side in size)
        return rows, columns


def _window(place: int, side: int, kernel_size: int, dilation: int) -> list[int]:
    """Keys of a position along an axis: of its own residue class, as near as the edges allow."""
    index, residue = divmod(place, dilation)
    length = -(-(side - residue) // dilation)  # of the class
    start = min(max(index - kernel_size // 2, 0), length - kernel_size)
    return [residue + dilation * (start + offset) for offset in range(kernel_size)]


@dataclass(frozen=True, slots=True)
class FlexNeighborhood:
    """The neighborhoods of one grid, on one device.

    With a dilation, tokens stand by their residue classes, the interleaved grids that are each on its own, so
    that those that see each other are near each other and fall into few blocks.

    Attributes:
        order: (N,) tokens in that order; None without a dilation, where it is the order of the grid.
        place: (N,) of each token, its place in `order`; None as well.
        rows, columns: (N,) of the token at a place, its row and column in its interleaved grid.
        block_mask: torch's BlockMask.
    """

    order: Tensor | None
    place: Tensor | None
    rows: Tensor
    columns: Tensor
    block_mask: Any

    @classmethod
    def make(cls, rows: Windows, columns: Windows, dilation: int, device: torch.device) -> FlexNeighborhood:
        """Of the rows and columns of the keys of each row and each column of queries."""
        down, across = (torch.tensor(windows, device=device) for windows in (rows, columns))
        keys = (down[:, None, :, None] * len(across) + across[None, :, None, :]).flatten(2).flatten(0, 1)
        tokens = torch.arange(len(keys), device=device)
        y, x = tokens.div(len(across), rounding_mode="floor"), tokens % len(across)
        order, place = None, None
        if dilation > 1:
            order = (y % dilation * dilation + x % dilation).argsort(stable=True)
            place = order.argsort()
            y, x, keys = y[order], x[order], place[keys[order]]
        # Within a class, keys are consecutive; int32 is what an index inside of a kernel has.
        at_y, at_x, first_y, first_x = (
            positions.div(dilation, rounding_mode="floor").int()
            for positions in (y, x, down[y, 0], across[x, 0])
        )
        of_class = (y % dilation * dilation + x % dilation).int() if dilation > 1 else None
        inside = _inside(at_y, at_x, first_y, first_x, of_class, down.shape[1])
        return cls(order, place, at_y, at_x, block_mask_of(keys, inside))

    def bias(self, table: Tensor) -> Modify:
        """Add a table of (heads, 2k − 1, 2k − 1): one entry for a head and the offset of key and query."""
        rows, columns, last = self.rows, self.columns, table.shape[-1] - 1

        def modify(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            # Pairs outside of the mask are modified too, before they are dropped.
            y = (rows[key] - rows[query] + last // 2).clamp(0, last)
            x = (columns[key] - columns[query] + last // 2).clamp(0, last)
            return score + table[head, y, x]

        return modify


def _inside(
    rows: Tensor,
    columns: Tensor,
    first_rows: Tensor,
    first_columns: Tensor,
    classes: Tensor | None,
    side: int,
) -> Inside:
    """Mask of the keys of a query's class and window, by each token's place and the window's first."""

    def inside(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        y, x = rows[key] - first_rows[query], columns[key] - first_columns[query]
        near = (y >= 0) & (y < side) & (x >= 0) & (x < side)
        return near if classes is None else near & (classes[key] == classes[query])

    return inside


PORTS = {
    "neighborhood_attention": Port(
        mixer="nat",
        arguments=arguments(
            *SHARED_ARGUMENTS,
            "kernel_size",
            "dilation",
            renamed={"bias": "rel_pos", "rel_pos_bias": "rel_pos"},
            only={"qk_scale": None},
        ),
    ),
}
