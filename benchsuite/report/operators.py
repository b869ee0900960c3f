"""Where the time of profiled cells goes: a bar a cell, cut by kind of work. Frame → `Drawing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator

from benchsuite.report.canvas import WIDTH, Canvas, Drawing, legend_height, measure, text
from benchsuite.report.points import Point, kernels_of, points, resolutions_of
from benchsuite.report.theme import MUTED, PAPER, SERIES, Look
from benchsuite.report.words import counted, fixed, joined, pixels
from benchsuite.report.work import OTHER, kind_of_work
from benchsuite.results.nouns import noun
from benchsuite.results.record import OpShare, Record
from benchsuite.units import si

PROFILE = "profile"
"""Column of the frame with the `Record.profile` of each cell; a frame without it has no profiled cells."""
MOST_KINDS, MOST_CELLS = 6, 40
LINE = 20.0  # height of a cell's line, in points
_LEAST_LABELLED = 26.0  # points that a share's number takes


@dataclass(frozen=True)
class Profiled:
    """One cell.

    Attributes:
        shares: kind of work → its share of the own time; they sum to 1.
        members: kind of work → its operators or kernels with their shares.
        seconds: own time of all of them, per step.
    """

    point: Point
    shares: Mapping[str, float]
    members: Mapping[str, Mapping[str, float]]
    seconds: float


def with_profiles(frame: pd.DataFrame, records: Sequence[Record]) -> pd.DataFrame:
    """The frame of these records with their profiles in a column of their own."""
    return frame.assign(profile=pd.Series([record.profile for record in records], dtype="object"))


def time_by_operator(frame: pd.DataFrame, looks: Mapping[str, Look]) -> Drawing | None:
    """A stacked bar for each profiled cell, by kind of work; None where no cell is profiled.

    Kernels are counted where there are any, on a GPU, and operators elsewhere.
    """
    bars, what = profiled(frame)
    if not bars:
        return None
    drawn, kinds = bars[:MOST_CELLS], largest(bars[:MOST_CELLS])
    labels = row_labels([bar.point for bar in drawn], looks)
    colors = {kind: SERIES[number] for number, kind in enumerate(kinds)} | {OTHER: MUTED}
    handles = [
        Line2D([], [], linestyle="none", marker="s", markersize=7, color=color, label=kind)
        for kind, color in colors.items()
    ]
    left = 14 + max(measure(label, 8.5)[0] for label in labels)
    right, top, height = 66.0, legend_height(handles) + 6, len(drawn) * LINE + 6
    width = WIDTH - left - right
    canvas = Canvas(WIDTH, top + height + 36)
    canvas.legend(handles, left)
    ax = canvas.axes(left, top, width, height)
    _axes(ax, labels, what)
    for level, bar in enumerate(drawn):
        _draw(ax, level, bar, colors, width)
        y = height * (1 - (level + 0.5) / len(drawn))
        text(ax, width + 8, y, si(bar.seconds, "s", 3), color=MUTED, size=8)
    return Drawing(canvas.figure, _caption(bars, drawn, kinds, what, len(frame)), _alt(drawn, what))


def profiled(frame: pd.DataFrame) -> tuple[list[Profiled], str]:
    """The cells that have a profile, and whether it is of kernels or of operators."""
    if PROFILE not in frame:
        return [], ""
    found = [(p, ops) for p, ops in zip(points(frame), frame[PROFILE], strict=True) if ops]
    what = "kernel" if any(op.kind == "kernel" for _, ops in found for op in ops) else "operator"
    return [bar for bar in (_bar(p, ops, what) for p, ops in found) if bar is not None], what


def _bar(point: Point, ops: Sequence[OpShare], what: str) -> Profiled | None:
    """The bar of a cell; what its profile does not name is other work. None if it names nothing."""
    alike = [op for op in ops if op.kind == what and op.share > 0]
    if not alike:
        return None
    members: dict[str, dict[str, float]] = {}
    for op in alike:
        of_kind = members.setdefault(kind_of_work(op.name), {})
        of_kind[op.name] = of_kind.get(op.name, 0.0) + op.share
    shares = {kind: sum(named.values()) for kind, named in members.items()}
    shares[OTHER] = shares.get(OTHER, 0.0) + max(0.0, 1.0 - sum(shares.values()))
    return Profiled(point, shares, members, alike[0].seconds / alike[0].share)


def largest(bars: Sequence[Profiled]) -> list[str]:
    """The kinds of work that most time goes to, over all cells alike, the largest first."""
    total: Counter[str] = Counter()
    for bar in bars:
        total.update({kind: share for kind, share in bar.shares.items() if kind != OTHER})
    return [kind for kind, _ in total.most_common(MOST_KINDS)]


def row_labels(cells: Sequence[Point], looks: Mapping[str, Look]) -> list[str]:
    """Names, and what tells cells of one name apart."""
    sizes, kernels = resolutions_of(cells), kernels_of(cells)
    return [
        " ".join(
            [
                looks[point.name].label,
                *([pixels(point.resolution)] if len(sizes) > 1 else []),
                *([point.kernel] if len(kernels) > 1 else []),
            ]
        )
        for point in cells
    ]


def _axes(ax: Axes, labels: Sequence[str], what: str) -> None:
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{share} %" for share in (0, 25, 50, 75, 100)]))
    ax.set_xlabel(f"Share of the own time of all {what}s")
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.yaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
    ax.yaxis.set_major_formatter(FixedFormatter(list(labels)))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)


def _draw(ax: Axes, level: int, bar: Profiled, colors: Mapping[str, str], width: float) -> None:
    """The pieces of a bar in the order of the legend, so that colour is not all that tells them apart."""
    shares = {kind: bar.shares.get(kind, 0.0) for kind in colors if kind != OTHER}
    shares[OTHER] = max(0.0, 1.0 - sum(shares.values()))
    start = 0.0
    for kind, share in shares.items():
        if share > 0:
            (piece,) = ax.barh(
                level, share, left=start, height=0.72, color=colors[kind], edgecolor=PAPER, linewidth=0.8
            )
            piece.set_gid(f"cell:{bar.point.cell}")
        if share * width >= _LEAST_LABELLED:
            middle = start + share / 2
            ax.text(
                middle,
                level,
                f"{100 * share:.0f} %",
                color=PAPER,
                fontsize=7.5,
                ha="center",
                va="center_baseline",
            )
        start += share


def _caption(
    bars: Sequence[Profiled], drawn: Sequence[Profiled], kinds: Sequence[str], what: str, cells: int
) -> str:
    where = "on the GPU" if what == "kernel" else "on the CPU"
    parts = [
        f"Own time of the {what}s of a step {where}, by kind of work, as torch's profiler saw it: mean of "
        f"the profiled steps. On the right the own time of all {what}s a step; a profiled step is slower "
        "than a timed one, so no latency is read from it."
    ]
    if what == "operator":
        parts.append(f"Here {_spelled(drawn, kinds)}.")
    parts.append("Other is the rest, and what was too small to be kept.")
    if len(drawn) < len(bars):
        parts.append(f"The first {len(drawn)} of {counted(len(bars), 'cell')}.")
    elif len(bars) < cells:
        parts.append(
            f"{len(bars)} of {counted(cells, 'cell')} {'was' if len(bars) == 1 else 'were'} profiled."
        )
    return " ".join(parts)


def _spelled(bars: Sequence[Profiled], kinds: Sequence[str], most: int = 3) -> str:
    """ "matrix products are addmm and bmm; copies are copy_ and cat": the largest of each kind."""
    texts = []
    for kind in kinds:
        total: Counter[str] = Counter()
        for bar in bars:
            total.update(bar.members.get(kind, {}))
        largest = [name.removeprefix("aten::") for name, _ in total.most_common(most)]
        texts.append(f"{kind}: {joined(largest)}")
    return "; ".join(texts)


def _alt(bars: Sequence[Profiled], what: str) -> str:
    names = list(dict.fromkeys(bar.point.name for bar in bars))
    called = noun(bar.point.subject for bar in bars)
    parts = [f"Stacked bars of the own time of {what}s by kind of work for {called.counted(len(names))}."]
    for bar in bars[:MOST_KINDS]:
        kind, share = max(bar.shares.items(), key=lambda item: item[1])
        where = f"{bar.point.name} at {pixels(bar.point.resolution)} on {bar.point.kernel}"
        parts.append(f"{where}: {fixed(100 * share, 2)} % {kind}.")
    return " ".join(parts)
