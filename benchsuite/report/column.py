"""Panels on top of each other in a figure as wide as a column of a paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchsuite.report.canvas import Canvas, measure
from benchsuite.report.theme import MUTED, Look

COLUMN = 3.3 * 72
"""Width in points of a column of two, as of CVPR and ICCV: 3.3 inches, of which 3.25 to 3.5 are usual."""
LEFT, RIGHT, BELOW = 46.0, 9.0, 30.0
SMALL = 7.0
"""Size of the text of legends, ticks and rows, in points."""
LINE = 10.0


class Column:
    """Legend, then panels, from top to bottom."""

    def __init__(
        self,
        handles: Sequence[Artist],
        heights: Sequence[float],
        *,
        between: float = 0.0,
        titled: bool = False,
        left: float = LEFT,
    ) -> None:
        """Lay out panels of these heights in points.

        Args:
            between: points for what stands from one panel to the next.
            titled: whether there is a title over the first.
            left: points for what stands left of the panels.
        """
        self._columns = _columns(handles)
        rows = math.ceil(len(handles) / self._columns)
        top = rows * 1.33 * SMALL + (8.0 if handles else 4.0) + (LINE if titled else 0.0)
        total = top + sum(heights) + between * (len(heights) - 1) + BELOW
        self.canvas = Canvas(COLUMN, total)
        self.width = COLUMN - left - RIGHT
        self.axes: list[Axes] = []
        for height in heights:
            ax = self.canvas.axes(left, top, self.width, height)
            ax.tick_params(direction="in", top=True, right=True)
            self.axes.append(ax)
            top += height + between
        if handles:
            self.canvas.figure.legend(
                handles=list(handles),
                loc="upper center",
                bbox_to_anchor=(0.5, 1 - 3 / total),
                ncols=self._columns,
                frameon=False,
                borderpad=0,
                borderaxespad=0,
                labelspacing=0.3,
                handletextpad=0.3,
                handlelength=1.4,
                columnspacing=1.0,
                fontsize=SMALL,
            )


def _columns(handles: Sequence[Artist]) -> int:
    """Of a legend, as many as find room."""
    widest = max((measure(str(handle.get_label()), SMALL)[0] for handle in handles), default=0.0)
    return max(1, min(len(handles), int((COLUMN - 8) // (widest + 24))))


def marker(look: Look, fill: str, size: float = 4.5) -> dict[str, Any]:
    """How a cell is marked: hollow for math, as on the page; `size` is the diameter in points."""
    hollow = fill == "none"
    return {
        "marker": look.marker,
        "markersize": size,
        "color": look.color,
        "fillstyle": "full" if hollow else fill,
        "markerfacecolor": "white" if hollow else look.color,
        "markerfacecoloralt": "white",
        "markeredgecolor": look.color,
        "markeredgewidth": 0.9,
    }


def mixer_handles(looks: Sequence[Look]) -> list[Line2D]:
    """Legend entries of mixers."""
    return [Line2D([], [], label=look.label, linewidth=1.2, **marker(look, "full")) for look in looks]


def kernel_handles(kernels: Sequence[str], filled: Mapping[str, str]) -> list[Line2D]:
    """Legend entries of kernels; none for a single one."""
    grey = Look(MUTED, "o", "")
    return [
        Line2D([], [], linestyle="none", label=f"{kernel} kernel", **marker(grey, filled[kernel]))
        for kernel in (kernels if len(kernels) > 1 else ())
    ]
