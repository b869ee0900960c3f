"""The figures of a run, one implementation each: points, looks, layout, options → `Drawing`, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchsuite.labels import noun
from benchsuite.report.canvas import Drawing
from benchsuite.report.figures import accuracy, lines, parts, roofline, rows, scatter
from benchsuite.report.figures.choose import Drawn, Options, Request
from benchsuite.report.figures.layout import COLUMN, HALF, PAGE, TWO_COLUMNS, Layout, column
from benchsuite.report.points import Point, names_of, resolutions_of
from benchsuite.report.theme import Look
from benchsuite.report.words import counted, places

__all__ = [
    "COLUMN",
    "FIGURES",
    "HALF",
    "KINDS",
    "PAGE",
    "TWO_COLUMNS",
    "Draw",
    "FigureKind",
    "Layout",
    "Options",
    "column",
]

Draw = Callable[[Request], Drawn | None]


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A figure.

    Attributes:
        kind: its word on the command line.
        file: name of the files that `--figures` writes.
        section: the word for it in a scenario's `report.sections`; empty for what shows wherever it has data.
        function: draws it; call `draw`, which sets letters and lines to the layout.
        whole: whether it is drawn of a whole run, and not of each group of comparable cells.
    """

    kind: str
    title: str
    file: str
    section: str
    function: Draw
    whole: bool = False

    def draw(
        self,
        cells: Sequence[Point],
        looks: Mapping[str, Look],
        layout: Layout = PAGE,
        options: Options | None = None,
    ) -> Drawing | None:
        """The figure of these cells; None where they do not have what it shows."""
        options = options or Options()
        with layout.applied():
            drawn = self.function(Request(cells, looks, layout, options))
        if drawn is None:
            return None
        canvas, caption = drawn
        shown = [point for point in cells if not options.names or point.name in options.names]
        named = noun(point.subject for point in shown).counted(len(names_of(shown)))
        alt = f"{self.title}: {named} at {places(resolutions_of(shown))}."
        failed = sum(point.status != "ok" for point in shown)
        if failed:
            alt += f" {counted(failed, 'cell')} without a number."
        return Drawing(canvas.figure, caption, alt)


FIGURES: tuple[FigureKind, ...] = (
    FigureKind("scatter", "MACs against speed", "macs-vs-throughput", "scatter", scatter.scatter),
    FigureKind("accuracy", "Published accuracy against speed", "accuracy", "scatter", accuracy.accuracy),
    FigureKind("protocols", "Protocols side by side", "protocols", "scatter", rows.protocols, whole=True),
    FigureKind("axis", "Growth over an axis", "over-axis", "scaling", lines.over_axis),
    FigureKind("scaling", "Growth with resolution", "over-resolution", "scaling", lines.scaling),
    FigureKind("ratio", "Speed relative to the reference", "relative-speed", "scatter", rows.ratio),
    FigureKind("metrics", "All metrics", "all-metrics", "scatter", rows.metrics),
    FigureKind("kernels", "Fused kernels against math", "kernel-speedup", "kernels", rows.kernel_speedup),
    FigureKind("device", "Wall time and device time", "wall-and-device-time", "", parts.device),
    FigureKind("roofline", "Roofline", "roofline", "", roofline.roofline),
    FigureKind("operators", "Time by operator", "time-by-operator", "", parts.operators),
    FigureKind("memory", "Memory breakdown", "memory-breakdown", "memory", parts.memory),
    FigureKind("training", "Training step breakdown", "training-breakdown", "training", parts.training),
    FigureKind("energy", "Energy of an image", "energy", "", parts.energy),
)
"""Every figure, one row each. To add one, write its function and one line here."""

KINDS: Mapping[str, FigureKind] = {figure.kind: figure for figure in FIGURES}
