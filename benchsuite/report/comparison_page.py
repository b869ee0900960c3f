"""A comparison of two runs as sentences and tables: for the page, for Markdown and for a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchsuite.findings.exact import Change
from benchsuite.format import significant
from benchsuite.report import across_page
from benchsuite.report.across import across
from benchsuite.report.across import plain as plain_across
from benchsuite.report.comparison import CAVEAT, SEEN, Comparison, Pair, compare, plain
from benchsuite.report.differences import metric_words, table_of
from benchsuite.report.html import filled
from benchsuite.report.points import Value, stated
from benchsuite.report.prose import Section, trimmed
from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import counted, fixed, joined, scale_of, some, spread
from benchsuite.results.store import Run
from benchsuite.stats.evidence import FALSE_DISCOVERY


@dataclass(frozen=True)
class ComparisonPage:
    """The whole page. `styles` are those of figures, of which there are none.

    Attributes:
        answer: how many cells are slower, faster or undecided; empty for more than two runs.
    """

    title: str
    answer: str
    summary: str
    caveat: str
    sections: tuple[Section, ...]
    styles: str = ""


def page(comparison: Comparison) -> ComparisonPage:
    """The comparison in words."""
    sections = [_comparable(comparison), _times(comparison), _exact(comparison), _missing(comparison)]
    return ComparisonPage(
        title=f"{comparison.new} compared with {comparison.old}",
        answer=_answer(comparison),
        summary=f"A is {comparison.old}; B is {comparison.new}. Ratios are B over A.",
        caveat=CAVEAT,
        sections=tuple(section for section in sections if section is not None),
    )


def to_html(comparison: Comparison) -> str:
    """The page as one HTML file that loads nothing."""
    return to_html_of(page(comparison))


def of_runs(runs: Sequence[Run]) -> ComparisonPage:
    """The page of two runs or more: two are compared cell by cell, more by machine, order and reference."""
    beside = across(runs)
    if len(runs) == 2:
        both = page(compare(*runs))
        return replace(both, sections=(*both.sections, *across_page.relative_sections(beside)))
    sides = [f"{side.letter} is {side.name}" for side in beside.sides]
    return ComparisonPage(
        title=f"{len(runs)} runs compared",
        answer="",
        summary=f"{'; '.join(sides)}.",
        caveat=CAVEAT,
        sections=tuple(across_page.sections(beside)),
    )


def plain_of(runs: Sequence[Run]) -> dict[str, Any]:
    """The same as JSON-able data; what two runs have beyond more is beside the key `across`."""
    beside = plain_across(across(runs))
    return plain(compare(*runs)) | {"across": beside} if len(runs) == 2 else beside | {"caveat": CAVEAT}


def to_html_of(made: ComparisonPage) -> str:
    """A page as one HTML file."""
    return filled("comparison.html.j2", made)


def _comparable(comparison: Comparison) -> Section:
    found = comparison.findings
    grave = [one.label for one in found if one.level == comparison.level]
    said = {
        None: "Machines, software and settings are the same in all that is compared.",
        "note": "Machines, software and settings differ in nothing that usually changes times.",
        "warn": f"Time differences may have other causes than the code: {some(grave)}.",
        "refuse": f"Times are not comparable: the two runs differ in {some(grave)}.",
    }[comparison.level]
    sentences = (said, *comparison.warnings)
    caption = "Differences between the two runs, the most serious first."
    table = table_of(caption, ("A", "B"), {"B": found})
    return Section("comparable", "Comparability", sentences, (table,) if table else ())


def _answer(comparison: Comparison) -> str:
    if not comparison.pairs:
        return "The two runs have no cell in common: a cell is the same only if all of its settings are."
    said = [f"{len(found)} {seen}" for seen in SEEN if (found := comparison.of(seen))]
    return f"Of {counted(len(comparison.pairs), 'cell')} in both runs, B is: {joined(said)}."


def _times(comparison: Comparison) -> Section:
    shown = [pair for pair in comparison.pairs if pair.old.known or pair.new.known]
    shown.sort(key=lambda pair: SEEN.index(pair.seen))
    several = len({pair.reason for pair in shown if pair.reason}) > 1
    sentences = tuple(_about_times(comparison))
    if not shown:
        return Section("times", "Times", sentences)
    factor, unit = scale_of((pair.new.value for pair in shown), "s")
    heads = (
        Header("Cell"),
        Header(f"A ({unit})", numeric=True),
        Header(f"B ({unit})", numeric=True),
        Header("B / A", numeric=True),
        Header("B is"),
        Header("Remarks"),
    )
    caption = "Latency per step, and the ratio of the rounds of both." + stated(
        " Brackets: 95 % confidence intervals.",
        (value for pair in shown for value in (pair.old, pair.new, pair.ratio)),
    )
    table = Table(
        caption, heads, tuple(_timed(pair, factor, reason=several) for pair in shown), sortable=True
    )
    return Section("times", "Times", sentences, (trimmed(table),))


def _timed(pair: Pair, factor: float, *, reason: bool) -> Row:
    """Args: reason: with why it is undecided, since the reasons of cells differ."""
    return Row(
        (
            TableCell(pair.words, pair.words),
            _number(pair.old, factor),
            _number(pair.new, factor),
            _number(pair.ratio),
            TableCell(f"{pair.seen}: {pair.reason}" if reason and pair.reason else pair.seen),
            TableCell(pair.remarks),
        ),
        id=f"cell-{pair.id}",
        failed=not pair.ratio.known,
    )


def _number(value: Value, factor: float = 1.0) -> TableCell:
    text = spread(value.value, value.lo, value.hi, factor)
    return TableCell(text, value.value if value.known else None)


def _about_times(comparison: Comparison) -> Iterator[str]:
    ratios = sorted(pair.ratio.value for pair in comparison.pairs if pair.ratio.known)
    if len(ratios) > 1:
        ends = f"{fixed(ratios[0], 4)} to {fixed(ratios[-1], 4)}"
        middle = fixed(statistics.median(ratios), 4)
        yield f"The median of {len(ratios)} ratios is {middle}; they range from {ends}."
    reasons = dict.fromkeys(pair.reason for pair in comparison.of("undecided"))
    if reasons:
        yield f"Undecided: {joined(list(reasons), 'or')}."
    told = len(comparison.of("slower")) + len(comparison.of("faster"))
    if told:
        yield (
            f"Of those called slower or faster, at most {significant(100 * FALSE_DISCOVERY, 2)} % are "
            "expected to be so by chance (false discovery rate, Benjamini and Hochberg)."
        )


def _exact(comparison: Comparison) -> Section:
    title = "Exact numbers"
    if not comparison.changes:
        same = (
            "Parameters, MACs, operators, graphs and peak memory are the same wherever both sides have them."
        )
        return Section("exact", title, (same,) if comparison.pairs else ("There is nothing to compare.",))
    heads = (
        Header("Cell"),
        Header("Number"),
        Header("A", numeric=True),
        Header("B", numeric=True),
        Header("B / A", numeric=True),
        Header("Note"),
    )
    cells = len({change.cell.id for _, change in comparison.changes})
    rows = tuple(_changed(words, change) for words, change in comparison.changes)
    said = f"{counted(len(rows), 'number')} of {counted(cells, 'cell')} changed; they have no noise."
    caption = "Exact numbers that changed."
    return Section("exact", title, (said,), (trimmed(Table(caption, heads, rows, sortable=True)),))


def _changed(words: str, change: Change) -> Row:
    ratio = (
        TableCell("–")
        if change.old == 0
        else TableCell(fixed(change.new / change.old, 4), change.new / change.old)
    )
    sides = (TableCell(f"{value:,}", value) for value in (change.old, change.new))
    metric = metric_words(change)
    return Row((TableCell(words, words), TableCell(metric, metric), *sides, ratio, TableCell(change.note)))


def _missing(comparison: Comparison) -> Section | None:
    sides = [("A", comparison.only_old), ("B", comparison.only_new)]
    tables = tuple(_named(side, cells) for side, cells in sides if cells)
    if not tables:
        return None
    said = [f"{counted(len(cells), 'cell')} only in {side}" for side, cells in sides if cells]
    return Section("missing", "Cells in one run only", (f"{joined(said)}.",), tables)


def _named(side: str, cells: Sequence[tuple[str, str]]) -> Table:
    rows = tuple(Row((TableCell(words), TableCell(id))) for id, words in cells)
    return Table(f"Cells that only {side} has.", (Header("Cell"), Header("Id")), rows)
