"""A gate as a page in the report's style: what the comment says, every cell, and plots of ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from benchsuite.gate.decide import CellDecision
from benchsuite.gate.formats.phrases import (
    columns,
    counts,
    how_to_accept,
    notable,
    notes,
    one_line,
    ordered,
    outcome,
    provenance,
    tone,
)
from benchsuite.gate.result import GateCell, GateResult
from benchsuite.report.tables import Header, Row, Table, TableCell, Tone, coloured

_WIDTH, _HEIGHT = 160, 16
_LEAST, _MOST = math.log(1.05), math.log(2)
"""How far the plot of ratios reaches to either side at least and at most."""
_UNMEASURED = ("removed", "failed", "not counted", "neither measured")


@dataclass(frozen=True)
class GatePage:
    """What the template gets.

    Attributes:
        headline: what the gate came to, in the colour `tone`; `remarks` are what else was found.
        failing: cells that fail the gate; None if there are none.
        notable: those that improved, came, or were not compared.
        others: all other cells, folded under `counts`.
    """

    title: str
    headline: str
    tone: Tone
    remarks: Sequence[str]
    provenance: Sequence[tuple[str, str]]
    failing: Table | None
    notable: Table | None
    others: Table | None
    counts: str
    notes: Sequence[str]
    accept: str
    command: str
    styles: str = ""


def to_html(result: GateResult) -> str:
    """The page as one HTML file that loads nothing."""
    from benchsuite.report.templating import filled

    return filled("gate.html.j2", page=page_of(result))


def page_of(result: GateResult) -> GatePage:
    """What the page says."""
    cells = ordered(result)
    failing = [cell for cell in cells if cell.verdict in result.failing]
    noted = [cell for cell in cells if cell.verdict not in result.failing and notable(cell)]
    others = [cell for cell in cells if not notable(cell)]
    headline, *remarks = outcome(result)
    return GatePage(
        title=one_line(f"Gate: {result.scenario}"),
        headline=headline,
        tone=tone(result),
        remarks=remarks,
        provenance=provenance(result),
        failing=_table(result, failing, "Cells that fail the gate"),
        notable=_table(result, noted, "Cells to look at that do not fail it"),
        others=_table(result, others, "Other cells"),
        counts=counts(others),
        notes=notes(result),
        accept=how_to_accept(result),
        command=one_line(result.command),
    )


def _table(result: GateResult, cells: Sequence[GateCell], caption: str) -> Table | None:
    if not cells:
        return None
    fields = columns(result)
    rows = [
        [TableCell(one.texts.get(cell.id, ""), (one.values or {}).get(cell.id)) for one in fields]
        for cell in cells
    ]
    for cell, row in zip(cells, rows, strict=True):
        row[1] = coloured(row[1].text, _tone(cell, result))
    heads = [Header(one.head.capitalize(), one.numeric) for one in fields]
    reach = _reach([cell.decision for cell in result.cells if cell.decision])
    if reach:
        ends = f"{math.exp(-reach):.2f} to {math.exp(reach):.2f}"
        caption += f". Plot: ratios from {ends} with confidence intervals; shaded: the limit of the cell"
        heads.insert(-1, Header("Plot"))
        for cell, row in zip(cells, rows, strict=True):
            plot = interval(cell.decision, reach, cell.verdict) if cell.decision else None
            row.insert(-1, TableCell("", shown=plot))
    lines = tuple(
        Row(tuple(row), id=one_line(f"cell-{cell.id}"), failed=cell.verdict in _UNMEASURED)
        for cell, row in zip(cells, rows, strict=True)
    )
    return Table(f"{caption}.", tuple(heads), lines, sortable=True)


def _tone(cell: GateCell, result: GateResult) -> Tone:
    if cell.verdict in result.failing:
        return "bad"
    return "good" if cell.verdict == "faster" else "open"


def _reach(decisions: Sequence[CellDecision]) -> float:
    """Log of the largest ratio that the plot shows; 0 where there is nothing to plot."""
    ends = [
        abs(math.log(x)) for one in decisions for x in (one.ratio, one.lo, one.hi) if x > 0 and x < math.inf
    ]
    return min(_MOST, max(_LEAST, *ends)) if ends else 0.0


def interval(decision: CellDecision, reach: float, verdict: str) -> Markup:
    """The ratio and its interval on a logarithmic scale around 1, as an `<svg>` element.

    Args:
        reach: log of the ratio at the right edge; what lies beyond is cut there.
    """

    def x(ratio: float) -> str:
        share = max(-1.0, min(1.0, math.log(ratio) / reach)) if ratio > 0 else -1.0
        return f"{_WIDTH / 2 * (1 + share):.1f}"

    limit = 1 + decision.delta
    band = Markup('<rect x="{}" y="0" width="{:.1f}" height="{}"/>').format(
        x(1 / limit), float(x(limit)) - float(x(1 / limit)), _HEIGHT
    )
    line = Markup("")
    if not math.isnan(decision.lo):
        line = Markup('<path d="M{} 8H{}"/>').format(x(decision.lo), x(decision.hi))
    mark = Markup("")
    if not math.isnan(decision.ratio):
        mark = Markup('<circle cx="{}" cy="8" r="3.5"/>').format(x(decision.ratio))
    return Markup(
        '<svg class="interval {}" viewBox="0 0 {w} {h}" width="{w}" height="{h}" aria-hidden="true">{}'
        '<path class="one" d="M{} 0V{h}"/>{}{}</svg>'
    ).format(verdict, band, _WIDTH // 2, line, mark, w=_WIDTH, h=_HEIGHT)
