"""Multiply–adds of a mixer as counted, for tests that know them by hand."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch

from benchsuite.measurement.macs import count_cost


def counted(
    module: Any,
    size: tuple[int, int],
    *,
    dim: int | None = None,
    before: int = 0,
    ignored: Collection[str] = (),
) -> int:
    """Multiply–adds of one image, counted on "meta", of a copy of the module.

    Args:
        size: height and width of the grid.
        dim: channels of the input; by default the module's.
        before: tokens before those of the grid, such as a class token.
        ignored: operators that the counter need not know. All others must be known to it.
    """
    like = next(module.parameters(), torch.empty(0))
    channels = module.dim if dim is None else dim
    shapes = {"BNC": (1, before + size[0] * size[1], channels), "NCHW": (1, channels, *size)}
    x = torch.empty(shapes.get(module.layout, (1, *size, channels)), dtype=like.dtype, device="meta")
    on_meta = copy.deepcopy(module).to("meta")
    cost = count_cost(on_meta, (x, size) if module.layout == "BNC" else (x,))
    assert set(cost.uncounted) <= set(ignored)
    return cost.macs
