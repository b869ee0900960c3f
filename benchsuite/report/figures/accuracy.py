"""Published accuracy against measured throughput of networks; the area of a mark is their parameters."""

from __future__ import annotations

import math
from dataclasses import replace

from benchsuite.format import joined, si
from benchsuite.report.canvas import NamedMarks, grid, handle, mark_size
from benchsuite.report.figures.choose import Drawn, FigureRequest, fullest, one_kernel
from benchsuite.report.figures.scales import apply, scale, title_of
from benchsuite.report.reported_cells import names_of
from benchsuite.report.words import pixels
from benchsuite.results.metrics import METRICS

LARGEST = 2.2
"""Diameter of the mark of the network with most parameters, in those of a plain mark."""


def accuracy(request: FigureRequest) -> Drawn | None:
    """Published top-1 over measured throughput on one kernel; None for fewer than two networks with both."""
    looks, layout = request.looks, request.layout
    kernel = one_kernel(request.cells, request) if request.cells else ""
    cells = fullest([p for p in replace(request, kernel=kernel).chosen if p.throughput.known])
    known = [cell for cell in cells if not math.isnan(cell.top1)]
    if len(names_of(known)) < 2:
        return None
    most, largest = max(cell.metrics["params"].value for cell in known), mark_size() * LARGEST
    handles = [
        handle(f"{si(size, digits=2)} parameters", "o", fill="none", markersize=_diameter(size, most))
        for size in (most / 4, most)
    ]
    height = 190.0 if layout.narrow else 300.0
    figure, (panel,) = grid(layout, 1, columns=1, height=height, handles=handles, left=48.0, above=14.0)
    speeds = [cell.throughput.value for cell in known]
    apply(panel.ax, "x", scale(speeds, "images/s", pad=0.14, log=False), "images/s")
    apply(panel.ax, "y", scale([cell.top1 for cell in known], "", pad=0.14, log=False), "")
    panel.ax.set_xlabel(f"Measured {title_of(METRICS['throughput']).lower()}")
    panel.ax.set_ylabel("Published top-1 on ImageNet-1K (%)")
    marks = NamedMarks(panel, looks)
    for cell in known:
        size = _diameter(cell.metrics["params"].value, most)
        marks.add(cell.name, cell.throughput.value, cell.top1, "full", cell.id, size=size)
    marks.name(list(marks.anchors), reach=largest, gaps=(largest / 2 + 2, 16.0, 24.0, 34.0, 48.0))
    without = sorted({cell.name for cell in cells} - {cell.name for cell in known})
    caption = (
        f"At {pixels(known[0].resolution)} on the {kernel} kernel. Throughput is measured here; accuracy is "
        "published by the authors and was not measured. The area of a mark is the number of parameters."
    )
    return figure, caption + (f" No published value: {joined(without)}." if without else "")


def _diameter(params: float, most: float) -> float:
    """Diameter in points of the mark of a network with so many parameters, of at most `most`."""
    return mark_size() * max(0.8, LARGEST * math.sqrt(params / most))
