"""A figure laid out in points, and the few marks that all figures draw in the same way."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
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

from benchsuite.report.label_places import Box, place
from benchsuite.report.theme import INK, MUTED, PAPER, Look, crossing
from benchsuite.report.words import percentage


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


class Canvas:
    """A figure of `width` × `height` points, origin at the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose box, without labels, has this place and size."""
        bottom = self.height - top - height
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def legend(self, handles: Sequence[Artist], left: float = 0.0) -> None:
        """A legend in rows at the top of the figure, over its whole width; nothing for no handles."""
        if handles:
            self.figure.legend(
                handles=list(handles),
                loc="upper left",
                bbox_to_anchor=(left / self.width, 1 - 2 / self.height),
                ncols=_legend_columns(handles, self.width - left),
                frameon=False,
                borderpad=0,
                borderaxespad=0,
                handletextpad=0.3,
                columnspacing=1.4,
                labelspacing=0.35,
            )


def measure(text: str, size: float) -> tuple[float, float]:
    """Width and height in points of a text in the figures' font, and 3 % more, as hinting widens letters."""
    font = FontProperties(family="sans-serif", size=size)
    width, height, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.03 * float(width), float(height)


def legend_height(handles: Sequence[Artist], width: float) -> float:
    """Height in points of a legend that is at most so wide, with the gap below; 0 for no handles."""
    rows = math.ceil(len(handles) / _legend_columns(handles, width)) if handles else 0
    return rows * 1.5 * legend_size() + 8.0 if rows else 0.0


def legend_size() -> float:
    """Size of the letters of legends, in points."""
    return float(mpl.rcParams["legend.fontsize"])


def text_size() -> float:
    """Size of the letters of ticks and labels, in points."""
    return float(mpl.rcParams["xtick.labelsize"])


def mark_size() -> float:
    """Diameter of marks, in points."""
    return float(mpl.rcParams["lines.markersize"])


