"""Many names in one figure: a few are told, the rest are grey marks that the table names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchsuite.report.points import Point, names_of
from benchsuite.report.theme import MUTED, Look

MANY = 20
"""Names beyond which colours and markers repeat too closely for a legend to be read."""


def told(panel: Sequence[Point], looks: Mapping[str, Look]) -> set[str]:
    """Names that a panel of MACs against speed tells: on the front or perhaps, extremes, the reference."""
    found = {point.name for point in panel if point.standing in ("certain", "possible")}
    by_speed = sorted(panel, key=lambda point: point.throughput.value)
    by_cost = sorted((point for point in panel if point.exact), key=lambda point: point.macs)
    found |= {end.name for ordered in (by_speed, by_cost) for end in (*ordered[:1], *ordered[-1:])}
    return found | {point.name for point in panel if looks[point.name].reference}


def faded(looks: Mapping[str, Look], kept: set[str]) -> dict[str, Look]:
    """The same looks with everything but the kept names as grey circles."""
    return {
        name: look if name in kept else replace(look, color=MUTED, marker="o") for name, look in looks.items()
    }


def crowded(cells: Sequence[Point]) -> bool:
    """Whether there are too many names to tell all of them."""
    return len(names_of(cells)) > MANY
