"""Placing labels so that none covers another: beside points in a plane, and in a column at line ends.

Plain geometry in points (1/72 inch), y upwards; knows nothing of matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Spot = tuple[float, float]
"""A place in points, x and y."""
DOTS, OWN = 12, 4
"""Places of a leader line that are kept free, and how many of them lie in its own mark."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle by its edges."""

    left: float
    bottom: float
    right: float
    top: float

    def within(self, other: Box) -> bool:
        """True if no part of it lies outside `other`."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )

    def nearest(self, point: Spot) -> Spot:
        """Its place that is nearest to a point."""
        x, y = point
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def around(x: float, y: float, radius: float) -> Box:
    """The square of a marker."""
    return Box(x - radius, y - radius, x + radius, y + radius)


def segment(start: Spot, end: Spot) -> Box:
    """A line that runs along an axis, as a thin box; the bounding box of a slanted one."""
    (x0, y0), (x1, y1) = start, end
    return Box(min(x0, x1) - 0.5, min(y0, y1) - 0.5, max(x0, x1) + 0.5, max(y0, y1) + 0.5)


def candidates(x: float, y: float, width: float, height: float, gap: float) -> list[Box]:
    """Places for a label at eight sides of a point, the most readable first: right, left, above, below."""
    slant = gap * math.sqrt(0.5)
    return [
        Box(left, bottom, left + width, bottom + height)
        for left, bottom in (
            (x + gap, y - height / 2),
            (x - gap - width, y - height / 2),
            (x - width / 2, y + gap),
            (x - width / 2, y - gap - height),
            (x + slant, y + slant),
            (x + slant, y - slant - height),
            (x - slant - width, y + slant),
            (x - slant - width, y - slant - height),
        )
    ]


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
    spots = [
        [
            (step, box, point)
            for step, gap in enumerate(gaps if far is None or i < far else gaps[:1])
            for point in points
            for box in candidates(*point, *size, gap)
            if box.within(bounds)
        ]
        for i, (points, size) in enumerate(zip(anchors, sizes, strict=True))
    ]
    boxes = [_edges(box for _, box, _ in found) for found in spots]
    marks, lines, labels, leaders = _edges(taken), _edges(avoid), _edges([]), _edges([])
    free = [~_crossed(found, marks) for found in boxes]
    result: list[tuple[Box, Spot] | None] = [None] * len(anchors)
    for i in sorted(range(len(anchors)), key=lambda i: (i >= first, int(free[i].sum()), i)):
        dots = _leaders(spots[i])
        crossing = _any_crossed(dots, labels)
        usable = free[i] & ~_crossed(boxes[i], np.vstack([labels, leaders])) & ~crossing
        if not usable.any():
            continue
        costs = np.array([step for step, _, _ in spots[i]]) + 2.5 * _crossed(boxes[i], lines)
        costs += 2 * _any_crossed(dots[:, OWN:], marks)
        best = int(np.where(usable, costs, np.inf).argmin())
        _, box, point = spots[i][best]
        result[i] = box, point
        labels = np.vstack([labels, boxes[i][best : best + 1]])
        leaders = np.vstack([leaders, dots[best] + [-1, -1, 1, 1]])
    return result


def _leaders(found: Sequence[tuple[int, Box, Spot]]) -> NDArray[np.float64]:
    """Dots, as rows of left, bottom, right, top, on the line from each point to its box.

    All lie at the box where it is too near for a line.
    """
    points = np.array([point for _, _, point in found], dtype=float).reshape(-1, 2)
    boxes = _edges(box for _, box, _ in found)
    ends = np.clip(points, boxes[:, :2], boxes[:, 2:])
    near = np.array([step == 0 for step, _, _ in found], dtype=bool)
    starts = np.where(near[:, None], ends, points)
    places = starts[:, None] + np.linspace(0, 1, DOTS)[None, :, None] * (ends - starts)[:, None]
    return np.concatenate([places, places], axis=2)


def _edges(boxes: Iterable[Box]) -> NDArray[np.float64]:
    """Boxes as rows of left, bottom, right, top."""
    rows = [(box.left, box.bottom, box.right, box.top) for box in boxes]
    return np.array(rows, dtype=float).reshape(-1, 4)


def _any_crossed(dots: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For each of the leader lines whether it crosses one of the boxes."""
    return np.asarray(_crossed(dots.reshape(-1, 4), others).reshape(dots.shape[:2]).any(axis=1))


def _crossed(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
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
