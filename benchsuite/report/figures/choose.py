"""What of a run a figure shows: its options, and the choice of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from benchsuite.report.canvas import Canvas
from benchsuite.report.figures.layout import Layout
from benchsuite.report.points import Point, Value, counting, kernels_of, resolutions_of
from benchsuite.report.sweeps import Sweep
from benchsuite.report.theme import Look

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """What to draw.

    Attributes:
        kernel: the only one; if unsaid, all, or the first fused one where a figure shows one.
        reference: the name that speeds are relative to; if unsaid, the first.
        metric: key of `METRICS` to draw; if unsaid, those of the figure.
        names: to draw; all if empty.
        sweep: cells over another axis than resolution, for the figure over it.
    """

    kernel: str | None = None
    reference: str | None = None
    metric: str | None = None
    names: tuple[str, ...] = ()
    sweep: Sweep | None = None


class Request(NamedTuple):
    """A figure that is asked for: of which cells, how they look, and where it is to stand."""

    cells: Sequence[Point]
    looks: Mapping[str, Look]
    layout: Layout
    options: Options


Drawn = tuple[Canvas, str]
"""A figure and its caption."""


def chosen(cells: Sequence[Point], options: Options) -> list[Point]:
    """The cells that the options ask for."""
    if options.kernel is not None:
        cells = counting(cells, options.kernel)
    return [point for point in cells if not options.names or point.name in options.names]


def one_kernel(cells: Sequence[Point], options: Options) -> str:
    """The kernel of a figure that shows one: the wanted one, else the first fused one, else math."""
    return options.kernel or kernels_of(cells)[:2][-1]


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, the first and the last among them, spread evenly."""
    if len(items) <= most or most == 1:
        return list(items[-most:])
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def fullest(cells: Sequence[Point]) -> list[Point]:
    """The cells of the resolution that most of them are of, the larger of two."""
    sizes = [[p for p in cells if p.resolution == size] for size in reversed(resolutions_of(cells))]
    return max(sizes, key=len, default=[])


def ends(values: Iterable[Value]) -> list[float]:
    """Values with the ends of their intervals."""
    return [end for value in values for end in (value.value, value.lo, value.hi)]


def setting_labels(cells: Sequence[Point], labels: Sequence[str]) -> list[str]:
    """Labels of cells with what tells those of one name apart: resolution and kernel."""
    sizes, kernels = len(resolutions_of(cells)) > 1, len(kernels_of(cells)) > 1
    return [
        label
        + (f" {str(p.resolution).replace('x', '×')} px" if sizes else "")
        + (f" {p.kernel}" if kernels else "")
        for p, label in zip(cells, labels, strict=True)
    ]
