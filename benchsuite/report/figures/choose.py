"""Choice of what a figure shows: its options, its cells, and its names where there are many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from matplotlib.figure import Figure

from benchsuite.format import counted, joined, some
from benchsuite.labels import noun
from benchsuite.report.canvas import Drawing
from benchsuite.report.figures.layout import Layout
from benchsuite.report.reported_cells import (
    ReportedCell,
    Value,
    counting,
    grouped,
    kernels_of,
    names_of,
    resolutions_of,
)
from benchsuite.report.sweeps import AxisSweep
from benchsuite.report.theme import MUTED, Look
from benchsuite.report.words import STATUS_WORDS, places

T = TypeVar("T")

MANY = 20
"""Names beyond which colours and markers repeat too closely for a legend to be read."""


@dataclass(frozen=True, slots=True)
class FigureRequest:
    """A figure that is asked for: of which cells, how they look, where it is to stand, and what was chosen.

    Attributes:
        kernel: the only one; if unsaid, all, or the first fused one where a figure shows one.
        reference: the name that speeds are relative to; if unsaid, the first.
        metric: key of `METRICS` to draw; if unsaid, those of the figure.
        names: to draw; all if empty.
        sweep: cells over another axis than resolution, for the figure over it.
        of: what tells the cells from others that it could be drawn of; empty for the only ones.
    """

    cells: Sequence[ReportedCell]
    looks: Mapping[str, Look]
    layout: Layout
    kernel: str | None = None
    reference: str | None = None
    metric: str | None = None
    names: tuple[str, ...] = ()
    sweep: AxisSweep | None = None
    of: str = ""

    @property
    def chosen(self) -> list[ReportedCell]:
        """The cells of this kernel and these names."""
        cells = self.cells if self.kernel is None else counting(self.cells, self.kernel)
        return [cell for cell in cells if self.wants(cell.name)]

    def wants(self, name: str) -> bool:
        """True if this name is to be drawn."""
        return not self.names or name in self.names


Drawn = tuple[Figure, str]
"""A figure and its caption."""


def described(drawn: Drawn, title: str, request: FigureRequest) -> Drawing:
    """A figure with its caption, and what it shows in words for those who do not see it."""
    figure, caption = drawn
    shown = [cell for cell in request.cells if request.wants(cell.name)]
    named = noun(cell.subject for cell in shown).counted(len(names_of(shown)))
    alt = f"{title}: {named} at {places(resolutions_of(shown))}."
    failed = sum(cell.status != "ok" for cell in shown)
    if failed:
        alt += f" {counted(failed, 'cell')} without a number."
    return Drawing(figure, caption, alt)


def one_kernel(cells: Sequence[ReportedCell], request: FigureRequest) -> str:
    """The kernel of a figure that shows one: the wanted one, else the first fused one, else math."""
    return request.kernel or kernels_of(cells)[:2][-1]


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, the first and the last among them, spread evenly."""
    if len(items) <= most or most == 1:
        return list(items[-most:])
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def fullest(cells: Sequence[ReportedCell]) -> list[ReportedCell]:
    """The cells of the resolution that most of them are of, the larger of two."""
    sizes = [[p for p in cells if p.resolution == size] for size in reversed(resolutions_of(cells))]
    return max(sizes, key=len, default=[])


def ends(values: Iterable[Value]) -> list[float]:
    """Values with the ends of their intervals."""
    return [end for value in values for end in (value.value, value.lo, value.hi)]


def setting_labels(cells: Sequence[ReportedCell], labels: Sequence[str]) -> list[str]:
    """Labels of cells with what tells those of one name apart: resolution and kernel."""
    sizes, kernels = len(resolutions_of(cells)) > 1, len(kernels_of(cells)) > 1
    return [
        label
        + (f" {str(p.resolution).replace('x', '×')} px" if sizes else "")
        + (f" {p.kernel}" if kernels else "")
        for p, label in zip(cells, labels, strict=True)
    ]


def too_many(cells: Sequence[ReportedCell]) -> bool:
    """True if there are too many names to tell all of them: a few are, the rest are grey marks."""
    return len(names_of(cells)) > MANY


def notable(panel: Sequence[ReportedCell], looks: Mapping[str, Look]) -> set[str]:
    """Names that a panel of MACs against speed tells: on the front or perhaps, extremes, the reference."""
    found = {cell.name for cell in panel if cell.standing in ("certain", "possible")}
    by_speed = sorted(panel, key=lambda cell: cell.throughput.value)
    by_cost = sorted((cell for cell in panel if cell.exact), key=lambda cell: cell.macs)
    found |= {end.name for ordered in (by_speed, by_cost) for end in (*ordered[:1], *ordered[-1:])}
    return found | {cell.name for cell in panel if looks[cell.name].reference}


def faded(looks: Mapping[str, Look], kept: set[str]) -> dict[str, Look]:
    """The same looks with everything but the kept names as grey circles."""
    return {
        name: look if name in kept else replace(look, color=MUTED, marker="o") for name, look in looks.items()
    }


def without_number(cells: Sequence[ReportedCell]) -> str:
    """Sentence of a caption on the cells that failed: " Without a number: a (OOM) and b (unsupported)."."""
    failed = grouped((cell for cell in cells if cell.status != "ok"), lambda cell: cell.status)
    kinds = [f"{some(names_of(alike), 8)} ({STATUS_WORDS[status]})" for status, alike in failed.items()]
    return f" Without a number: {joined(kinds)}." if kinds else ""
