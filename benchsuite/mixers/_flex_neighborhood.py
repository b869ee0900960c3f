"""Neighborhoods of a grid as a mask of FlexAttention: what NAT needs on the kernel "flex"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchsuite.mixers._flex import Inside, Modify, block_mask_of
from benchsuite.mixers._tiles import Windows


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
    """Whether a key is of a query's class and in its window, by each token's place and the window's first."""

    def inside(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        y, x = rows[key] - first_rows[query], columns[key] - first_columns[query]
        near = (y >= 0) & (y < side) & (x >= 0) & (x < side)
        return near if classes is None else near & (classes[key] == classes[query])

    return inside
