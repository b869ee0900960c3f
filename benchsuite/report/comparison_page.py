"""Comparison of runs as sentences and tables: for the page, for Markdown and for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchsuite.format import significant
from benchsuite.report.comparison import CAVEAT, SEEN, ComparedCell, Comparison, compare
from benchsuite.report.differences import COMPARABLE, metric_words, table_of
from benchsuite.report.points import Value, stated
from benchsuite.report.ranking import as_value
from benchsuite.report.tables import Row, Section, TableCell, table, trimmed
from benchsuite.report.templating import filled
from benchsuite.report.words import STATUS_WORDS, counted, fixed, joined, scale_of, sentence, some, spread
from benchsuite.results.store import Run
from benchsuite.stats.evidence import FALSE_DISCOVERY, Decision, Side

_BRACKETS = " Brackets: 95 % confidence intervals."
_HIGHER: Mapping[Side, str] = {**SEEN, "above": "higher", "below": "lower"}


@dataclass(frozen=True)
class ComparisonPage:
    """The whole page. `styles` are those of figures, of which there are none.

    Attributes:
        answer: how many cells are slower, faster or undecided.
    """

    title: str
    answer: str
    summary: str
    caveat: str
    sections: tuple[Section, ...]
    styles: str = ""


def page(runs: Sequence[Run]) -> ComparisonPage:
    """The page of two runs or more."""
    found = compare(runs)
    several = len(runs) > 2
    names = "; ".join(f"{run.letter} is {run.name}, on {run.machine}" for run in found.runs)
    title = (
        f"{len(runs)} runs compared"
        if several
        else f"{found.runs[1].name} compared with {found.runs[0].name}"
    )
    return ComparisonPage(
        title=title,
        answer=_answer(found),
        summary=f"{names}. Ratios are {'over A' if several else 'B over A'}.",
        caveat=CAVEAT,
        sections=tuple(part for part in (*sections(found), _alone(found)) if part),
    )


def sections(found: Comparison) -> list[Section]:
    """Sections on these runs: differences, times, speed relative to a reference, exact numbers."""
    parts = (_comparable(found), _times(found), _relative(found), _exact(found))
    return [part for part in parts if part]


def to_html(page: ComparisonPage) -> str:
    """A page as one HTML file that loads nothing."""
    return filled("comparison.html.j2", page=page)


def _answer(found: Comparison) -> str:
    if not found.cells:
        return "No cell is in two of the runs: a cell is the same only if all of its settings are."
    texts = []
    for run in found.others:
        both = [cell for cell in found.cells if {"A", run.letter} <= cell.points.keys()]
        sides = Counter(cell.times[run.letter].side for cell in both if run.letter in cell.times)
        counts = [f"{sides[side]} {word}" for side, word in SEEN.items() if sides[side]]
        missing = len(both) - sides.total()
        counts += [f"{missing} without a time"] if missing else []
        texts += [
            f"Of {counted(len(both), 'cell')} in A and {run.letter}, {run.letter} is: {joined(counts)}."
        ]
    return " ".join(texts)


def _comparable(found: Comparison) -> Section:
    runs = table(
        "The runs; the tables below name them by letter.",
        ("Run", "Folder", "Machine", "PyTorch", "Commit", "Date", "Comparable"),
        (
            (
                run.letter, run.name, run.machine, run.torch or "–", run.commit or "–", run.date or "–",
                "–" if run is found.runs[0] else COMPARABLE[run.level],
            )
            for run in found.runs
        ),
    )  # fmt: skip
    differences = table_of(
        "Differences from run A, the most serious first.",
        [run.letter for run in found.runs],
        {run.letter: run.findings for run in found.runs},
    )
    tables = (runs, differences) if differences else (runs,)
    return Section("comparable", "Comparability", tuple(_about_comparability(found)), tables)


def _about_comparability(found: Comparison) -> Iterator[str]:
    doubts = False
    for level, text in (
        ("refuse", "Times of {runs} are not comparable with those of A: they differ in {what}."),
        ("warn", "Time differences of {runs} to A may have other causes than the code: {what}."),
    ):
        runs = [run for run in found.others if run.level == level]
        if runs:
            doubts = True
            labels = [one.label for run in runs for one in run.findings if one.level == level]
            letters = joined([run.letter for run in runs])
            yield text.format(runs=letters, what=some(list(dict.fromkeys(labels))))
    if not doubts:
        yield (
            "Machines, software and settings differ in nothing that usually changes times."
            if any(run.level for run in found.others)
            else "Machines, software and settings are the same in all that is compared."
        )
    alone = [f"{counted(len(run.alone), 'cell')} only in {run.letter}" for run in found.runs if run.alone]
    yield from [f"{joined(alone)}."] if alone else []
    yield from found.warnings


def _times(found: Comparison) -> Section | None:
    shown = [cell for cell in found.cells if any(point.latency.known for point in cell.points.values())]
    if not shown:
        return None
    factor, unit = scale_of((p.latency.value for cell in shown for p in cell.points.values()), "s")
    letters = [run.letter for run in found.runs]
    numbers = [f"{letter} ({unit})" for letter in letters] + [f"{letter} / A" for letter in letters[1:]]
    caption = "Latency per step, and the ratio of the rounds of both." + stated(
        _BRACKETS, (point.latency for cell in shown for point in cell.points.values())
    )
    rows = (
        Row(
            (
                TableCell(cell.words),
                *(_time(cell, letter, factor) for letter in letters),
                *(_decided(cell.times.get(letter)) for letter in letters[1:]),
                TableCell(_sides(cell.times, SEEN, found)),
                TableCell(_remarks(cell)),
            ),
            failed=not cell.times,
        )
        for cell in sorted(shown, key=_gravest)
    )
    heads = ("Cell", *numbers, _judged(found), "Remarks")
    return Section(
        "times",
        "Times",
        tuple(_about_times(found)),
        (trimmed(table(caption, heads, rows, numeric=numbers, sortable=True)),),
    )


def _gravest(cell: ComparedCell) -> int:
    """Order of rows: slower cells first, those without a time last."""
    order = list(SEEN)
    return min((order.index(one.side) for one in cell.times.values()), default=len(order))


def _time(cell: ComparedCell, letter: str, factor: float) -> TableCell:
    point = cell.points.get(letter)
    if point is None:
        return TableCell("–")
    return _number(point.latency, factor) if point.latency.known else TableCell(STATUS_WORDS[point.status])


def _number(value: Value, factor: float = 1.0) -> TableCell:
    text = spread(value.value, value.lo, value.hi, factor)
    return TableCell(text, value.value if value.known else None)


def _decided(decision: Decision | None) -> TableCell:
    return TableCell("–") if decision is None else _number(as_value(decision))


def _judged(found: Comparison) -> str:
    """Head of the column of decisions."""
    return "B is" if len(found.runs) == 2 else "Compared with A"


def _sides(decisions: Mapping[str, Decision], words: Mapping[Side, str], found: Comparison) -> str:
    """The decisions on a cell: "slower" of two runs, "B slower, C undecided" of more."""
    if len(found.runs) == 2:
        return "".join(words[one.side] for one in decisions.values())
    texts = []
    for side, word in words.items():
        letters = [letter for letter, one in decisions.items() if one.side == side]
        texts += [f"{joined(letters)} {word}"] if letters else []
    return ", ".join(texts)


def _remarks(cell: ComparedCell) -> str:
    """Flags with the run that has them: "A: drift, busy host"."""
    flags = {letter: point.flags for letter, point in cell.points.items() if point.flags}
    return "; ".join(f"{letter}: {', '.join(words).replace('_', ' ')}" for letter, words in flags.items())


def _about_times(found: Comparison) -> Iterator[str]:
    every = [decision for cell in found.cells for decision in cell.times.values()]
    reasons = dict.fromkeys(one.reason for one in every if one.side == "undecided")
    yield from [sentence(f"Undecided: {joined(list(reasons), 'or')}")] if reasons else []
    if any(one.side in ("above", "below") for one in every):
        yield (
            f"Of those called slower or faster, at most {significant(100 * FALSE_DISCOVERY, 2)} % are "
            "expected to be so by chance (false discovery rate, Benjamini and Hochberg)."
        )


def _relative(found: Comparison) -> Section | None:
    title = "Speed relative to a reference mixer"
    if len({cell.name for cell in found.cells}) < 2:
        return None
    if found.reference is None:
        none = "The runs have no timed mixer in common, so speeds have no common reference."
        return Section("relative", title, (none,))
    about = (
        f"Throughput as a multiple of that of {found.reference} in the same run and setting; above 1 is "
        "faster. Machines can be compared by these ratios, where their seconds cannot."
    )
    letters = [run.letter for run in found.runs]
    values = {cell.id: [cell.relative(letter) for letter in letters] for cell in found.cells}
    rows: list[list[str | TableCell]] = [
        [cell.words, *map(_number, values[cell.id]), _sides(cell.multiples, _HIGHER, found)]
        for cell in found.cells
        if cell.name != found.reference and any(value.known for value in values[cell.id])
    ]
    if not rows:
        return Section("relative", title, (about, "No other cell was timed with it."))
    wish = (
        f"The scenario's reference, {found.wanted}, was not timed in all runs; {found.reference} is the "
        "first that was."
    )
    caption = f"Throughput over that of {found.reference}, paired by round." + stated(
        _BRACKETS, (value for row in values.values() for value in row)
    )
    ratios = table(caption, ("Cell", *letters, _judged(found)), rows, numeric=letters, sortable=True)
    return Section("relative", title, (about, wish) if found.wanted else (about,), (ratios,))


def _exact(found: Comparison) -> Section | None:
    if not found.cells:
        return None
    rows = [
        (
            found.words[change.cell.id],
            metric_words(change),
            run.letter if len(found.runs) > 2 else "",
            TableCell(f"{change.old:,}", change.old),
            TableCell(f"{change.new:,}", change.new),
            TableCell(fixed(change.new / change.old, 4), change.new / change.old) if change.old else "–",
            change.note,
        )
        for run in found.others
        for change in run.changes
    ]
    if not rows:
        same = (
            "Parameters, MACs, operators, graphs and peak memory are the same wherever both sides have them."
        )
        return Section("exact", "Exact numbers", (same,))
    there = "B" if len(found.runs) == 2 else "There"
    numbers = ("A", there, f"{there} / A")
    cells = len({row[0] for row in rows})
    changed = table(
        "Exact numbers that changed.",
        ("Cell", "Number", "Run", *numbers, "Note"), rows, numeric=numbers, sortable=True,
    )  # fmt: skip
    about = f"{counted(len(rows), 'number')} of {counted(cells, 'cell')} changed; they have no noise."
    return Section("exact", "Exact numbers", (about,), (trimmed(changed),))


def _alone(found: Comparison) -> Section | None:
    """The cells that one run only has, by name."""
    tables = tuple(
        table(f"Cells that only {run.letter} has.", ("Cell", "Id"), ((words, id) for id, words in run.alone))
        for run in found.runs
        if run.alone
    )
    return Section("missing", "Cells in one run only", (), tables) if tables else None
