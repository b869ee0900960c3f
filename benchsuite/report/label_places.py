"""Placing labels so that none covers another: beside points in a plane, and in a column at line ends.

Plain geometry in points (1/72 inch), y upwards; knows nothing of matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Spot = tuple[float, float]
"""A place in points, x and y."""
SLANT = math.sqrt(0.5)
SIDES = np.array(
    [(1, 0), (-1, 0), (0, 1), (0, -1), (SLANT, SLANT), (SLANT, -SLANT), (-SLANT, SLANT), (-SLANT, -SLANT)]
)
"""Sides of a point at which its label may stand, the most readable first: right, left, above, below."""
DOTS, OWN = 12, 4
"""Places of a leader line that are kept free, and how many of them lie in its own mark."""

_Rows = NDArray[np.float64]


class Box(NamedTuple):
    """An upright rectangle by its edges."""

    left: float
    bottom: float
    right: float
    top: float

    def nearest(self, point: Spot) -> Spot:
        """Its place that is nearest to a point."""
        x, y = point
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def around(x: float, y: float, radius: float) -> Box:
    """The square of a marker."""
    return Box(x - radius, y - radius, x + radius, y + radius)


def segment(start: Spot, end: Spot) -> Box:
    """A line that is upright or level; the bounding box of a slanted one."""
    (x0, y0), (x1, y1) = start, end
    return Box(min(x0, x1) - 0.5, min(y0, y1) - 0.5, max(x0, x1) + 0.5, max(y0, y1) + 0.5)


def place(
    anchors: Sequence[Sequence[Spot]],
    sizes: Sequence[tuple[float, float]],
    bounds: Box,
    taken: Sequence[Box] = (),
    avoid: Sequence[Box] = (),
    gaps: Sequence[float] = (6.0, 13.0, 22.0, 34.0, 48.0, 64.0),
    first: int = 0,
    far: int | None = None,
) -> list[tuple[Box, Spot] | None]:
    """A place for every label near one of its points, or None where there is none.

    Points with the fewest free places are served first. A place that crosses what is in `avoid` (lines), or
    whose leader line crosses a marker, is taken only before one two gaps farther; none covers what is in
    `taken` (markers), another label or its leader line, and no leader line crosses a label.

    Args:
        anchors: for every label the points it may stand at, the preferred first.
        sizes: width and height of every label.
        bounds: labels stay inside.
        gaps: distances from the point to try; beyond the first a leader line is due.
        first: so many labels are served before all others.
        far: so many labels may stand away from their point, the others beside it or nowhere; None for all.

    Returns:
        For every label its box and the point it belongs to.
    """
    marks, lines, labels, leaders = _rows(taken), _rows(avoid), _rows(()), _rows(())
    found = [
        _candidates(points, size, gaps if far is None or i < far else gaps[:1], bounds)
        for i, (points, size) in enumerate(zip(anchors, sizes, strict=True))
    ]
    free = [~_crossed(boxes, marks) for boxes, _, _ in found]
    result: list[tuple[Box, Spot] | None] = [None] * len(anchors)
    for i in sorted(range(len(anchors)), key=lambda i: (i >= first, int(free[i].sum()), i)):
        boxes, points, steps = found[i]
        dots = _leaders(boxes, points, steps)
        usable = free[i] & ~_crossed(boxes, np.vstack([labels, leaders])) & ~_any_crossed(dots, labels)
        if not usable.any():
            continue
        costs = steps + 2.5 * _crossed(boxes, lines) + 2 * _any_crossed(dots[:, OWN:], marks)
        best = int(np.where(usable, costs, np.inf).argmin())
        x, y = points[best].tolist()
        result[i] = Box(*boxes[best].tolist()), (x, y)
        labels = np.vstack([labels, boxes[best]])
        leaders = np.vstack([leaders, dots[best] + [-1, -1, 1, 1]])
    return result


def _candidates(
    points: Sequence[Spot], size: tuple[float, float], gaps: Sequence[float], bounds: Box
) -> tuple[_Rows, _Rows, _Rows]:
    """Boxes that lie inside, nearer ones first, with the point of each and the number of its gap."""
    anchors, steps = np.array(points, dtype=float), np.array(gaps)[:, None, None, None]
    corners = anchors[:, None] + steps * SIDES - np.array(size) * (1 - np.sign(SIDES)) / 2
    boxes = np.concatenate([corners, corners + size], axis=3).reshape(-1, 4)
    owners = np.broadcast_to(anchors[:, None], corners.shape).reshape(-1, 2)
    numbers = np.repeat(np.arange(len(gaps), dtype=float), len(points) * len(SIDES))
    inside = (boxes[:, :2] >= bounds[:2]).all(axis=1) & (boxes[:, 2:] <= bounds[2:]).all(axis=1)
    return boxes[inside], owners[inside], numbers[inside]


def _leaders(boxes: _Rows, points: _Rows, steps: _Rows) -> _Rows:
    """Dots as boxes without size on the line from each point to its box; all at the box where none is due."""
    ends = np.clip(points, boxes[:, :2], boxes[:, 2:])
    starts = np.where(steps[:, None] == 0, ends, points)
    places = starts[:, None] + np.linspace(0, 1, DOTS)[:, None] * (ends - starts)[:, None]
    return np.concatenate([places, places], axis=2)


def _rows(boxes: Sequence[Box]) -> _Rows:
    return np.array(boxes, dtype=float).reshape(-1, 4)


def _any_crossed(dots: _Rows, others: _Rows) -> NDArray[np.bool_]:
    """For each of the leader lines whether it crosses one of the boxes."""
    return np.asarray(_crossed(dots.reshape(-1, 4), others).reshape(dots.shape[:2]).any(axis=1))


def _crossed(boxes: _Rows, others: _Rows) -> NDArray[np.bool_]:
    """For each of the boxes whether it overlaps one of the others."""
    one, other = boxes[:, None], others[None]
    apart = (one[..., :2] >= other[..., 2:]) | (other[..., :2] >= one[..., 2:])
    return np.asarray(np.any(~np.any(apart, axis=2), axis=1), dtype=bool)


def stack(positions: Sequence[float], gap: float, lo: float, hi: float) -> list[float] | None:
    """Positions moved as little as needed to lie `gap` apart within [lo, hi], in the same order.

    Neighbours that are too close form a block around their common mean (pool adjacent violators), which is
    the nearest solution in the sense of least squares.

    Returns:
        The new positions in the order of the old ones, or None if they do not fit.
    """
    if (len(positions) - 1) * gap > hi - lo:
        return None
    order = sorted(range(len(positions)), key=lambda i: (positions[i], i))
    # Less k gaps, the k-th position may equal its neighbour's, so the task is a monotone fit.
    blocks: list[tuple[float, int]] = []  # mean and size
    for k, i in enumerate(order):
        mean, size = positions[i] - k * gap, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        blocks.append((mean, size))
    flat = [mean for mean, size in blocks for _ in range(size)]
    top = hi - (len(positions) - 1) * gap
    result = [0.0] * len(positions)
    for k, i in enumerate(order):
        result[i] = min(max(flat[k], lo), top) + k * gap
    return result
