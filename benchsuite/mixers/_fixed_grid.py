"""Mixers whose weights are tied to the number of tokens, or to both sides of the grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Size = tuple[int, int]


def check_grid(size: Size, grid: Size, mixer: str) -> None:
    """Raise ValueError unless `size` is the grid that the mixer was built for."""
    if size != grid:
        raise ValueError(
            f"{mixer} was built for a {grid[0]} × {grid[1]} grid, and this one is {size[0]} × {size[1]}"
        )


def check_tokens(size: Size, tokens: int, mixer: str) -> None:
    """Raise ValueError unless the grid has as many tokens as the mixer was built for, in whatever shape."""
    if size[0] * size[1] != tokens:
        raise ValueError(
            f"{mixer} was built for {tokens} tokens, and a {size[0]} × {size[1]} grid has {size[0] * size[1]}"
        )


def tokens_of(grid: Size) -> int:
    """Number of tokens of a grid; raises ValueError if a side is not positive."""
    if min(grid) < 1:
        raise ValueError(f"there is no {grid[0]} × {grid[1]} grid")
    return grid[0] * grid[1]


def in_one_column(
    convert: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`convert`, with a "grid" that is a number of tokens, as the authors have it, made one column."""

    def converted(authors: Mapping[str, Any]) -> dict[str, Any]:
        ours = convert(authors)
        if "grid" in ours:
            ours["grid"] = (ours["grid"], 1)
        return ours

    return converted
