"""Where the package raises."""

from __future__ import annotations


def refuse(what: str) -> None:
    raise ValueError(what)
