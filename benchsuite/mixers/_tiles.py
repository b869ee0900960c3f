"""Neighbourhood attention by tiles: the queries of a tile share the keys that any of them needs.

A query that attends to its own k × k keys cannot use a fused attention kernel; a tile of queries can, with
the union of their windows as keys and a mask. It multiplies more pairs than it needs, copies keys and values
two to four times instead of k² times, and gives the same output. NAT and ACmix attend so on every kernel but
"math".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchsuite.mixers._attention import attend

_SIDE = 8  # of a tile, about: smaller ones copy more, larger ones mask more

Windows = Sequence[Sequence[int]]
"""For each query of an axis, the positions of its keys."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of the grid cut into T tiles of t queries, each with U keys.

    Attributes:
        queries: T × t positions; the last tile is filled up with copies of the last query.
        place: of each query of the axis, its place in `queries`.
        keys: T rows of U positions; short rows are filled up with copies of their last key.
        chosen: T × t rows of U entries: which of the window's keys this is (0 to k − 1), or −1.
    """

    queries: list[int]
    place: list[int]
    keys: list[list[int]]
    chosen: list[list[int]]


def _cut(windows: Windows, dilation: int) -> _Axis:
    length = len(windows)
    # Queries of one residue class share keys, so they stand together.
    order = sorted(range(length), key=lambda query: (query % dilation, query))
    tiles = max(1, round(length / _SIDE))
    side = -(-length // tiles)
    tiles = -(-length // side)
    queries = order + order[-1:] * (tiles * side - length)
    place = [0] * length
    for index, query in enumerate(order):
        place[query] = index
    unions = [
        sorted({key for query in queries[first : first + side] for key in windows[query]})
        for first in range(0, tiles * side, side)
    ]
    most = max(len(union) for union in unions)
    chosen = []
    for index, query in enumerate(queries):
        of_key = {key: number for number, key in enumerate(windows[query])}
        union = unions[index // side]
        chosen.append([of_key.get(key, -1) for key in union] + [-1] * (most - len(union)))
    return _Axis(queries, place, [union + union[-1:] * (most - len(union)) for union in unions], chosen)


@dataclass(frozen=True, slots=True)
class _AxisTensors:
    """The same as tensors; `queries` and `place` are None where the queries are in order already."""

    queries: Tensor | None
    place: Tensor | None
    keys: Tensor  # T · U
    chosen: Tensor  # T, t, U
    tiles: int

    @classmethod
    def make(cls, axis: _Axis, device: torch.device) -> _AxisTensors:
        def tensor(values: object) -> Tensor:
            return torch.tensor(values, device=device)

        tiles, in_order = len(axis.keys), axis.queries == list(range(len(axis.place)))
        return cls(
            queries=None if in_order else tensor(axis.queries),
            place=None if in_order else tensor(axis.place),
            keys=tensor(axis.keys).flatten(),
            chosen=tensor(axis.chosen).reshape(tiles, len(axis.queries) // tiles, len(axis.keys[0])),
            tiles=tiles,
        )


class Tiles:
    """Tiles of a grid of queries, for one grid, device and dtype.

    Args:
        rows, columns: for each row and each column of queries, the rows and columns of its keys.
        dilation: distance of neighbouring keys of a window.
        like: a tensor of the device and dtype that attention runs in.
    """

    def __init__(self, rows: Windows, columns: Windows, dilation: int, like: Tensor) -> None:
        self._rows = _AxisTensors.make(_cut(rows, dilation), like.device)
        self._columns = _AxisTensors.make(_cut(columns, dilation), like.device)
        y, x = self._rows.chosen, self._columns.chosen
        y = y[:, None, :, None, :, None]  # T_y, 1, t_y, 1, U_y, 1
        x = x[None, :, None, :, None, :]  # 1, T_x, 1, t_x, 1, U_x
        inside = (y >= 0) & (x >= 0)
        outside = torch.zeros(inside.shape, device=like.device, dtype=like.dtype)
        self.mask = outside.masked_fill(~inside, -torch.inf)
        """(T_y, T_x, t_y, t_x, U_y, U_x): 0 for the keys of a query's window, −∞ for others of its tile."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, kernel: str, bias: Tensor, dropout: float) -> Tensor:
        """Attention of each query to the keys of its window.

        Args:
            q: (B, heads, H, W, head_dim).
            k, v: (B, heads, rows, columns, head_dim).
            bias: `mask`, or what `spread` makes, plus `mask`.

        Returns:
            (B, heads, H, W, head_dim).
        """
        rows, columns = self._rows, self._columns
        if rows.queries is not None:
            q = q.index_select(2, rows.queries)
        if columns.queries is not None:
            q = q.index_select(3, columns.queries)
        q = self._tile(q)
        k, v = (self._tile(t.index_select(2, rows.keys).index_select(3, columns.keys)) for t in (k, v))
        batch, heads, tiles, queries, head_dim = q.shape
        bias = bias.flatten(-2).flatten(-3, -2).flatten(-4, -3)  # heads or none, tiles, queries, keys
        bias = bias.expand(heads, tiles, queries, -1).reshape(1, heads * tiles, queries, -1)
        out = attend(
            *(t.flatten(1, 2) for t in (q, k, v)), kernel=kernel, bias=bias, dropout=dropout
        )  # B, heads · tiles, queries, head_dim
        sides = rows.chosen.shape[1], columns.chosen.shape[1]
        out = out.reshape(batch, heads, rows.tiles, columns.tiles, *sides, head_dim).transpose(3, 4)
        out = out.reshape(batch, heads, rows.tiles * sides[0], columns.tiles * sides[1], head_dim)
        if rows.place is not None:
            out = out.index_select(2, rows.place)
        if columns.place is not None:
            out = out.index_select(3, columns.place)
        return out

    def _tile(self, x: Tensor) -> Tensor:
        """(B, heads, T_y · a, T_x · b, head_dim) → (B, heads, T_y · T_x, a · b, head_dim)."""
        batch, heads, rows, columns, head_dim = x.shape
        down, across = self._rows.tiles, self._columns.tiles
        x = x.reshape(batch, heads, down, rows // down, across, columns // across, head_dim).transpose(3, 4)
        return x.reshape(batch, heads, down * across, -1, head_dim)

    def spread(self, table: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """A table of (heads, offsets, offsets) as a bias.

        Args:
            rows, columns: offset of each key of each query's window, (H, k) and (W, k).

        Returns:
            (heads, T_y, T_x, t_y, t_x, U_y, U_x); what it holds outside of the windows has no meaning.
        """
        y = _offsets(self._rows, rows)[:, None, :, None, :, None]
        x = _offsets(self._columns, columns)[None, :, None, :, None, :]
        return table[:, y, x]


def _offsets(axis: _AxisTensors, of_window: Tensor) -> Tensor:
    """(T, t, U) offsets, from those of each query's window."""
    of_query = of_window if axis.queries is None else of_window[axis.queries]
    tiles, side, _ = axis.chosen.shape
    return of_query.reshape(tiles, side, -1).gather(-1, axis.chosen.clamp_min(0))
