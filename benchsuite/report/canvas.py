"""A figure laid out in points, and the few marks that all figures draw in the same way."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import text_to_path

from benchsuite.format import percentage
from benchsuite.report.figures.layout import Layout
from benchsuite.report.label_places import Box, Spot, around, place
from benchsuite.report.theme import INK, MUTED, PAPER, Look, crossing


@dataclass(frozen=True)
class Drawing:
    """A figure and what is said about it.

    Attributes:
        caption: how to read it, and what it leaves out.
        alt: what it shows, for those who do not see it.
    """

    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Axes and where they stand in the grid of panels."""

    ax: Axes
    row: int
    column: int

    @property
    def width(self) -> float:
        """In points, as a pixel is one while a figure is made."""
        return float(self.ax.bbox.width)

    @property
    def height(self) -> float:
        """In points."""
        return float(self.ax.bbox.height)

    def at(self, x: float, y: float) -> Spot:
        """Place of a value in points from the lower left corner; the limits must be set."""
        across, up = self.ax.transData.transform((x, y)) - self.ax.bbox.min
        return float(across), float(up)


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
) -> tuple[Figure, list[Panel]]:
    """A figure of panels of one size, row by row, under its legend. Lengths in points.

    Args:
        height: of a panel.
        gap: between columns; `between`, between rows.
        above: over the first row, for its titles; `below`, under the last for tick labels and title.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    listed = _legend_columns(handles, layout.width - 4) if handles else 1
    top = above + (math.ceil(len(handles) / listed) * 1.5 * _legend_size() + 8.0 if handles else 0.0)
    width = (layout.width - left - right - gap * (columns - 1)) / columns
    whole = top + rows * height + (rows - 1) * between + below
    figure = Figure(figsize=(layout.width / 72, whole / 72), dpi=72)
    if handles:
        figure.legend(
            handles=list(handles), loc="upper left", bbox_to_anchor=(4 / layout.width, 1 - 2 / whole),
            ncols=listed, frameon=False, borderpad=0, borderaxespad=0, handletextpad=0.3, columnspacing=1.4,
            labelspacing=0.35,
        )  # fmt: skip
    cells = figure.add_gridspec(
        rows, columns, left=left / layout.width, right=1 - right / layout.width, bottom=below / whole,
        top=1 - top / whole, wspace=gap / width, hspace=between / height,
    )  # fmt: skip
    places = [divmod(i, columns) for i in range(count)]
    return figure, [Panel(figure.add_subplot(cells[row, column]), row, column) for row, column in places]


def measure(text: str, size: float) -> tuple[float, float]:
    """Width and height in points of a text in the figures' font, and 3 % more, as hinting widens letters."""
    font = FontProperties(family="sans-serif", size=size)
    width, height, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.03 * float(width), float(height)


def widest(texts: Iterable[str]) -> float:
    """Width in points of the longest of these labels."""
    return max((measure(text, text_size())[0] for text in texts), default=0.0)


def text_size() -> float:
    """Size of the letters of ticks and labels, in points."""
    return float(mpl.rcParams["xtick.labelsize"])


def mark_size() -> float:
    """Diameter of marks, in points."""
    return float(mpl.rcParams["lines.markersize"])


def _legend_size() -> float:
    return float(mpl.rcParams["legend.fontsize"])


