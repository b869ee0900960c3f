"""The Pareto front of cost against speed: what no other point beats in one without losing in the other."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another if it costs no more, is no slower, and is better in one of the two. Equal
    points do not dominate each other, so all of them are on the front or none is. Points with a NaN are
    ignored.

    Args:
        points: (cost, speed) pairs, such as MACs and images per second: cost is better low, speed high.
    """
    known = [i for i, (cost, speed) in enumerate(points) if not (math.isnan(cost) or math.isnan(speed))]
    front: list[int] = []
    best = -math.inf  # the highest speed among the points that cost less than `cost`
    level = -math.inf  # the highest speed among the points that cost at most `cost`
    cost = -math.inf
    for i in sorted(known, key=lambda i: (points[i][0], -points[i][1], i)):
        if points[i][0] > cost:
            cost, best = points[i][0], level
        speed = points[i][1]
        level = max(level, speed)
        if speed > best and speed == level:
            front.append(i)
    return front
