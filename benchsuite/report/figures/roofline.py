"""Cells under the measured roof of their machine: operations per byte against speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.artist import Artist

from benchsuite.findings.roof import CACHES, ONE_PRODUCT, UNKNOWN, WINOGRAD, Roof
from benchsuite.format import si
from benchsuite.report.canvas import kernel_handles, mark, name_marks, text_size
from benchsuite.report.figures.choose import Drawn, FigureRequest, chosen, faded, too_many
from benchsuite.report.figures.layout import grid
from benchsuite.report.figures.scales import apply, scale
from benchsuite.report.label_places import Box, around
from benchsuite.report.points import Point, kernels_of
from benchsuite.report.theme import MUTED, fills
from benchsuite.report.words import counted, joined, percentage, pixels, some

FAR = 10.0
"""Multiple of the ridge beyond which all marks must lie for it to be left out, so that it squeezes none."""
_LIFTED = {
    CACHES: "left of the ridge, data may stay in the caches, faster than the copy moves",
    WINOGRAD: "dense 3 × 3 convolutions, with fewer multiplications than are counted (Winograd's)",
    ONE_PRODUCT: "the roof of this run is one matrix product, which other kernels outrun",
    UNKNOWN: "for no reason that is known",
}


def roofline(request: FigureRequest) -> Drawn | None:
    """A mark a cell, and the roof of its machine; None where no ceilings were measured, and in training."""
    cells, looks, layout, options = request
    placed = [(point, point.roof) for point in chosen(cells, options) if point.roof is not None]
    if not placed:
        return None
    kernels = kernels_of(point for point, _ in placed)
    filled = fills(kernels)
    handles: list[Artist] = [*kernel_handles(kernels, filled)] if len(kernels) > 1 else []
    height = 300.0 if layout.wide else 240.0 if layout.panels(2) > 1 else 200.0
    canvas, (panel,) = grid(layout, 1, columns=1, height=height, handles=handles, left=44.0, above=6.0)
    roofs = {(float(f"{roof.ridge:.4g}"), float(f"{roof.peak:.4g}")) for _, roof in placed}
    xs = [roof.intensity for _, roof in placed]
    xs += [at for ridge, _ in roofs if min(xs) < FAR * ridge for at in (ridge / 2, ridge * 2)]
    x = scale(xs, "", log=True, most_ticks=8)
    ys = [roof.achieved for _, roof in placed] + [peak * min(1.0, x.lo / ridge) for ridge, peak in roofs]
    y = scale([*ys, *(peak for _, peak in roofs)], "", log=True, most_ticks=8)
    sides: tuple[Literal["x", "y"], ...] = ("x", "y")
    for side, axis in zip(sides, (x, y), strict=True):
        apply(panel.ax, side, axis, "")
    for ridge, peak in roofs:
        left = [x.lo, x.hi] if ridge <= x.lo else [x.lo, ridge, x.hi]
        panel.ax.plot(left, [peak * min(1.0, at / ridge) for at in left], color=MUTED)
    panel.ax.set_xlabel("Operations per byte that must move [FLOP/B]")
    panel.ax.set_ylabel("Achieved [FLOP/s]")
    if too_many([point for point, _ in placed]):
        by_share = sorted(placed, key=lambda item: item[1].share)
        kept = {by_share[0][0].name, by_share[-1][0].name} | {
            name for name, look in looks.items() if look.reference
        }
        looks = faded(looks, kept)
    else:
        kept = {point.name for point, _ in placed}
    anchors: dict[str, list[tuple[float, float]]] = {}
    for point, roof in placed:
        here = x.share(roof.intensity) * panel.width, y.share(roof.achieved) * panel.height
        anchors.setdefault(point.name, []).append(here)
        mark(panel.ax, roof.intensity, roof.achieved, looks[point.name], filled[point.kernel], point.cell)
    names = [name for name in anchors if name in kept]
    name_marks(
        panel.ax,
        [looks[name].label for name in names],
        [anchors[name] for name in names],
        Box(1, 1, panel.width + 8, panel.height),
        size=text_size(),
        taken=[around(*here, 4) for spots in anchors.values() for here in spots],
    )
    return canvas, _caption(placed)


def _caption(placed: Sequence[tuple[Point, Roof]]) -> str:
    ordered = sorted(placed, key=lambda item: item[1].share)

    def named(item: tuple[Point, Roof]) -> str:
        point, roof = item
        return f"{point.name} at {pixels(point.resolution)} on {point.kernel} ({percentage(roof.share)})"

    bound = sum(roof.memory_bound for _, roof in placed)
    peaks = sorted({(float(f"{roof.peak:.4g}"), roof.kernel) for _, roof in placed})
    ridges = sorted({f"{roof.ridge:.3g}" for _, roof in placed})
    parts = [
        f"{bound} of {counted(len(placed), 'cell')} left of the ridge, where moving bytes "
        f"limits ({joined(ridges)} FLOP/B).",
        "The roof is measured: a large copy, and "
        + " and ".join(
            f"{kernel or 'a large matrix product'} ({si(peak, 'FLOP/s', 3)})" for peak, kernel in peaks
        )
        + ".",
    ]
    for word, why in _LIFTED.items():
        above = [named(item) for item in reversed(ordered) if item[1].above == word]
        if above:
            parts.append(f"Above the roof: {some(above, 3)}; {why}.")
    return " ".join(parts)