def _legend_columns(handles: Sequence[Artist], width: float) -> int:
    size = _legend_size()
    most = max(measure(str(handle.get_label()), size)[0] for handle in handles)
    return max(1, min(len(handles), int((width - 4) // (most + 4.2 * size))))


def label_rows(ax: Axes, labels: Sequence[str]) -> None:
    """Make the y axis one of rows, the first on top, with these labels."""
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(axis="y", length=0, pad=8)  # a mark may stand on the axis


def handle(label: str, marker: str, color: str = MUTED, fill: str = "full", **style: Any) -> Line2D:
    """Legend entry of a mark."""
    return Line2D([], [], label=label, **{"linestyle": "none"} | _marker(marker, fill, color) | style)


def look_handles(looks: Iterable[Look]) -> list[Artist]:
    """Legend entries of mixers; of each colour and each marker where these are two arguments."""
    looks = list(looks)
    crossed = crossing([look.label for look in looks])
    if not crossed:
        return [handle(look.label, look.marker, look.color) for look in looks]
    colors = {crossed[look.label][0]: look.color for look in looks}
    markers = {crossed[look.label][1]: look.marker for look in looks}
    return [
        *(Patch(color=color, label=label) for label, color in colors.items()),
        *(handle(label, marker) for label, marker in markers.items()),
    ]


def kernel_handles(kernels: Sequence[str], fills: Mapping[str, str]) -> list[Artist]:
    """Legend entries that say which kernel is drawn how, hollow for math; none for one kernel."""
    words = {"none": "hollow", "full": "filled", "left": "left half", "right": "right half"}
    words |= {"top": "upper half", "bottom": "lower half"}
    if len(kernels) < 2:
        return []
    return [handle(f"{words[fills[one]]}: {one} kernel", "o", fill=fills[one]) for one in kernels]


def noise_handles(noise: float, band: float, *, narrow: bool) -> list[Artist]:
    """Legend entry of the noise floor, whose band is so many points wide; none where it is not known.

    Args:
        narrow: whether there is no room to say that a mark hides the band.
    """
    thin = ", narrower than a mark" if band < mark_size() and not narrow else ""
    label = f"noise floor ±{percentage(noise)}{thin}"
    return [Patch(color=MUTED, alpha=0.3, linewidth=0, label=label)] if noise else []


def _marker(marker: str, fill: str, color: str) -> dict[str, Any]:
    return {
        "marker": marker,
        "color": color,
        "fillstyle": "full" if fill == "none" else fill,
        "markerfacecolor": PAPER if fill == "none" else color,
        "markerfacecoloralt": PAPER,
        "markeredgecolor": color,
        "markeredgewidth": mark_size() / 5,
    }


def mark(
    ax: Axes, x: float, y: float, look: Look, fill: str, cell: str, *, size: float | None = None, **how: Any
) -> None:
    """The marker of one cell; `svg.inline` turns its gid into a tooltip and a link to the cell's row."""
    style = _marker(look.marker, fill, look.color) | {"markersize": size or mark_size()} | how
    ax.add_artist(Line2D([x], [y], linestyle="none", zorder=3, clip_on=False, gid=f"cell:{cell}", **style))


def flagged(drawing: Drawing, cells: Collection[str]) -> Drawing:
    """The drawing with a ! beside the mark of each of these cells, and a line that says what it means.

    Marks that a crowd has greyed get none.
    """
    found = [
        (ax, line)
        for ax in drawing.figure.axes
        for line in ax.lines
        if str(line.get_gid()).partition("cell:")[2] in cells
    ]
    marks = [(ax, line) for ax, line in found if line.get_color() != MUTED]
    for ax, line in marks:
        x, y = np.asarray(line.get_xydata())[0]
        ax.annotate(
            "!", (x, y), (4, 3), xycoords=line.get_transform(), textcoords="offset points",
            fontsize=text_size() - 1, color=MUTED, annotation_clip=False,
        )  # fmt: skip
    if not marks:
        return drawing
    what = "cell" if len(marks) == len(found) else "coloured cell"
    return replace(drawing, caption=f"{drawing.caption} A ! marks a {what} whose samples have a flag.")


def bar(ax: Axes, x: tuple[float, float], y: tuple[float, float], color: str) -> None:
    """An interval with caps, from (x[0], y[0]) to (x[1], y[1]) along one of the axes."""
    cap = "_" if x[0] == x[1] else "|"
    size = 0.8 * mark_size()
    ax.plot(x, y, color=color, linewidth=1.1, marker=cap, markersize=size, zorder=2.5, clip_on=False)


def stroke(
    ax: Axes, start: Spot, end: Spot, color: str, *, width: float = 1.0, arrow: bool = False,
    dotted: bool = False,
) -> None:  # fmt: skip
    """A straight line between two places in points from the lower left corner of the axes."""
    style: dict[str, Any] = {
        "arrowstyle": "->" if arrow else "-",
        "linestyle": (0, (1, 2)) if dotted else "-",
        "color": color,
        "linewidth": width,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate(
        "", end, start, xycoords="axes points", textcoords="axes points", arrowprops=style,
        annotation_clip=False,
    )  # fmt: skip


def text(
    ax: Axes,
    x: float,
    y: float,
    content: str,
    *,
    ha: Literal["left", "center", "right"] = "left",
    color: str = INK,
    size: float | None = None,
) -> None:
    """Text at a place in points from the lower left corner of the axes, centred on y."""
    ax.annotate(
        content, (x, y), xycoords="axes points", ha=ha, va="center_baseline", color=color,
        fontsize=size or text_size(), annotation_clip=False,
    )  # fmt: skip


class NamedMarks:
    """Marks of cells in one panel, with their names beside them.

    Attributes:
        anchors: name → places of its marks in points from the lower left corner of the axes.
        taken: where no name may stand; `lines`, where one stands only if it must.
    """

    def __init__(self, panel: Panel, looks: Mapping[str, Look], taken: Iterable[Box] = ()) -> None:
        self.panel, self.looks = panel, looks
        self.anchors: dict[str, list[Spot]] = {}
        self.taken, self.lines = list(taken), list[Box]()

    def add(self, name: str, x: float, y: float, fill: str, cell: str, *, size: float | None = None) -> Spot:
        """Draw the mark of a cell; its place."""
        mark(self.panel.ax, x, y, self.looks[name], fill, cell, size=size)
        here = self.panel.at(x, y)
        self.anchors.setdefault(name, []).append(here)
        self.taken.append(around(*here, (size or mark_size()) / 2 + 1))
        return here

    def name(
        self, names: Sequence[str], *, size: float | None = None, colored: bool = False, reach: float = 9.0,
        **how: Any,
    ) -> set[str]:  # fmt: skip
        """Write names near one of their marks.

        One that stands farther than `reach` points away, or nearer to the mark of another, has a leader line.

        Args:
            colored: each in the colour of its mark.
            how: see `label_places.place`.

        Returns:
            The names for which there was no room.
        """
        ax, size = self.panel.ax, size or text_size()
        labels = [self.looks[name].label for name in names]
        sizes = [(width, height + 2) for width, height in (measure(label, size) for label in labels)]
        bounds = Box(1, 1, self.panel.width, self.panel.height)
        found = place(
            [self.anchors[name] for name in names], sizes, bounds,
            taken=self.taken, avoid=self.lines, **how,
        )  # fmt: skip
        for name, label, spot in zip(names, labels, found, strict=True):
            if spot is None:
                continue
            box, (x, y) = spot
            end = box.nearest((x, y))
            distance = math.dist(end, (x, y))
            others = (at for other, places in self.anchors.items() if other != name for at in places)
            if distance > reach or any(math.dist(box.nearest(at), at) <= distance for at in others):
                stroke(ax, (x, y), end, MUTED, width=0.5)
            color = self.looks[name].color if colored else INK
            text(ax, box.left, (box.bottom + box.top) / 2, label, size=size, color=color)
        return {name for name, spot in zip(names, found, strict=True) if spot is None}