def _legend_columns(handles: Sequence[Artist], width: float) -> int:
    size = legend_size()
    widest = max(measure(str(handle.get_label()), size)[0] for handle in handles)
    return max(1, min(len(handles), int((width - 4) // (widest + 4.2 * size))))


def mixer_handle(look: Look, *, line: bool = True) -> Line2D:
    """Legend entry of a mixer; with a line through its mark where the figure has one."""
    handle = Line2D([], [], color=look.color, marker=look.marker, label=look.label)
    if not line:
        handle.set_linestyle("none")
    return handle


def crossed_handles(looks: Collection[Look]) -> list[Artist]:
    """Legend entries of each colour and each marker where these are two arguments; else nothing."""
    crossed = crossing([look.label for look in looks])
    colors = {crossed[look.label][0]: look.color for look in looks if crossed}
    markers = {crossed[look.label][1]: look.marker for look in looks if crossed}
    return [
        *(Patch(color=color, label=label) for label, color in colors.items()),
        *(mixer_handle(Look(MUTED, marker, label), line=False) for label, marker in markers.items()),
    ]


def kernel_handles(kernels: Sequence[str], fills: Mapping[str, str]) -> list[Line2D]:
    """Legend entries that say which kernel is drawn how: hollow for math, filled for fused ones."""
    words = {"none": "hollow", "full": "filled", "left": "left half", "right": "right half"}
    words |= {"top": "upper half", "bottom": "lower half"}
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            label=f"{words[fills[kernel]]}: {kernel} kernel",
            **_marker("o", fills[kernel]),
        )
        for kernel in kernels
    ]


def noise_handles(noise: float, band: float, *, narrow: bool) -> list[Artist]:
    """Legend entry of the noise floor, whose band is so many points wide; none where it is not known.

    Args:
        narrow: whether there is no room to say that a mark hides the band.
    """
    thin = ", narrower than a mark" if band < mark_size() and not narrow else ""
    label = f"noise floor ±{percentage(noise)}{thin}"
    return [Patch(color=MUTED, alpha=0.3, linewidth=0, label=label)] if noise else []


def _marker(marker: str, fill: str, color: str = MUTED) -> dict[str, Any]:
    return {
        "marker": marker,
        "color": color,
        "fillstyle": "full" if fill == "none" else fill,
        "markerfacecolor": PAPER if fill == "none" else color,
        "markerfacecoloralt": PAPER,
        "markeredgecolor": color,
        "markeredgewidth": mark_size() / 5,
    }


def mark(ax: Axes, x: float, y: float, look: Look, fill: str, cell: str, size: float | None = None) -> None:
    """The marker of one cell; `svg.inline` turns its gid into a tooltip and a link to the cell's row."""
    style = _marker(look.marker, fill, look.color) | ({} if size is None else {"markersize": size})
    line = Line2D([x], [y], linestyle="none", zorder=3, clip_on=False, **style)
    line.set_gid(f"cell:{cell}")
    ax.add_artist(line)


def flagged(drawing: Drawing, cells: Collection[str]) -> Drawing:
    """The drawing with a ! beside the mark of each of these cells, and a line that says what it means."""
    marked = False
    for ax in drawing.figure.axes:
        for line in ax.findobj(Line2D):
            if isinstance(line, Line2D) and str(line.get_gid() or "").partition("cell:")[2] in cells:
                _exclaim(ax, line)
                marked = True
    if not marked:
        return drawing
    return replace(drawing, caption=f"{drawing.caption} A ! marks a cell whose samples have a flag.")


def _exclaim(ax: Axes, mark: Line2D) -> None:
    xs, ys = (np.asarray(values, dtype=float) for values in mark.get_data())
    ax.annotate(
        "!",
        (float(xs[0]), float(ys[0])),
        (4, 3),
        xycoords=mark.get_transform(),
        textcoords="offset points",
        fontsize=text_size() - 1,
        color=MUTED,
        annotation_clip=False,
    )


def bar(ax: Axes, x: tuple[float, float], y: tuple[float, float], color: str) -> None:
    """An interval with caps, from (x[0], y[0]) to (x[1], y[1]) along one of the axes."""
    cap = "_" if x[0] == x[1] else "|"
    ax.plot(
        x, y, color=color, linewidth=1.1, marker=cap, markersize=0.8 * mark_size(), zorder=2.5, clip_on=False
    )


def cross(ax: Axes, x: float, y: float, color: str, cell: str) -> None:
    """The mark of a failed cell, in points from the lower left corner of the axes."""
    bounds = ax.get_window_extent()
    (line,) = ax.plot(
        [x / bounds.width],
        [y / bounds.height],
        transform=ax.transAxes,
        linestyle="none",
        marker="x",
        markersize=0.9 * mark_size(),
        markeredgewidth=mark_size() / 4,
        color=color,
        clip_on=False,
        zorder=3,
    )
    line.set_gid(f"cell:{cell}")


def stroke(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str,
    *,
    width: float = 1.0,
    arrow: bool = False,
    dotted: bool = False,
) -> None:
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
        "",
        end,
        start,
        xycoords="axes points",
        textcoords="axes points",
        arrowprops=style,
        annotation_clip=False,
    )


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
        content,
        (x, y),
        xycoords="axes points",
        ha=ha,
        va="center_baseline",
        color=color,
        fontsize=size or text_size(),
        annotation_clip=False,
    )


def name_marks(
    ax: Axes,
    names: Sequence[str],
    anchors: Sequence[Sequence[tuple[float, float]]],
    bounds: Box,
    *,
    size: float,
    colors: Sequence[str] = (),
    reach: float = 9.0,
    **how: Any,
) -> list[bool]:
    """Write a name near one of its marks, with a leader line where it had to go farther than `reach`.

    Args:
        anchors: of each name, places in points from the lower left corner of the axes.
        colors: of the names; that of ink if unsaid.
        how: see `label_places.place`.

    Returns:
        Of each name whether there was room for it.
    """
    spots = place(anchors, [measure(name, size) for name in names], bounds, **how)
    for i, spot in enumerate(spots):
        if spot is None:
            continue
        box, (x, y) = spot
        nearest = (min(max(x, box.left), box.right), min(max(y, box.bottom), box.top))
        if math.dist(nearest, (x, y)) > reach:
            stroke(ax, (x, y), nearest, MUTED, width=0.5)
        color = colors[i] if colors else INK
        text(ax, box.left, (box.bottom + box.top) / 2, names[i], size=size, color=color)
    return [spot is not None for spot in spots]
