"""Cells under the measured roof of their machine: operations per byte against speed."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.findings.roof import CACHES, ONE_PRODUCT, UNKNOWN, WINOGRAD, Roof, roof_of
from benchsuite.format import counted, joined, percentage, si, some
from benchsuite.report.canvas import NamedMarks, grid, kernel_handles
from benchsuite.report.figures.choose import Drawn, FigureRequest, faded, too_many
from benchsuite.report.figures.scales import apply, scale
from benchsuite.report.reported_cells import ReportedCell, kernels_of
from benchsuite.report.theme import MUTED, fills
from benchsuite.report.words import pixels

FAR = 10.0
"""Multiple of the ridge beyond which all marks must lie for it to be left out, so that it squeezes none."""
_LIFTED = {
    CACHES: "left of the ridge, data may stay in the caches, faster than the copy moves",
    WINOGRAD: "dense 3 × 3 convolutions, with fewer multiplications than are counted (Winograd's)",
    ONE_PRODUCT: "the roof of this run is one matrix product, which other kernels outrun",
    UNKNOWN: "for no reason that is known",
}
_Placed = Sequence[tuple[ReportedCell, Roof]]


def roofline(request: FigureRequest) -> Drawn | None:
    """A mark a cell, and the roof of its machine; None where no ceilings were measured, and in training."""
    looks, layout = request.looks, request.layout
    placed = [(cell, roof) for cell in request.chosen if (roof := roof_of(cell.measured))]
    if not placed:
        return None
    placed.sort(key=lambda item: item[1].share)
    kernels = kernels_of(cell for cell, _ in placed)
    filled = fills(kernels)
    height = 300.0 if layout.wide else 240.0 if layout.panels(2) > 1 else 200.0
    handles = kernel_handles(kernels, filled)
    figure, (panel,) = grid(layout, 1, columns=1, height=height, handles=handles, left=44.0, above=6.0)
    roofs = {(float(f"{roof.ridge:.4g}"), float(f"{roof.peak:.4g}")) for _, roof in placed}
    xs = [roof.intensity for _, roof in placed]
    xs += [at for ridge, _ in roofs if min(xs) < FAR * ridge for at in (ridge / 2, ridge * 2)]
    x = scale(xs, "", log=True, most_ticks=8)
    ys = [roof.achieved for _, roof in placed] + [peak * min(1.0, x.lo / ridge) for ridge, peak in roofs]
    apply(panel.ax, "x", x, "")
    apply(panel.ax, "y", scale([*ys, *(peak for _, peak in roofs)], "", log=True, most_ticks=8), "")
    for ridge, peak in roofs:
        left = [x.lo, x.hi] if ridge <= x.lo else [x.lo, ridge, x.hi]
        panel.ax.plot(left, [peak * min(1.0, at / ridge) for at in left], color=MUTED)
    panel.ax.set_xlabel("Operations per byte that must move [FLOP/B]")
    panel.ax.set_ylabel("Achieved [FLOP/s]")
    kept = {cell.name for cell, _ in placed}
    if too_many([cell for cell, _ in placed]):
        references = {name for name, look in looks.items() if look.reference}
        kept &= {placed[0][0].name, placed[-1][0].name} | references
        looks = faded(looks, kept)
    marks = NamedMarks(panel, looks)
    for cell, roof in placed:
        marks.add(cell.name, roof.intensity, roof.achieved, filled[cell.kernel], cell.id)
    marks.name([name for name in marks.anchors if name in kept])
    return figure, _caption(placed)


def _caption(placed: _Placed) -> str:
    """The caption; `placed` in rising order of their shares of the roof."""

    def named(item: tuple[ReportedCell, Roof]) -> str:
        cell, roof = item
        return f"{cell.name} at {pixels(cell.resolution)} on {cell.kernel} ({percentage(roof.share)})"

    bound = sum(roof.memory_bound for _, roof in placed)
    peaks = sorted({(float(f"{roof.peak:.4g}"), roof.kernel) for _, roof in placed})
    ridges = sorted({f"{roof.ridge:.3g}" for _, roof in placed})
    kernels = [f"{kernel or 'a large matrix product'} ({si(peak, 'FLOP/s', 3)})" for peak, kernel in peaks]
    parts = [
        f"{bound} of {counted(len(placed), 'cell')} left of the ridge, where moving bytes "
        f"limits ({joined(ridges)} FLOP/B).",
        f"The roof is measured: a large copy, and {' and '.join(kernels)}.",
    ]
    for word, why in _LIFTED.items():
        above = [named(item) for item in reversed(placed) if item[1].above == word]
        if above:
            parts.append(f"Above the roof: {some(above, 3)}; {why}.")
    return " ".join(parts)
