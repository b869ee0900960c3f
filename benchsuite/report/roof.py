"""Cells under the measured roof of their machine: operations per byte against speed. Frame → `Drawing`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchsuite.analyse.roofline import CACHES, ONE_PRODUCT, UNKNOWN, WINOGRAD, roofline
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
from benchsuite.report.points import kernels_of, names_of, points
from benchsuite.report.theme import MUTED, PAPER, Look, fills
from benchsuite.report.words import counted, fixed, pixels, some
from benchsuite.units import si

HEIGHT = 300.0
_ADDED = ("ridge", "roof_flops_per_s", "roof_share", "limited_by", "roof_kernel", "above")
_LIFTED = {
    CACHES: "left of the ridge, data may stay in the caches, faster than the copy moves",
    WINOGRAD: (
        "dense 3 × 3 convolutions, which this machine does with fewer multiplications than are counted "
        "(Winograd's algorithm)"
    ),
    ONE_PRODUCT: "the roof of this run is one matrix product, which other kernels outrun",
    UNKNOWN: "for no reason that is known",
}
_MOST_NAMED = 3


def with_roofs(frame: pd.DataFrame, environments: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """The frame with the columns of `analyse.roofline` that it lacks."""
    found = roofline(frame, environments)
    return frame.assign(**{name: found[name] for name in _ADDED})


def under_the_roof(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """A point a cell, and the roof of its machine; None where no ceilings were measured, and in training."""
    rows = placed(frame)
    if rows.empty:
        return None
    cells = points(rows)
    many = crowded(points(frame))
    handles: list[Artist] = [*kernel_handles(kernels_of(cells), fills(kernels_of(cells)))]
    if not many:
        handles += [mixer_handle(look) for name, look in looks.items() if name in names_of(cells)]
    top = legend_height(handles) + 6
    canvas = Canvas(WIDTH, top + HEIGHT + 40)
    canvas.legend(handles, 56)
    ax = canvas.axes(56, top, WIDTH - 72, HEIGHT)
    if many:
        plot(ax, rows, faded(looks, named(rows, looks)))
        _name(ax, {row["cell"]: row for row in _ends(rows)}, looks)
    else:
        plot(ax, rows, looks)
    said, caption = words(rows)
    return Drawing(canvas.figure, caption, f"Roofline of {counted(len(rows), 'cell')}. {said}")


def placed(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells that have a place under the roof of their machine."""
    return frame[frame["roof_share"].notna()] if "roof_share" in frame else frame.iloc[:0]


def plot(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw roofs and cells into these axes, hollow for the math kernel."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = float(rows["intensity"].min()), float(rows["intensity"].max())
    roofs = _roofs(rows)
    left, right = min(low, *dict(roofs)) / 2, max(high, *dict(roofs)) * 2
    for ridge, peak in roofs:
        ax.plot([left, ridge, right], [peak * left / ridge, peak, peak], color=MUTED, linewidth=1.4)
    ax.set_xlim(left, right)
    filled = fills(kernels_of(points(rows)))
    for row in rows.to_dict("records"):
        look = looks[row["name"]]
        mark(ax, row["intensity"], row["achieved_flops_per_s"], look, filled[row["kernel"]], row["cell"])
    floor = min(float(rows["achieved_flops_per_s"].min()), *(p * left / r for r, p in roofs))
    ceiling = max(float(rows["achieved_flops_per_s"].max()), *(p for _, p in roofs))
    ax.set_ylim(floor / 1.5, ceiling * 1.5)
    box = ax.get_window_extent()
    for axis, (lo, hi), room in (
        (ax.xaxis, ax.get_xlim(), box.width / 30),
        (ax.yaxis, ax.get_ylim(), box.height / 14),
    ):
        subs = (1.0, 2.0, 5.0) if 3 * math.log10(hi / lo) < room else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value, "")))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Operations per byte that must move [FLOP/B]")
    ax.set_ylabel("Achieved [FLOP/s]")


def _roofs(rows: pd.DataFrame) -> set[tuple[float, float]]:
    """(ridge, FLOP/s) of each machine."""
    return {
        (float(f"{ridge:.4g}"), float(f"{achieved / share:.4g}"))
        for ridge, achieved, share in zip(
            rows["ridge"], rows["achieved_flops_per_s"], rows["ceiling_share"], strict=True
        )
    }


def _ends(rows: pd.DataFrame) -> tuple[Any, Any]:
    """The cell that is farthest from its roof, and the one that is nearest."""
    ordered = sorted(rows.to_dict("records"), key=lambda row: float(row["roof_share"]))
    return ordered[0], ordered[-1]


def named(rows: pd.DataFrame, looks: Mapping[str, Look]) -> set[str]:
    """Whom to tell where there are many: the nearest, the farthest, the reference."""
    return {str(row["name"]) for row in _ends(rows)} | {name for name in looks if looks[name].reference}


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


def words(rows: pd.DataFrame) -> tuple[str, str]:
    """Who is nearest to the roof and who farthest; and that with how to read the figure."""
    cells = {point.cell: point for point in points(rows)}
    worst, best = _ends(rows)

    def told(row: Any) -> str:
        point = cells[row["cell"]]
        share = fixed(100 * row["roof_share"], 2)
        return f"{point.name} at {pixels(point.resolution)} on {point.kernel} ({share} %)"

    if len(rows) == 1:
        said = f"{told(best)} is the only cell with a place under the roof."
    else:
        said = f"Nearest to the roof is {told(best)}, farthest from it {told(worst)}."
    bound = int((rows["limited_by"] == "bandwidth").sum())
    lie = "lies" if bound == 1 else "lie"
    parts = [
        f"{said} {bound} of {counted(len(rows), 'cell')} {lie} left of the ridge, where moving bytes limits.",
        f"The roof is measured: {_peaks(rows)} and a large copy. Hollow marks are the math kernel.",
        "Bytes are the fewest that must move.",
        *_above(rows, told),
    ]
    return said, " ".join(parts)


def _peaks(rows: pd.DataFrame) -> str:
    """What multiplied fastest on each machine, and how fast."""
    found = {
        (float(f"{peak:.4g}"), kernel)
        for peak, kernel in zip(
            rows["achieved_flops_per_s"] / rows["ceiling_share"], rows["roof_kernel"], strict=True
        )
    }
    return " and ".join(
        f"{f'a {kernel}, the fastest that was tried' if kernel else 'a large matrix product'} "
        f"({si(peak, 'FLOP/s', 3)})"
        for peak, kernel in sorted(found)
    )


def _above(rows: pd.DataFrame, told: Callable[[Any], str]) -> Iterator[str]:
    """A sentence for each reason why cells lie above the roof."""
    ordered = sorted(rows.to_dict("records"), key=lambda row: -float(row["roof_share"]))
    for word, why in _LIFTED.items():
        found = [told(row) for row in ordered if row["above"] == word]
        if found:
            verb = "lies" if len(found) == 1 else "lie"
            yield f"{some(found, _MOST_NAMED)} {verb} above the roof: {why}."
