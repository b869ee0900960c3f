"""What a mixer's module calls as it would a library: its errors are not the mixer's own words."""

from __future__ import annotations


def refuse(what: str) -> None:
    raise ValueError(what)
