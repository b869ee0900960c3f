"""What tests of figures share: records → drawing, and what is read from its artists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from benchsuite.report import theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.cells import Cells, read
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.layout import PAGE, Layout
from benchsuite.report.figures.of_run import drawings
from benchsuite.results.record import Record
from tests.report.synthetic import ENVIRONMENT, make_run

SELFTEST = {"selftest": {"passed": True, "noise_percent": 2.0, "drift_percent": 1.0}}


def cells_of(records: Sequence[Record], machine: Mapping[str, Any] | None = None) -> Cells:
    """The cells of a run of these records."""
    run = make_run(records)
    environment = dict(ENVIRONMENT) | dict(machine or {})
    object.__setattr__(run, "environment", environment)
    object.__setattr__(run, "environments", {1: environment})
    return read(run)


def absent(
    kind: str,
    records: Sequence[Record],
    layout: Layout = PAGE,
    machine: Mapping[str, Any] | None = None,
    **options: Any,
) -> Drawing | None:
    """The first figure of this kind, or None."""
    with theme.applied():
        found = drawings(cells_of(records, machine), layout, [KINDS[kind]], **options)
        return next((one.drawing for one in found), None)


def drawn(
    kind: str,
    records: Sequence[Record],
    layout: Layout = PAGE,
    machine: Mapping[str, Any] | None = None,
    **options: Any,
) -> Drawing:
    """The same, which must be there."""
    drawing = absent(kind, records, layout, machine, **options)
    assert drawing is not None
    return drawing


def marks(axes: Axes | Figure, record: Record) -> list[Line2D]:
    """The marks that stand for a cell."""
    panels = axes.axes if isinstance(axes, Figure) else [axes]
    return [
        artist
        for panel in panels
        for artist in panel.get_children()
        if isinstance(artist, Line2D) and artist.get_gid() == f"cell:{record.id}"
    ]


def pieces(drawing: Drawing, record: Record) -> list[float]:
    """The lengths of the pieces of a cell's bar."""
    (ax,) = drawing.figure.axes
    return [
        patch.get_width()
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_gid() == f"cell:{record.id}"
    ]


def texts(figure: Figure) -> list[str]:
    """The texts inside panels."""
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def legend(figure: Figure) -> list[str]:
    """The words of the legend."""
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def rows(axes: Axes) -> list[str]:
    """The labels of rows, from the top."""
    return [label.get_text() for label in axes.get_yticklabels()]
