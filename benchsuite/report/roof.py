"""Cells under the measured roof of their machine: operations per byte against speed. Frame → `Drawing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchsuite.analyse.roofline import roofline
from benchsuite.report.axes import tick_text
from benchsuite.report.canvas import (
    WIDTH,
    Canvas,
    Drawing,
    kernel_handles,
    legend_height,
    mark,
    mixer_handle,
)
from benchsuite.report.crowd import crowded, faded
from benchsuite.report.points import kernels_of, points
from benchsuite.report.theme import MUTED, PAPER, Look, fills
from benchsuite.report.words import counted, fixed, pixels
from benchsuite.units import si

HEIGHT = 300.0
_ADDED = ("ridge", "roof_flops_per_s", "roof_share", "limited_by")


def with_roofs(frame: pd.DataFrame, environments: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """The frame with the columns of `analyse.roofline` that it lacks."""
    found = roofline(frame, environments)
    return frame.assign(**{name: found[name] for name in _ADDED})


def under_the_roof(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """A point a cell, and the roof of its machine; None where no ceilings were measured, and in training."""
    if "roof_share" not in frame:
        return None
    cells = {point.cell: point for point in points(frame)}
    rows = frame[frame["roof_share"].notna()]
    if rows.empty:
        return None
    used = [look for name, look in looks.items() if name in set(rows["name"])]
    many = crowded(list(cells.values()))
    filled = fills(kernels_of(cells.values()))
    kernels = kernels_of(cells[cell] for cell in rows["cell"])
    handles: list[Artist] = [*kernel_handles(kernels, filled)]
    handles += [] if many else [mixer_handle(look) for look in used]
    top = legend_height(handles) + 6
    canvas = Canvas(WIDTH, top + HEIGHT + 40)
    canvas.legend(handles, 56)
    ax = canvas.axes(56, top, WIDTH - 72, HEIGHT)
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = float(rows["intensity"].min()), float(rows["intensity"].max())
    roofs = {
        (float(f"{ridge:.4g}"), float(f"{achieved / share:.4g}"))
        for ridge, achieved, share in zip(
            rows["ridge"], rows["achieved_flops_per_s"], rows["ceiling_share"], strict=True
        )
    }
    left, right = min(low, *dict(roofs)) / 2, max(high, *dict(roofs)) * 2
    for ridge, peak in roofs:
        ax.plot([left, ridge, right], [peak * left / ridge, peak, peak], color=MUTED, linewidth=1.4)
    ax.set_xlim(left, right)
    ordered = sorted(rows.to_dict("records"), key=lambda row: float(row["roof_share"]))
    worst, best = ordered[0], ordered[-1]
    if many:
        looks = faded(looks, {best["name"], worst["name"], *(n for n in looks if looks[n].reference)})
    for row in rows.to_dict("records"):
        look = looks[row["name"]]
        mark(ax, row["intensity"], row["achieved_flops_per_s"], look, filled[row["kernel"]], row["cell"])
    floor = min(float(rows["achieved_flops_per_s"].min()), *(p * left / r for r, p in roofs))
    ceiling = max(float(rows["achieved_flops_per_s"].max()), *(p for _, p in roofs))
    ax.set_ylim(floor / 1.5, ceiling * 1.5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value, "")))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Operations per byte that must move [FLOP/B]")
    ax.set_ylabel("Achieved [FLOP/s]")

    def told(row: Any) -> str:
        point = cells[row["cell"]]
        share = fixed(100 * row["roof_share"], 2)
        return f"{point.name} at {pixels(point.resolution)} on {point.kernel} ({share} %)"

    if len(rows) == 1:
        said = f"{told(best)} is the only cell with a place under the roof."
    else:
        said = f"Nearest to the roof is {told(best)}, farthest from it {told(worst)}."
    if many:
        _name(ax, {row["cell"]: row for row in (best, worst)}, looks)
    bound = int((rows["limited_by"] == "bandwidth").sum())
    lie = "lies" if bound == 1 else "lie"
    peaks = " and ".join(si(peak, "FLOP/s", 3) for _, peak in sorted(roofs))
    caption = (
        f"{said} {bound} of {counted(len(rows), 'cell')} {lie} left of the ridge, where "
        "moving bytes limits. The "
        f"roof is measured: a large matrix product ({peaks}) and a large copy. Bytes are the fewest "
        "that must move; above the roof, data stayed in the caches."
    )
    return Drawing(canvas.figure, caption, f"Roofline of {counted(len(rows), 'cell')}. {said}")


def _name(ax: Axes, cells: Mapping[str, Any], looks: Mapping[str, Look]) -> None:
    """Names beside marks, where a legend of all would be too long."""
    for row in cells.values():
        ax.annotate(
            looks[row["name"]].label,
            (row["intensity"], row["achieved_flops_per_s"]),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},  # the roof may be behind it
        )
