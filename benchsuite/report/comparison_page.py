"""Comparison of runs as sentences and tables: for the page, for Markdown and for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from benchsuite.format import counted, joined, scale_of, sentence, significant, some, spread
from benchsuite.report.comparison import CAVEAT, SEEN, ComparedCell, ComparedRun, Comparison, compare
from benchsuite.report.differences import COMPARABLE, changed_numbers, measured_on, table_of
from benchsuite.report.ranking import as_value, joint_drift
from benchsuite.report.reported_cells import MISSING, Value, grouped, stated
from benchsuite.report.tables import Row, Section, TableCell, Tone, coloured, table, trimmed
from benchsuite.report.templating import filled
from benchsuite.report.words import STATUS_WORDS
from benchsuite.results.store import Run
from benchsuite.stats.evidence import FALSE_DISCOVERY, TOO_WEAK, Decision, Side

_NOTHING = "No cell is in two of the runs: there is nothing to compare."
_BRACKETS = " Brackets: 95 % confidence intervals."
_HIGHER: Mapping[Side, str] = {**SEEN, "above": "higher", "below": "lower"}
_TONES: Mapping[str, Tone] = {"slower": "bad", "lower": "bad", "faster": "good", "higher": "good"}


@dataclass(frozen=True)
class ComparisonPage:
    """The whole page. `styles` are those of figures, of which there are none.

    Attributes:
        headlines: for each run whether it is slower or faster than A.
        answer: the other cells, and how large a difference could have been seen.
    """

    title: str
    question: str
    headlines: tuple[str, ...]
    answer: str
    summary: str
    caveat: str
    sections: tuple[Section, ...]
    styles: str = ""


def page(runs: Sequence[Run]) -> ComparisonPage:
    """The page of two runs or more."""
    found = compare(runs)
    several = len(runs) > 2
    names = [str(run.path) for run in runs]
    where = "; ".join(f"{run.letter} is {run.run.path}, on {run.machine}" for run in found.runs)
    return ComparisonPage(
        title=f"{len(runs)} runs compared" if several else f"Run B ({names[1]}) against A ({names[0]})",
        question=f"Is {'any of them' if several else 'B'} slower or faster than A?",
        headlines=tuple(_headline(found, run) for run in found.others) if found.cells else (_NOTHING,),
        answer=_answer(found),
        summary=f"{where}. Ratios are {'over A' if several else 'B over A'}.",
        caveat=CAVEAT,
        sections=(_comparable(found), *_times(found), *_relative(found), *_exact(found), *_alone(found)),
    )


def to_html(page: ComparisonPage) -> str:
    """A page as one HTML file that loads nothing."""
    return filled("comparison.html.j2", page=page)


def _headline(found: Comparison, run: ComparedRun) -> str:
    """Whether another run is slower or faster than A."""
    letter = run.letter
    if run.is_a:
        return f"{letter} is the same run as A: there is nothing to compare."
    if run.level == "refuse":
        labels = [one.label for one in run.findings if one.level == "refuse"]
        return f"{letter} and A are not comparable: they differ in {_properties(labels, 2)}."
    both, decisions = _with_a(found, letter)
    where = counted(len(both), "cell")
    sides = Counter(one.side for one in decisions)
    slower, faster = (sides[side] or "none" for side in ("above", "below"))
    if sides["above"]:
        return f"{letter} is slower than A in {slower} of {where} and faster in {faster}."
    if sides["below"]:
        return f"{letter} is faster than A in {faster} of {where} and slower in {slower}."
    if not decisions:
        return f"No cell was timed in both A and {letter}."
    return _none_differs(decisions, letter)


def _none_differs(decisions: Sequence[Decision], letter: str) -> str:
    """Headline where no cell is slower or faster: no difference, or none that anything could show."""
    number = sum(not math.isnan(one.lo) for one in decisions)
    if not number:
        return f"Undecided: no ratio has an interval ({_middle(decisions, letter)})."
    cells = f"none of {number} cells differs" if number > 1 else "the one cell does not differ"
    told = "No" if all(one.side == "same" for one in decisions) else "Undecided"
    return f"{told}: {cells} significantly ({_middle(decisions, letter)})."


def _middle(decisions: Sequence[Decision], letter: str) -> str:
    """The median of the ratios of times: "median time B/A 1.03"."""
    ratios = [one.ratio for one in decisions]
    return f"{'median ' if len(ratios) > 1 else ''}time {letter}/A {median(ratios):.2f}"


def _answer(found: Comparison) -> str:
    """What the headlines leave out: the other cells, and how large a difference could have been seen."""
    if not found.cells:
        return "A cell is the same only if all of its settings are."
    return " ".join(text for run in found.others if not run.is_a for text in _of_run(found, run))


def _with_a(found: Comparison, letter: str) -> tuple[list[ComparedCell], list[Decision]]:
    """The cells that A and another run have, and the decisions on their times."""
    both = [cell for cell in found.cells if {"A", letter} <= cell.in_runs.keys()]
    return both, [cell.times[letter] for cell in both if letter in cell.times]


def _of_run(found: Comparison, run: ComparedRun) -> Iterator[str]:
    """What difference could have been seen, and the cells of a run that are neither slower nor faster."""
    both, decisions = _with_a(found, run.letter)
    yield from _resolution(both, decisions, run.letter)
    sides = Counter(one.side for one in decisions)
    unknown = sum(math.isnan(one.lo) for one in decisions)
    numbers = [
        (sides["same"], SEEN["same"]),
        (sides["undecided"] - unknown, SEEN["undecided"]),
        (unknown, "without an interval"),
        (len(both) - len(decisions), "without a time"),
    ]
    parts = [f"{number} {'is' if number == 1 else 'are'} {word}" for number, word in numbers if number]
    yield from [f"Of {counted(len(both), 'cell')} in A and {run.letter}, {joined(parts)}."] if parts else []


def _resolution(both: Sequence[ComparedCell], decisions: Sequence[Decision], letter: str) -> Iterator[str]:
    """How large a difference must be to be seen, from the intervals, and what is known of the drift."""
    widths = sorted(math.sqrt(one.hi / one.lo) - 1 for one in decisions if not math.isnan(one.lo))
    drifts = [joint_drift(cell.in_runs["A"], cell.in_runs[letter]) for cell in both if letter in cell.times]
    if widths:
        middle, worst = (f"{significant(100 * width, 2)} %" for width in (median(widths), widths[-1]))
        reach = middle if middle == worst else f"{middle} in the median cell and {worst} in the worst"
        drift = f"drift of the machine (±{100 * max(drifts):.2g} %, from the self-test)"
        yield f"Only differences above about {reach} could be seen, by the intervals and the {drift}."
    elif drifts and any(map(math.isnan, drifts)):
        yield "No self-test has measured the drift of this machine, without which no ratio has an interval."


def _comparable(found: Comparison) -> Section:
    rows = []
    for one in found.runs:
        machine, torch, date = measured_on(one.run)
        commit = str((one.run.environment.get("git") or {}).get("commit") or "")[:7]
        level = "" if one is found.runs[0] else COMPARABLE[one.level]
        texts = (str(one.run.path), machine, torch.removeprefix("PyTorch "), commit, date, level)
        rows.append([one.letter, *(text or "–" for text in texts)])
    heads = ("Run", "Folder", "Machine", "PyTorch", "Commit", "Date", "Comparable")
    runs = table("The runs; the tables below name them by letter.", heads, rows)
    differences = table_of(
        "Differences from run A, the most serious first.", {run.letter: run.findings for run in found.runs}
    )
    tables = (runs, differences) if differences else (runs,)
    return Section("comparable", "Comparability", tuple(_about_comparability(found)), tables)


def _about_comparability(found: Comparison) -> Iterator[str]:
    levels = {run.level for run in found.others}
    for level, text in (
        ("refuse", "Times of {runs} are not comparable with those of A: they differ in {what}."),
        ("warn", "Time differences of {runs} to A may have other causes than the code: {what}."),
    ):
        if level in levels:
            runs = [run for run in found.others if run.level == level]
            labels = [one.label for run in runs for one in run.findings if one.level == level]
            letters = joined([run.letter for run in runs])
            yield text.format(runs=letters, what=_properties(labels))
    if levels <= {None}:
        yield "Machines, software and settings are the same in all that is compared."
    elif levels <= {None, "note"}:
        yield "Machines, software and settings differ in nothing that usually changes times."
    alone = [f"{counted(len(run.alone), 'cell')} only in {run.letter}" for run in found.runs if run.alone]
    yield from [f"{joined(alone)}."] if alone else []
    yield from found.warnings


def _properties(labels: Sequence[str], most: int = 5) -> str:
    """What differs, of some labels the first: "PyTorch and the settings rounds and warmup_s"."""
    of_settings = [label.removeprefix("Setting ") for label in labels if label.startswith("Setting ")]
    settings, others = (
        list(dict.fromkeys(found))
        for found in (of_settings, (one for one in labels if not one.startswith("Setting ")))
    )
    if not settings:
        return some(others, most)
    called = f"the setting{'s' if len(settings) > 1 else ''} {some(settings, most)}"
    return f"{some(others, most)}, and {called}" if others else called


def _times(found: Comparison) -> Iterator[Section]:
    shown = [
        cell for cell in found.cells if any(reported.latency.known for reported in cell.in_runs.values())
    ]
    if not shown:
        return
    latencies = [reported.latency for cell in shown for reported in cell.in_runs.values()]
    factor, unit = scale_of((latency.value for latency in latencies), "s")
    letters = [run.letter for run in found.runs]
    ratios, seconds = [f"{one} / A" for one in letters[1:]], [f"{one} ({unit})" for one in letters]
    rows = (
        Row(
            (
                TableCell(cell.words),
                _verdict(cell.times, SEEN, found),
                *(_number(as_value(cell.times[one])) if one in cell.times else _NONE for one in letters[1:]),
                *(_time(cell, letter, factor) for letter in letters),
                TableCell(_remarks(cell)),
            ),
            failed=not cell.times,
        )
        for cell in sorted(shown, key=_gravest)
    )
    caption = "Latency per step, and the ratio of the rounds of both." + stated(_BRACKETS, latencies)
    heads = ("Cell", _judged(found), *ratios, *seconds, "Remarks")
    times = table(caption, heads, rows, numeric=(*ratios, *seconds), sortable=True)
    yield Section("times", "Times", tuple(_about_times(found)), (trimmed(times),))


def _gravest(cell: ComparedCell) -> int:
    """Order of rows: slower cells first, those without a time last."""
    order = list(SEEN)
    return min((order.index(one.side) for one in cell.times.values()), default=len(order))


_NONE = TableCell("–")


def _time(cell: ComparedCell, letter: str, factor: float) -> TableCell:
    reported = cell.in_runs.get(letter)
    if reported is None:
        return _NONE
    return (
        _number(reported.latency, factor)
        if reported.latency.known
        else TableCell(STATUS_WORDS[reported.status])
    )


def _number(value: Value, factor: float = 1.0) -> TableCell:
    text = spread(value.value, value.lo, value.hi, factor)
    return TableCell(text, value.value if value.known else None)


def _judged(found: Comparison) -> str:
    """Head of the column of decisions."""
    return "B is" if len(found.runs) == 2 else "Compared with A"


def _verdict(decisions: Mapping[str, Decision], words: Mapping[Side, str], found: Comparison) -> TableCell:
    """The decisions on a cell: "slower" of two runs, "B slower, C undecided" of more."""
    parts = []
    for side, word in words.items():
        letters = [letter for letter, one in decisions.items() if one.side == side]
        if letters:
            text = word if len(found.runs) == 2 else f"{joined(letters)} {word}"
            parts.append(coloured(text, _TONES.get(word, "open")))
    shown = Markup(", ").join(part.shown for part in parts if part.shown)
    return TableCell(", ".join(part.text for part in parts), shown=shown)


def _remarks(cell: ComparedCell) -> str:
    """Flags with the runs that have them: "A and B: drift, busy host", and why a clear ratio is undecided."""
    flagged = (letter for letter, reported in cell.in_runs.items() if reported.flags)
    alike = grouped(flagged, lambda letter: cell.in_runs[letter].flags)
    flags = [f"{joined(letters)}: {', '.join(flags).replace('_', ' ')}" for flags, letters in alike.items()]
    weak = [
        f"{letter}: not significant among{one.reason.removeprefix(f'{TOO_WEAK} for')}"
        for letter, one in cell.times.items()
        if one.reason.startswith(TOO_WEAK)
    ]
    return "; ".join([*flags, *weak])


def _about_times(found: Comparison) -> Iterator[str]:
    every = [decision for cell in found.cells for decision in cell.times.values()]
    reasons = dict.fromkeys(one.reason for one in every if one.side == "undecided")
    yield from [sentence(f"Undecided: {', or '.join(reasons)}")] if reasons else []
    if any(one.side in ("above", "below") for one in every):
        yield (
            f"Of those called slower or faster, at most {significant(100 * FALSE_DISCOVERY, 2)} % are "
            "expected to be so by chance (false discovery rate, Benjamini and Hochberg)."
        )


def _relative(found: Comparison) -> Iterator[Section]:
    head = ("relative", "Speed relative to a reference mixer")
    if len({cell.first.name for cell in found.cells}) < 2:
        return
    if found.reference is None:
        none = "The runs have no timed mixer in common, so speeds have no common reference."
        yield Section(*head, (none,))
        return
    about = [
        f"Throughput as a multiple of that of {found.reference} in the same run and setting; above 1 is "
        "faster. Machines can be compared by these ratios, where their seconds cannot."
    ]
    if found.wanted:
        about += [
            f"The scenario's reference, {found.wanted}, was not timed in all runs; {found.reference} is the "
            "first that was."
        ]
    cells = [
        cell
        for cell in found.cells
        if cell.first.name != found.reference and any(value.known for value in cell.relative.values())
    ]
    if not cells:
        yield Section(*head, (*about, "No other cell was timed with it."))
        return
    letters = [run.letter for run in found.runs]
    rows = (
        (
            TableCell(cell.words),
            _verdict(cell.multiples, _HIGHER, found),
            *(_number(cell.relative.get(letter, MISSING)) for letter in letters),
        )
        for cell in cells
    )
    caption = f"Throughput over that of {found.reference}, paired by round." + stated(
        _BRACKETS, (value for cell in cells for value in cell.relative.values())
    )
    ratios = table(caption, ("Cell", _judged(found), *letters), rows, numeric=letters, sortable=True)
    yield Section(*head, tuple(about), (ratios,))


def _exact(found: Comparison) -> Iterator[Section]:
    if not found.cells:
        return
    letter = len(found.runs) > 2
    rows = [
        (cell, run.letter if letter else "", change) for run in found.others for cell, change in run.changes
    ]
    if not rows:
        same = (
            "Parameters, MACs, operators, graphs and peak memory are the same wherever both sides have them."
        )
        yield Section("exact", "Exact numbers", (same,))
        return
    cells = len({cell for cell, _, _ in rows})
    about = f"{counted(len(rows), 'number')} of {counted(cells, 'cell')} changed; they have no noise."
    sides = ("A", "There" if letter else "B")
    tables = (changed_numbers("Exact numbers that changed.", "Run", sides, rows),)
    yield Section("exact", "Exact numbers", (about,), tables)


def _alone(found: Comparison) -> Iterator[Section]:
    """The cells that one run only has, by name."""
    tables = tuple(
        table(f"Cells that only {run.letter} has.", ("Cell", "Id"), ((words, id) for id, words in run.alone))
        for run in found.runs
        if run.alone
    )
    if tables:
        yield Section("missing", "Cells in one run only", (), tables)
