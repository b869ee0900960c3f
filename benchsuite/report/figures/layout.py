"""Layouts of figures, for a place and a style: the page, half of it, a column of a paper, two of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from benchsuite.errors import UsageError
from benchsuite.report.canvas import Canvas, legend_height
from benchsuite.report.figures.styles import DEFAULT, LITV2
from benchsuite.report.theme import INK

_LITV2_RC: Mapping[Any, Any] = {
    "svg.fonttype": "path",  # outlines, so that the file needs no font
    "font.sans-serif": ["STIXGeneral", "DejaVu Sans"],  # come with matplotlib; the first looks like Times
    "axes.titlelocation": "center",
    "axes.titleweight": "normal",
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "axes.labelpad": 2,
    "axes.titlepad": 3,
    "grid.color": "#cfcfd6",
    "grid.linestyle": "--",
    "grid.linewidth": 0.4,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Width of a figure in points and its style, one of `STYLES`."""

    width: float
    style: str = DEFAULT

    @property
    def narrow(self) -> bool:
        """True for one column of a paper, where letters are small and names stand over their bars."""
        return self.width < 320

    @property
    def wide(self) -> bool:
        """True if there is room for three panels with letters of eight points."""
        return self.width >= 600

    def panels(self, count: int) -> int:
        """Number of panels that stand side by side; on top of each other where there is room for one."""
        return min(count, 3) if self.width >= 480 else 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Draw and write with these settings, within those of `theme.applied()`."""
        paper = self.narrow or self.style == LITV2
        text = 7.0 if paper else 8.0
        sizes: dict[Any, Any] = {
            "font.size": text + 0.5,
            "legend.fontsize": text if paper else 8.5,
            "axes.titlesize": text + (0.5 if paper else 1.5),
            "axes.labelsize": text + (0 if paper else 0.5),
            "xtick.labelsize": text,
            "ytick.labelsize": text,
            "lines.markersize": 4.5 if paper else 6.0,
            "lines.linewidth": 1.1 if paper else 1.4,
        }
        with mpl.rc_context(sizes | dict(_LITV2_RC if self.style == LITV2 else {})):
            yield


PAGE = Layout(720.0)
HALF = Layout(465.0)
"""Beside the answer: 620 pixels where the page enlarges a point to 4/3 of a pixel."""
COLUMN, TWO_COLUMNS = 3.25, 6.75
"""Widths in inches of a column of a paper in two columns, as of CVPR and ICCV, and of both."""


def column(inches: float, style: str = DEFAULT) -> Layout:
    """The layout of a figure of a paper."""
    return Layout(inches * 72, style)


def parse(width: str) -> float:
    """Points of a width in words: "3.25in", "85mm", "8.5cm" or "234pt".

    Raises:
        UsageError: it is no width between 2 and 20 inches.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(in|cm|mm|pt)", width.strip())
    points = float(found[1]) * {"in": 72, "cm": 72 / 2.54, "mm": 72 / 25.4, "pt": 1}[found[2]] if found else 0
    if not 144 <= points <= 1440:
        raise UsageError(
            f'--width: "{width}" is no width between 2in and 20in, such as 3.25in, 85mm or 234pt'
        )
    return points


def label_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Make the y axis one of rows, the first on top, with these labels."""
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.yaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
    ax.yaxis.set_major_formatter(FixedFormatter(list(labels)))
    ax.tick_params(axis="y", length=0, pad=8)  # a mark may stand on the axis


@dataclass(frozen=True, slots=True)
class Panel:
    """Axes with their width and height in points, and where they stand in the grid of panels."""

    ax: Axes
    width: float
    height: float
    row: int
    column: int


def grid(
    layout: Layout,
    count: int,
    *,
    columns: int,
    height: float,
    handles: Sequence[Artist] = (),
    left: float = 44.0,
    right: float = 10.0,
    gap: float = 40.0,
    between: float = 44.0,
    above: float = 16.0,
    below: float = 32.0,
) -> tuple[Canvas, list[Panel]]:
    """A figure of panels of one size, row by row, under its legend. Lengths in points.

    Args:
        gap: between columns; `between`, between rows.
        above: over the first row, for its titles; `below`, under the last for tick labels and title.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    top = legend_height(handles, layout.width - 4) + above
    width = (layout.width - left - right - gap * (columns - 1)) / columns
    canvas = Canvas(layout.width, top + rows * height + (rows - 1) * between + below)
    canvas.legend(handles, 4)
    places = [divmod(i, columns) for i in range(count)]
    return canvas, [
        Panel(
            canvas.axes(left + j * (width + gap), top + i * (height + between), width, height),
            width, height, i, j,
        )
        for i, j in places
    ]  # fmt: skip
