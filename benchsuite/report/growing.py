"""With which power of an axis latency and memory grow, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.labels import noun
from benchsuite.report.points import Point
from benchsuite.report.sweeps import RESOLUTION, Line, Sweep, sweeps
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import pixels
from benchsuite.results.metrics import METRICS
from benchsuite.stats.fits import Growth, growth

FITTED = ("latency_s", "peak_memory_bytes")
LEAST_SIZES = 4
"""Sizes from which an exponent is stated: through three points anything is nearly a power law."""
_GROWING = (RESOLUTION, "batch", "dim", "threads")
"""Axes over which a power law is a fair question."""


def growth_tables(cells: Sequence[Point], most: int = 200) -> list[Table]:
    """Every exponent with its interval, a table a sweep with four sizes or more and at most `most` lines."""
    found = []
    for sweep in sweeps(cells):
        if sweep.axis in _GROWING and len(sweep.lines) <= most:
            rows = [row for line in sweep.lines if (row := _row(sweep, line))]
            if rows:
                found.append(_table(sweep, rows))
    return found


def _table(sweep: Sweep, rows: Sequence[Row]) -> Table:
    headers = [Header(noun(p.subject for p in sweep.cells).heading), Header("Kernel"), Header("Resolution")]
    for metric in FITTED:
        headers += [
            Header(f"{METRICS[metric].label}: exponent", numeric=True),
            Header("Misfit", numeric=True),
        ]
    where = f" ({sweep.apart})" if sweep.apart else ""
    return Table(
        f"Latency and memory as a power of the {_unit(sweep)}{where}: least squares in logarithms, from "
        f"{LEAST_SIZES} sizes on. Brackets: 95 % confidence intervals of the exponent; misfit: how far the "
        "worst point is from the power law.",
        tuple(headers),
        tuple(rows),
    )


def _row(sweep: Sweep, line: Line) -> Row | None:
    laws = [_law(sweep, line, metric) for metric in FITTED]
    if not any(laws):
        return None
    place = "all" if sweep.axis == RESOLUTION else pixels(line.resolution)
    texts = [TableCell(line.name), TableCell(line.kernel), TableCell(place)]
    for law in laws:
        texts.append(TableCell(interval(law), law.exponent) if law else TableCell("–"))
        texts.append(TableCell(f"{100 * law.residual:.1f} %", law.residual) if law else TableCell("–"))
    return Row(tuple(texts))


def _law(sweep: Sweep, line: Line, metric: str) -> Growth | None:
    sizes = [spot.point.tokens if sweep.axis == RESOLUTION else spot.at for spot in line.spots]
    law = growth(sizes, [spot.point.metrics[metric].value for spot in line.spots])
    return law if law and law.sizes >= LEAST_SIZES else None


def interval(law: Growth) -> str:
    """An exponent with its interval: "1.86 [1.80, 1.92]"."""
    rounded = (round(number, 2) + 0.0 for number in (law.exponent, law.lo, law.hi))  # no −0.00
    return "{} [{}, {}]".format(*(f"{number:.2f}".replace("-", "−") for number in rounded))


def _unit(sweep: Sweep) -> str:
    """What the axis counts; a network makes its own tokens, so its sizes are pixels."""
    if sweep.axis != RESOLUTION:
        return {"dim": "channels", "batch": "batch", "threads": "threads"}[sweep.axis]
    return "pixels" if all(point.subject == "backbone" for point in sweep.cells) else "tokens"
