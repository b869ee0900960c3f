"""Published accuracy against measured throughput of networks; the area of a mark is their parameters."""

from __future__ import annotations

import math

from matplotlib.lines import Line2D

from benchsuite.format import si
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import text_size
from benchsuite.report.figures.choose import Drawn, FigureRequest, Options, chosen, fullest, one_kernel
from benchsuite.report.figures.layout import grid
from benchsuite.report.figures.scales import apply, scale, title_of
from benchsuite.report.label_places import Box, around
from benchsuite.report.points import names_of
from benchsuite.report.theme import MUTED
from benchsuite.report.words import joined, pixels
from benchsuite.results.metrics import METRICS

LARGEST = 2.2
"""Diameter of the mark of the network with most parameters, in those of a plain mark."""


def accuracy(request: FigureRequest) -> Drawn | None:
    """Published top-1 over measured throughput on one kernel; None for fewer than two networks with both."""
    cells, looks, layout, options = request
    kernel = one_kernel(cells, options) if cells else ""
    cells = fullest([p for p in chosen(cells, Options(kernel, names=options.names)) if p.throughput.known])
    known = [point for point in cells if not math.isnan(point.top1)]
    if len(names_of(known)) < 2:
        return None
    most, plain = max(point.metrics["params"].value for point in known), draw.mark_size()
    handles = [
        Line2D(
            [], [], linestyle="none", marker="o", color=MUTED, fillstyle="none",
            markersize=_diameter(size, most), label=f"{si(size, digits=2)} parameters",
        )
        for size in (most / 4, most)
    ]  # fmt: skip
    height = 190.0 if layout.narrow else 300.0
    canvas, (panel,) = grid(layout, 1, columns=1, height=height, handles=handles, left=48.0, above=14.0)
    x = scale([point.throughput.value for point in known], "images/s", pad=0.14, log=False)
    y = scale([point.top1 for point in known], "", pad=0.14, log=False)
    apply(panel.ax, "x", x, "images/s")
    apply(panel.ax, "y", y, "")
    panel.ax.set_xlabel(f"Measured {title_of(METRICS['throughput']).lower()}")
    panel.ax.set_ylabel("Published top-1 on ImageNet-1K (%)")
    spots, taken = [], []
    for point in known:
        here = x.share(point.throughput.value) * panel.width, y.share(point.top1) * panel.height
        size, look = _diameter(point.metrics["params"].value, most), looks[point.name]
        draw.mark(panel.ax, point.throughput.value, point.top1, look, "full", point.cell, size=size)
        spots.append(here)
        taken.append(around(*here, size / 2 + 1))
    draw.name_marks(
        panel.ax,
        [looks[point.name].label for point in known],
        [[spot] for spot in spots],
        Box(1, 1, panel.width + 8, panel.height),
        size=text_size(),
        reach=plain * LARGEST,
        taken=taken,
        gaps=(plain * LARGEST / 2 + 2, 16.0, 24.0, 34.0, 48.0),
    )
    without = sorted({point.name for point in cells} - {point.name for point in known})
    caption = (
        f"At {pixels(known[0].resolution)} on the {kernel} kernel. Throughput is measured here; accuracy is "
        "published by the authors and was not measured. The area of a mark is the number of parameters."
    )
    if without:
        caption += f" No published value: {joined(without)}."
    return canvas, caption


def _diameter(params: float, most: float) -> float:
    """Diameter in points of the mark of a network with so many parameters, of at most `most`."""
    return draw.mark_size() * max(0.8, LARGEST * math.sqrt(params / most))
