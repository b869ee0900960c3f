"""With which power of the tokens latency and memory grow: a sentence for what differs, a table for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.analyse.growth import Growth, growth
from benchsuite.report.points import Point, kernels_of
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import lowered
from benchsuite.results.metrics import METRICS
from benchsuite.results.nouns import noun

FITTED = ("latency_s", "peak_memory_bytes")
FEW = 4
"""Sizes below which a sentence also gives the residual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """How one metric of one name grows on one kernel."""

    name: str
    kernel: str
    metric: str
    law: Growth


def fitted(cells: Sequence[Point]) -> list[Fitted]:
    """A power law for every name, kernel and metric that was measured at three numbers of tokens or more."""
    series: dict[tuple[str, str], list[Point]] = {}
    for point in cells:
        series.setdefault((point.kernel, point.name), []).append(point)
    found = []
    for kernel in kernels_of(cells):
        for (its, name), mine in series.items():
            for metric in FITTED if its == kernel else ():
                law = growth([p.tokens for p in mine], [p.metrics[metric].value for p in mine])
                if law is not None:
                    found.append(Fitted(name=name, kernel=kernel, metric=metric, law=law))
    return found


def grows(cells: Sequence[Point]) -> str:
    """What surely grows faster and what surely slower with size, a sentence a kernel and metric.

    Two are held against each other only over the same sizes, and where the intervals of both exponents tell.
    """
    unit = _unit(cells)
    laws = fitted(cells)
    sentences = []
    for metric, kernel in dict.fromkeys((one.metric, one.kernel) for one in laws):
        mine = [one for one in laws if (one.metric, one.kernel) == (metric, kernel)]
        spans = [(one.law.sizes, one.law.first, one.law.last) for one in mine]
        usual = max(spans, key=spans.count)
        mine = [one for one, span in zip(mine, spans, strict=True) if span == usual]
        fast, slow = max(mine, key=lambda one: one.law.lo), min(mine, key=lambda one: one.law.hi)
        if len(mine) > 1 and fast.law.lo <= slow.law.hi:
            continue
        text = f"With the {kernel} kernel, {lowered(METRICS[metric].label)} of {_text(fast, unit)}"
        if fast is not slow:
            text += f", that of {_text(slow, unit)}"
        law = fast.law
        sentences.append(f"{text}, between {law.first:,.0f} and {law.last:,.0f} {unit}.")
    return " ".join(sentences)


def growth_table(cells: Sequence[Point]) -> Table | None:
    """Every exponent with its interval; None where nothing was measured at three sizes."""
    laws = fitted(cells)
    if not laws:
        return None
    unit = _unit(cells)
    rows: dict[tuple[str, str], dict[str, Growth]] = {}
    for one in laws:
        rows.setdefault((one.name, one.kernel), {})[one.metric] = one.law
    shown = [metric for metric in FITTED if any(one.metric == metric for one in laws)]
    headers = [Header(noun(p.subject for p in cells).heading), Header("Kernel")]
    for metric in shown:
        headers += [
            Header(f"{METRICS[metric].label} (exponent)", numeric=True),
            Header("Largest residual", numeric=True),
        ]
    headers += [Header(f"Sizes ({unit})", numeric=True)]
    return Table(
        f"{' and '.join(METRICS[metric].label for metric in shown)} as a power of the {unit}: least squares "
        "in logarithms, with the 95 % interval of the exponent by Student's t from four sizes on, and how "
        "far the worst point is from the power law. A wide interval or a large residual means that the "
        "growth is no power law over these sizes.",
        tuple(headers),
        tuple(_row(name, kernel, laws, shown) for (name, kernel), laws in rows.items()),
    )


def _row(name: str, kernel: str, laws: dict[str, Growth], shown: Sequence[str]) -> Row:
    texts = [TableCell(name), TableCell(kernel)]
    for metric in shown:
        law = laws.get(metric)
        texts.append(TableCell(_told(law), law.exponent) if law else TableCell("–"))
        texts.append(TableCell(f"{100 * law.residual:.1f} %", law.residual) if law else TableCell("–"))
    widest = max(laws.values(), key=lambda law: law.sizes)
    sizes = f"{widest.sizes}: {widest.first:,.0f} to {widest.last:,.0f}"
    return Row((*texts, TableCell(sizes, widest.sizes)))


def _text(one: Fitted, unit: str) -> str:
    """MSA grows as tokens^1.86 [1.80, 1.92]."""
    few = f" (3 sizes, at most {100 * one.law.residual:.1f} % off)" if one.law.sizes < FEW else ""
    return f"{one.name} grows as {unit}^{interval(one.law)}{few}"


def _told(law: Growth) -> str:
    """The exponent, and its interval unless a single degree of freedom makes it absurdly wide."""
    return interval(law) if law.sizes >= FEW else interval(law).partition(" ")[0]


def interval(law: Growth) -> str:
    """An exponent with its interval: "1.86 [1.80, 1.92]"."""
    rounded = (round(number, 2) + 0.0 for number in (law.exponent, law.lo, law.hi))  # no −0.00
    numbers = (f"{number:.2f}".replace("-", "−") for number in rounded)
    return "{} [{}, {}]".format(*numbers)


def _unit(cells: Sequence[Point]) -> str:
    """A network makes its own tokens, so its sizes are pixels."""
    return "pixels" if cells and all(point.subject == "backbone" for point in cells) else "tokens"
