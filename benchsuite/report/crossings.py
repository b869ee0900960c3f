"""Pairs that change places as resolution grows: who is faster on small images and slower on large ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from benchsuite.report.contests import Contest, noun_of
from benchsuite.report.order import Order
from benchsuite.report.points import Point
from benchsuite.report.words import counted, joined, pixels, places, sentence


@dataclass(frozen=True, slots=True)
class Crossing:
    """Two names on one kernel whose order is clear at two resolutions at least, and not the same.

    Attributes:
        first: the one that is faster at the smallest resolution where the order is clear.
        faster, slower: where `first` is clearly faster or slower than `second`, the smallest first.
        once: whether every size where `first` is faster lies below all where it is slower.
        swing: largest over smallest ratio of their throughputs, by which crossings are ordered.
    """

    kernel: str
    first: str
    second: str
    faster: tuple[int | str, ...]
    slower: tuple[int | str, ...]
    once: bool
    swing: float


def crossings(fields: Sequence[Contest]) -> list[Crossing]:
    """Every crossing of these contests, the largest first. Orders that are undecided do not count."""
    found = []
    for kernel in dict.fromkeys(contest.kernel for contest in fields):
        mine = [contest for contest in fields if contest.kernel == kernel]
        by_name: dict[str, dict[int | str, Point]] = {}
        for contest in mine:
            for point in contest.cells:
                by_name.setdefault(point.name, {})[contest.resolution] = point
        for one, other in combinations(by_name, 2):
            crossing = _crossing(kernel, mine[0].order, by_name[one], by_name[other])
            if crossing is not None:
                found.append(crossing)
    return sorted(found, key=lambda crossing: -crossing.swing)


def _crossing(
    kernel: str, order: Order, one: dict[int | str, Point], other: dict[int | str, Point]
) -> Crossing | None:
    """The crossing of two names, given by resolution; None if there is none."""
    both = [(one[size], other[size]) for size in one if size in other]
    both.sort(key=lambda pair: (math.prod(pair[0].size), pair[0].size))
    up = [p for p, q in both if order.faster(p, q)]
    down = [p for p, q in both if order.faster(q, p)]
    if not up or not down:
        return None
    clear = next(p for p, _ in both if p in up or p in down)
    first, second = both[0] if clear in up else both[0][::-1]
    faster, slower = (up, down) if clear in up else (down, up)
    ratios = [order.between(p, q).ratio for p, q in both]
    return Crossing(
        kernel,
        first.name,
        second.name,
        tuple(p.resolution for p in faster),
        tuple(p.resolution for p in slower),
        math.prod(faster[-1].size) < math.prod(slower[0].size),
        max(ratios) / min(ratios),
    )


def crossed(fields: Sequence[Contest], most: int = 3) -> str:
    """The largest crossings in a sentence; empty where no kernel was timed at two resolutions."""
    sizes = {
        kernel: [contest.resolution for contest in fields if contest.kernel == kernel]
        for kernel in dict.fromkeys(contest.kernel for contest in fields)
    }
    several = [kernel for kernel, resolutions in sizes.items() if len(resolutions) > 1]
    if not several:
        return ""
    found = crossings(fields)
    if not found:
        ends = dict.fromkeys((sizes[kernel][0], sizes[kernel][-1]) for kernel in several)
        spans = [f"{pixels(low).removesuffix(' px')} and {pixels(high)}" for low, high in ends]
        return (
            f"Between {joined(spans, 'or')} no two {noun_of(fields).plural} change places beyond what the "
            "rounds leave open."
        )
    texts = [_told(crossing) for crossing in found[:most]]
    rest = len(found) - most
    if rest > 0:
        texts.append(f"{counted(rest, 'more pair')} {'changes' if rest == 1 else 'change'} places")
    return sentence("; ".join(texts))


def _told(crossing: Crossing) -> str:
    """Between which sizes the places change; or, if they do so more than once, who is faster where."""
    if crossing.once:
        span = places((crossing.faster[-1], crossing.slower[0]))
        return f"{crossing.second} passes {crossing.first} between {span} ({crossing.kernel})"
    return (
        f"{crossing.first} is faster than {crossing.second} at {places(crossing.faster)}, slower at "
        f"{places(crossing.slower)} ({crossing.kernel})"
    )
