"""Published accuracy against measured throughput of networks; the area of a mark is their parameters."""

from __future__ import annotations

import math

from matplotlib.lines import Line2D

from benchsuite.format import si
from benchsuite.report import canvas as draw
from benchsuite.report.canvas import measure, text_size
from benchsuite.report.figures.axes import apply, scale, title_of
from benchsuite.report.figures.choose import Drawn, Options, Request, chosen, fullest, one_kernel
from benchsuite.report.figures.layout import grid
from benchsuite.report.figures.scatter import label
from benchsuite.report.labels import Box, around, place
from benchsuite.report.points import names_of
from benchsuite.report.theme import MUTED
from benchsuite.report.words import joined, pixels
from benchsuite.results.metrics import METRICS

LARGEST = 2.2
"""Diameter of the mark of the network with most parameters, in those of a plain mark."""


def accuracy(asked: Request) -> Drawn | None:
    """Published top-1 over measured throughput on one kernel; None for fewer than two networks with both."""
    cells, looks, layout, options = asked
    kernel = one_kernel(cells, options) if cells else ""
    cells = fullest([p for p in chosen(cells, Options(kernel, names=options.names)) if p.throughput.known])
    known = [point for point in cells if not math.isnan(point.top1)]
    if len(names_of(known)) < 2:
        return None
    most = max(point.metrics["params"].value for point in known)
    plain = draw.mark_size()

    def diameter(params: float) -> float:
        return plain * max(0.8, LARGEST * math.sqrt(params / most))

    sizes = [most / 4, most]
    handles = [
        Line2D(
            [], [], linestyle="none", marker="o", color=MUTED, fillstyle="none", markersize=diameter(size),
            label=f"{si(size, digits=2)} parameters",
        )
        for size in sizes
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
        radius = diameter(point.metrics["params"].value)
        draw.mark(
            panel.ax, point.throughput.value, point.top1, looks[point.name], "full", point.cell, size=radius
        )
        spots.append(here)
        taken.append(around(*here, radius / 2 + 1))
    found = place(
        [[spot] for spot in spots],
        [measure(looks[point.name].label, text_size()) for point in known],
        Box(1, 1, panel.width + 8, panel.height),
        taken=taken,
        gaps=(plain * LARGEST / 2 + 2, 16.0, 24.0, 34.0, 48.0),
    )
    for point, spot in zip(known, found, strict=True):
        if spot is not None:
            label(panel.ax, looks[point.name].label, *spot, size=text_size(), reach=plain * LARGEST)
    without = sorted({point.name for point in cells} - {point.name for point in known})
    caption = (
        f"At {pixels(known[0].resolution)} on the {kernel} kernel. Throughput is measured here; accuracy is "
        "published by the authors and was not measured. The area of a mark is the number of parameters."
    )
    if without:
        caption += f" No published value: {joined(without)}."
    return canvas, caption
