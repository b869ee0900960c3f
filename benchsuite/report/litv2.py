"""Figures as wide as a column of a paper, after the plots of LITv2.

Boxed panels on top of each other with a dashed grid, a face like that of the text around them, marks whose
area is memory, the legend above. What the page draws ten inches wide and nobody has drawn for a column yet
stays as it is on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import matplotlib as mpl
import pandas as pd

from benchsuite.report import column_bars, column_dots, column_lines
from benchsuite.report.canvas import Drawing
from benchsuite.report.energy import energy
from benchsuite.report.splits import memory_split, training_split
from benchsuite.report.theme import INK, Look

DRAWN: Mapping[str, Callable[[pd.DataFrame, Mapping[str, Look]], Drawing | None]] = {
    "macs-vs-throughput": column_lines.scatter,
    "over-resolution": column_lines.scaling,
    "all-metrics": column_dots.metrics,
    "wall-and-busy": column_bars.device,
    "roofline": column_dots.roofline,
    "time-by-operator": column_bars.operators,
    "kernel-speedup": column_dots.kernels,
    "memory-split": partial(memory_split, draw=column_bars.bars),
    "training-split": partial(training_split, draw=column_bars.bars),
    "energy": partial(energy, draw=column_bars.bars),
}
"""Name of a figure of the page → who draws it for a column. To add one, write its function and a line."""

_RC: dict[Any, Any] = {
    "svg.fonttype": "path",  # outlines, so that the file needs no font
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "font.sans-serif": [
        "STIXGeneral",
        "DejaVu Sans",
    ],  # both come with matplotlib; the first looks like Times
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "center",
    "axes.labelsize": 8,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "axes.labelpad": 2,
    "axes.titlepad": 3,
    "grid.color": "#cfcfd6",
    "grid.linestyle": "--",
    "grid.linewidth": 0.4,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
}


@contextmanager
def applied() -> Iterator[None]:
    """Draw and write with these settings, within those of `theme.applied()`."""
    with mpl.rc_context(_RC):
        yield
