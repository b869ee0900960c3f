"""Comparison of runs as sentences and tables: for the page, for Markdown and for a terminal.

Two runs are compared cell by cell, more by machine, by the order of their mixers, and by speed relative to a
reference mixer; the last two are also said of two runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.findings.exact import Change
from benchsuite.format import significant
from benchsuite.report import comparison, several_runs
from benchsuite.report.comparison import CAVEAT, SEEN, CellPair, Comparison, compare
from benchsuite.report.differences import COMPARABLE, metric_words, table_of
from benchsuite.report.points import MISSING, Value, grouped, stated
from benchsuite.report.ranking import doubt
from benchsuite.report.several_runs import ComparedCell, Reversal, SeveralRuns, compare_several
from benchsuite.report.tables import Row, Section, Table, TableCell, table, trimmed
from benchsuite.report.templating import filled
from benchsuite.report.words import STATUS_WORDS, counted, fixed, joined, scale_of, some, spread
from benchsuite.results.store import Run
from benchsuite.stats.evidence import FALSE_DISCOVERY

_BRACKETS = " Brackets: 95 % confidence intervals."


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


def page(runs: Sequence[Run]) -> ComparisonPage:
    """The page of two runs or more."""
    several = compare_several(runs)
    if len(runs) == 2:
        return page_of_two(compare(*runs), several)
    names = [f"{run.letter} is {run.name}" for run in several.runs]
    return ComparisonPage(
        title=f"{len(runs)} runs compared",
        answer="",
        summary=f"{'; '.join(names)}.",
        caveat=CAVEAT,
        sections=tuple(sections(several)),
    )


def page_of_two(two: Comparison, several: SeveralRuns | None = None) -> ComparisonPage:
    """The page of two runs.

    Args:
        several: the same two, by the order of their mixers and relative to a reference.
    """
    parts = [_comparable_two(two), _times_of_two(two), _exact(two), _only_one(two)]
    if several is not None:
        parts += [_order(several), _relative(several)]
    return ComparisonPage(
        title=f"{two.new} compared with {two.old}",
        answer=_answer(two),
        summary=f"A is {two.old}; B is {two.new}. Ratios are B over A.",
        caveat=CAVEAT,
        sections=tuple(part for part in parts if part),
    )


def sections(several: SeveralRuns) -> list[Section]:
    """Sections on several runs: differences, order of mixers, relative speed, times."""
    parts = (_comparable(several), _order(several), _relative(several), _times(several))
    return [part for part in parts if part]


def plain(runs: Sequence[Run]) -> dict[str, Any]:
    """The same as JSON-able data; what two runs have beyond more is beside the key `across`."""
    several = several_runs.plain(compare_several(runs))
    if len(runs) == 2:
        return comparison.plain(compare(*runs)) | {"across": several}
    return several | {"caveat": CAVEAT}


def to_html(page: ComparisonPage) -> str:
    """A page as one HTML file that loads nothing."""
    return filled("comparison.html.j2", page=page)


def _number(value: Value, factor: float = 1.0) -> TableCell:
    text = spread(value.value, value.lo, value.hi, factor)
    return TableCell(text, value.value if value.known else None)


def _comparable_two(two: Comparison) -> Section:
    grave = [one.label for one in two.findings if one.level == two.level]
    sentence = {
        None: "Machines, software and settings are the same in all that is compared.",
        "note": "Machines, software and settings differ in nothing that usually changes times.",
        "warn": f"Time differences may have other causes than the code: {some(grave)}.",
        "refuse": f"Times are not comparable: the two runs differ in {some(grave)}.",
    }[two.level]
    caption = "Differences between the two runs, the most serious first."
    differences = table_of(caption, ("A", "B"), {"B": two.findings})
    tables = (differences,) if differences else ()
    return Section("comparable", "Comparability", (sentence, *two.warnings), tables)


def _answer(two: Comparison) -> str:
    if not two.pairs:
        return "The two runs have no cell in common: a cell is the same only if all of its settings are."
    counts = [f"{len(pairs)} {seen}" for seen in SEEN if (pairs := two.of(seen))]
    return f"Of {counted(len(two.pairs), 'cell')} in both runs, B is: {joined(counts)}."


def _times_of_two(two: Comparison) -> Section:
    shown = [pair for pair in two.pairs if pair.old.known or pair.new.known]
    shown.sort(key=lambda pair: SEEN.index(pair.seen))
    several = len({pair.reason for pair in shown if pair.reason}) > 1
    sentences = tuple(_about_times(two))
    if not shown:
        return Section("times", "Times", sentences)
    factor, unit = scale_of((pair.new.value for pair in shown), "s")
    numbers = (f"A ({unit})", f"B ({unit})", "B / A")
    heads = ("Cell", *numbers, "B is", "Remarks")
    caption = "Latency per step, and the ratio of the rounds of both." + stated(
        _BRACKETS, (value for pair in shown for value in (pair.old, pair.new, pair.ratio))
    )
    rows = (_timed(pair, factor, reason=several) for pair in shown)
    times = table(caption, heads, rows, numeric=numbers, sortable=True)
    return Section("times", "Times", sentences, (trimmed(times),))


def _timed(pair: CellPair, factor: float, *, reason: bool) -> Row:
    """Args: reason: with why it is undecided, since the reasons of cells differ."""
    return Row(
        (
            TableCell(pair.words),
            _number(pair.old, factor),
            _number(pair.new, factor),
            _number(pair.ratio),
            TableCell(f"{pair.seen}: {pair.reason}" if reason and pair.reason else pair.seen),
            TableCell(pair.remarks),
        ),
        id=f"cell-{pair.id}",
        failed=not pair.ratio.known,
    )


def _about_times(two: Comparison) -> Iterator[str]:
    ratios = sorted(pair.ratio.value for pair in two.pairs if pair.ratio.known)
    if len(ratios) > 1:
        ends = f"{fixed(ratios[0], 4)} to {fixed(ratios[-1], 4)}"
        middle = fixed(statistics.median(ratios), 4)
        yield f"The median of {len(ratios)} ratios is {middle}; they range from {ends}."
    reasons = dict.fromkeys(pair.reason for pair in two.of("undecided"))
    if reasons:
        yield f"Undecided: {joined(list(reasons), 'or')}."
    if two.of("slower") or two.of("faster"):
        yield (
            f"Of those called slower or faster, at most {significant(100 * FALSE_DISCOVERY, 2)} % are "
            "expected to be so by chance (false discovery rate, Benjamini and Hochberg)."
        )


def _exact(two: Comparison) -> Section:
    if not two.changes:
        same = (
            "Parameters, MACs, operators, graphs and peak memory are the same wherever both sides have them."
        )
        sentence = same if two.pairs else "There is nothing to compare."
        return Section("exact", "Exact numbers", (sentence,))
    cells = len({change.cell.id for _, change in two.changes})
    sentence = (
        f"{counted(len(two.changes), 'number')} of {counted(cells, 'cell')} changed; they have no noise."
    )
    heads = ("Cell", "Number", "A", "B", "B / A", "Note")
    rows = (
        (
            words,
            metric_words(change),
            TableCell(f"{change.old:,}", change.old),
            TableCell(f"{change.new:,}", change.new),
            _ratio(change),
            change.note,
        )
        for words, change in two.changes
    )
    changed = table("Exact numbers that changed.", heads, rows, numeric=("A", "B", "B / A"), sortable=True)
    return Section("exact", "Exact numbers", (sentence,), (trimmed(changed),))


def _ratio(change: Change) -> TableCell:
    if change.old == 0:
        return TableCell("–")
    return TableCell(fixed(change.new / change.old, 4), change.new / change.old)


def _only_one(two: Comparison) -> Section | None:
    sides = [(side, cells) for side, cells in (("A", two.only_old), ("B", two.only_new)) if cells]
    if not sides:
        return None
    counts = [f"{counted(len(cells), 'cell')} only in {side}" for side, cells in sides]
    tables = tuple(
        table(f"Cells that only {side} has.", ("Cell", "Id"), ((words, id) for id, words in cells))
        for side, cells in sides
    )
    return Section("missing", "Cells in one run only", (f"{joined(counts)}.",), tables)


def _comparable(several: SeveralRuns) -> Section:
    runs = table(
        "The runs; the tables below name them by letter.",
        ("Run", "Folder", "Machine", "PyTorch", "Commit", "Date", "Comparable"),
        (
            (
                run.letter, run.name, run.machine, run.torch or "–", run.commit or "–", run.date or "–",
                "–" if run is several.runs[0] else COMPARABLE[run.level],
            )
            for run in several.runs
        ),
    )  # fmt: skip
    differences = table_of(
        "Differences from run A, the most serious first.",
        [run.letter for run in several.runs],
        {run.letter: run.findings for run in several.runs},
    )
    tables = (runs, differences) if differences else (runs,)
    return Section("comparable", "Comparability", tuple(_about_comparability(several)), tables)


def _about_comparability(several: SeveralRuns) -> list[str]:
    sentences = []
    for level, text in (
        ("refuse", "Times of {runs} are not comparable with those of A: they differ in {what}."),
        ("warn", "Time differences of {runs} to A may have other causes than the code: {what}."),
    ):
        runs = [run for run in several.runs if run.level == level]
        if runs:
            labels = [one.label for run in runs for one in run.findings if one.level == level]
            letters = joined([run.letter for run in runs])
            sentences.append(text.format(runs=letters, what=some(list(dict.fromkeys(labels)))))
    if not sentences:
        sentences.append(
            "The runs differ in nothing that usually changes times."
            if several.level
            else "Machines, software and settings are the same in all runs."
        )
    alone = [f"{counted(n, 'cell')} of {letter}" for letter, n in several.alone.items() if n]
    if not several.cells:
        sentences.append("No cell occurs in two of the runs: all settings but device and threads must agree.")
    elif alone:
        verb = "is" if len(alone) == 1 and alone[0].startswith("1 ") else "are"
        sentences.append(f"{joined(alone)} {verb} in no other run, and left out here.")
    return [*sentences, *several.warnings]


def _order(several: SeveralRuns) -> Section | None:
    if len({cell.name for cell in several.cells}) < 2:
        return None
    sentences = _about_order(several)
    tables: tuple[Table, ...] = ()
    merged = _merged(several.reversals)
    sentences += [_reversed(pair, settings) for pair, settings in merged[:6]]
    if len(merged) > 6:
        rows = (
            (f"{first}, {second}", joined(faster), joined(slower), "; ".join(settings))
            for (first, second, faster, slower), settings in merged
        )
        heads = ("Mixers", "First is faster on", "Slower on", "Settings")
        tables = (table("All pairs whose order differs significantly.", heads, rows, sortable=True),)
    return Section("order", "The order of the mixers", tuple(sentences), tables)


def _about_order(several: SeveralRuns) -> list[str]:
    if not several.ordered:
        return ["No two mixers differ significantly in two of the runs, so their order cannot be compared."]
    pairs = f"{counted(several.ordered, 'pair')} of mixers that differ significantly in two runs"
    if not several.reversals:
        return [f"The order is the same in all {pairs}."]
    same = several.ordered - len(several.reversals)
    return [f"Of {pairs}, {same} have the same order and {len(several.reversals)} do not."]


_Pair = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def _merged(reversals: Sequence[Reversal]) -> list[tuple[_Pair, list[str]]]:
    """Reversals that are the same in several settings, those of the most settings first."""
    alike = grouped(reversals, lambda one: (one.first, one.second, one.faster, one.slower))
    settings = [(pair, [one.setting for one in several]) for pair, several in alike.items()]
    return sorted(settings, key=lambda item: -len(item[1]))


def _reversed(pair: _Pair, settings: Sequence[str]) -> str:
    first, second, faster, slower = pair
    listed = "; ".join(settings[:3]) + (f"; {len(settings) - 3} more" if len(settings) > 3 else "")
    where = settings[0] if len(settings) == 1 else f"{len(settings)} settings ({listed})"
    return f"{first} is faster than {second} on {joined(faster)} and slower on {joined(slower)}: {where}."


def _relative(several: SeveralRuns) -> Section | None:
    title = "Speed relative to a reference mixer"
    if len({cell.name for cell in several.cells}) < 2:
        return None
    if several.reference is None:
        none = "The runs have no timed mixer in common, so speeds have no common reference."
        return Section("relative", title, (none,))
    sentence = (
        f"Throughput as a multiple of that of {several.reference} in the same run and setting; above 1 is "
        "faster. Machines can be compared by these ratios, where their seconds cannot."
    )
    letters = [run.letter for run in several.runs]
    rows: list[list[str | TableCell]] = []
    for cell in several.cells:
        values = [cell.relative.get(letter, MISSING) for letter in letters]
        if cell.name != several.reference and any(value.known for value in values):
            rows.append([cell.words, *map(_number, values), _compared_with_a(cell)])
    if not rows:
        return Section("relative", title, (sentence, "No other cell was timed with it."))
    wish = (
        f"The scenario's reference, {several.wanted}, was not timed in all runs; {several.reference} is the "
        "first that was."
    )
    caption = f"Throughput over that of {several.reference}, paired by round." + stated(
        _BRACKETS, (value for cell in several.cells for value in cell.relative.values())
    )
    heads = ("Cell", *letters, "Compared with A")
    sentences = (sentence, wish) if several.wanted else (sentence,)
    ratios = table(caption, heads, rows, numeric=letters, sortable=True)
    return Section("relative", title, sentences, (ratios,))


def _compared_with_a(cell: ComparedCell) -> str:
    """ "B higher, C undecided (the rounds disagree)"; nothing for runs that lack one of the two multiples."""
    texts = []
    for side, word in (
        ("above", "higher"),
        ("below", "lower"),
        ("same", "no different"),
        ("undecided", "undecided"),
    ):
        letters = [letter for letter, found in cell.compared_with_a.items() if found.side == side]
        if letters:
            why = doubt(cell.compared_with_a.values()) if side == "undecided" else ""
            texts.append(f"{joined(letters)} {word}{f' ({why})' if why else ''}")
    return ", ".join(texts)


def _times(several: SeveralRuns) -> Section | None:
    letters = [run.letter for run in several.runs]
    shown = [cell for cell in several.cells if any(p.latency.known for p in cell.points.values())]
    if not shown:
        return None
    factor, unit = scale_of((p.latency.value for cell in shown for p in cell.points.values()), "s")

    def time(cell: ComparedCell, letter: str) -> str | TableCell:
        point = cell.points.get(letter)
        if point is None:
            return TableCell("–")
        return (
            _number(point.latency, factor) if point.latency.known else TableCell(STATUS_WORDS[point.status])
        )

    caption = "Latency per step." + stated(
        _BRACKETS, (point.latency for cell in shown for point in cell.points.values())
    )
    numbers = [f"{letter} ({unit})" for letter in letters]
    rows = ((cell.words, *(time(cell, letter) for letter in letters)) for cell in shown)
    times = table(caption, ("Cell", *numbers), rows, numeric=numbers, sortable=True)
    return Section("times", "Times", (), (times,))
