"""Wall time of a step beside the time that the device works: who waits for the host. Frame → `Drawing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

from benchsuite.report.canvas import WIDTH, Canvas, Drawing, legend_height, measure, text
from benchsuite.report.operators import LINE, row_labels
from benchsuite.report.points import Point, kernels_of, points, resolutions_of
from benchsuite.report.theme import GRID, INK, MUTED, PAPER, SERIES, Look
from benchsuite.report.words import counted, fixed, pixels, some
from benchsuite.results.launch import LAUNCH_BOUND, launch_bound
from benchsuite.results.nouns import noun
from benchsuite.units import si

MOST_ROWS = 24
WORKS, WAITS = "device works", "device waits"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One cell whose device was watched; both times are seconds per step."""

    point: Point
    wall_s: float
    busy_s: float

    @property
    def share(self) -> float:
        """Of the wall time, in which the device works; above 1 where kernels overlap."""
        return self.busy_s / self.wall_s

    @property
    def wall_text(self) -> str:
        """The wall time, to stand beside a bar."""
        return si(self.wall_s, "s", 3)

    @property
    def launch_bound(self) -> bool:
        """Whether the host's speed is what was measured."""
        return launch_bound(self.wall_s, self.busy_s)


def waiting(frame: pd.DataFrame) -> list[Waiting]:
    """The cells whose device time is known, those that wait longest for their wall time first."""
    found = [
        Waiting(point, float(row["latency_s"]), float(row["busy_s"]))
        for point, row in zip(points(frame), frame.to_dict("records"), strict=True)
        if not pd.isna(row["busy_s"]) and not pd.isna(row["latency_s"]) and row["busy_s"] > 0
    ]
    return sorted(found, key=lambda one: one.share)


def waits(frame: pd.DataFrame) -> str:
    """Which cells are launch-bound, in a sentence; nothing where no device was watched, as on a CPU."""
    cells = waiting(frame)
    if not cells:
        return ""
    bound = [one for one in cells if one.launch_bound]
    limit = f"{LAUNCH_BOUND:g} times as long as the device works"
    if not bound:
        least = cells[0]
        none = f"None of {len(cells)} cells is" if len(cells) > 1 else "The only watched cell is not"
        return (
            f"{none} launch-bound: no step takes more than {limit}. The device works for at least "
            f"{_percent(least.share)} of the wall time ({_told(least, cells)})."
        )
    told = some(_named(cells))
    return (
        f"{len(bound)} of {counted(len(cells), 'cell')} {'is' if len(bound) == 1 else 'are'} launch-bound, "
        f"with a step that takes more than {limit}: {told}. Such a time says more of the host than of the "
        "device."
    )


def _named(cells: Sequence[Waiting]) -> list[str]:
    """The launch-bound cells: together where all of a resolution are and that saves names, else by name."""
    sizes = resolutions_of(one.point for one in cells)
    wholes, singles = [], []
    for size in sizes:
        here = [one for one in cells if one.point.resolution == size]
        if len(sizes) > 1 and len(here) > 2 and all(one.launch_bound for one in here):
            wholes.append(f"all {len(here)} at {pixels(size)} (up to {_times(here[0])})")
        else:
            singles += [one for one in here if one.launch_bound]
    singles.sort(key=lambda one: one.share)
    return [*wholes, *(f"{_told(one, cells)} ({_times(one)})" for one in singles)]


def wall_and_busy(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """A bar a cell, cut into the time that the device works and the time that it waits; None on a CPU."""
    cells = waiting(frame)
    if not cells:
        return None
    drawn = cells[:MOST_ROWS]
    parts = {WORKS: SERIES[0], WAITS: GRID}
    handles = [
        Line2D([], [], linestyle="none", marker="s", markersize=7, color=color, label=part)
        for part, color in parts.items()
    ]
    handles.append(Line2D([], [], color=INK, linewidth=1, linestyle="--", label="launch-bound left of it"))
    labels = row_labels([one.point for one in drawn], looks)
    left = 14 + max(measure(label, 8.5)[0] for label in labels)
    right, top, height = 76.0, legend_height(handles) + 6, len(drawn) * LINE + 6
    width = WIDTH - left - right
    canvas = Canvas(WIDTH, top + height + 36)
    canvas.legend(handles, left)
    ax = canvas.axes(left, top, width, height)
    ax.set_xlim(0, max(1.0, drawn[-1].share))
    ax.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    ax.set_xlabel("Share of the wall time of a step")
    ax.set_ylim(len(drawn) - 0.5, -0.5)
    ax.yaxis.set_major_locator(FixedLocator(list(range(len(drawn)))))
    ax.yaxis.set_major_formatter(FixedFormatter(labels))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    for level, one in enumerate(drawn):
        pieces = {WORKS: (0.0, one.share), WAITS: (one.share, max(0.0, 1 - one.share))}
        for part, (start, share) in pieces.items():
            if share > 0:
                (piece,) = ax.barh(
                    level, share, left=start, height=0.72, color=parts[part], edgecolor=PAPER, linewidth=0.3
                )
                piece.set_gid(f"cell:{one.point.cell}")
        y = height * (1 - (level + 0.5) / len(drawn))
        text(ax, width + 8, y, one.wall_text, color=MUTED)
    ax.axvline(1 / LAUNCH_BOUND, color=INK, linewidth=1, linestyle="--", zorder=2.5)
    caption = f"{waits(frame)} On the right the wall time of a step."
    if len(drawn) < len(cells):
        caption += f" Drawn are the {len(drawn)} of {counted(len(cells), 'cell')} that wait most."
    names = noun(one.point.subject for one in drawn).counted(len({one.point.name for one in drawn}))
    alt = (
        f"Bars of the share of the wall time in which the device works for {counted(len(drawn), 'cell')} of "
        f"{names}. {waits(frame)}"
    )
    return Drawing(canvas.figure, caption, alt)


def _times(one: Waiting) -> str:
    return f"{one.wall_s / one.busy_s:.2f} times"


def _told(one: Waiting, cells: Sequence[Waiting]) -> str:
    """The cell in words: "msa at 224 px on math", the kernel only where there are several."""
    every = [other.point for other in cells]
    where = f" at {pixels(one.point.resolution)}" if len(resolutions_of(every)) > 1 else ""
    return f"{one.point.name}{where}" + (f" on {one.point.kernel}" if len(kernels_of(every)) > 1 else "")


def _percent(share: float) -> str:
    return f"{fixed(100 * share, 3) if share >= 1 else fixed(100 * share, 2)} %"
