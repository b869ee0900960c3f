"""What a run shows, in sentences that are computed from its numbers. Nothing is said that does not follow.

An order is only stated where the 95 % intervals are disjoint; else the text says "not distinguishable".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.report.beside import beside
from benchsuite.report.contests import Contest, contests, speed
from benchsuite.report.crossings import crossed
from benchsuite.report.dots import speedups
from benchsuite.report.growing import grows
from benchsuite.report.points import Point, Value, kernels_of, names_of
from benchsuite.report.ranking import correlation, fewest, front, moved
from benchsuite.report.words import STATUS_WORDS, counted, joined, pixels, places, some, spread
from benchsuite.results.record import STATUSES


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement: what it is about, in a word or two, and the statement."""

    topic: str
    text: str


def findings(
    cells: Sequence[Point], reference: str | None = None, more: Sequence[Finding] = ()
) -> list[Finding]:
    """Statements about one group of comparable cells, the most important first; empty for no cells.

    Args:
        reference: a name that the others are held against.
        more: of what points do not hold; stands before what is missing.
    """
    fields = contests(cells)
    found = [
        Finding("Fastest", _fastest(fields)),
        Finding(f"Beside {reference}", beside(reference, fields)),
        Finding("Fewest MACs", fewest(cells, fields)),
        Finding("MACs and speed", correlation(fields)),
        Finding("Growth", grows(cells)),
        Finding("Crossings", crossed(fields)),
        Finding("Pareto front", front(fields)),
        Finding("Largest moves", moved(fields)),
        Finding("Kernels", _kernels(cells)),
        *more,
        Finding("Lower bounds", _inexact(cells)),
        Finding("Failures", _failures(cells)),
    ]
    return [finding for finding in found if finding.text]


def _fastest(fields: Sequence[Contest]) -> str:
    """A sentence a kernel; resolutions with the same leaders share a clause."""
    sentences = []
    for kernel in dict.fromkeys(contest.kernel for contest in fields):
        clauses: dict[tuple[str, ...], list[Contest]] = {}
        for contest in (contest for contest in fields if contest.kernel == kernel):
            names = tuple(sorted(point.name for point in contest.leaders))
            clauses.setdefault(names, []).append(contest)
        sentences.append(
            f"With the {kernel} kernel, {'; '.join(_lead(shared) for shared in clauses.values())}."
        )
    return " ".join(sentences)


def _lead(shared: Sequence[Contest]) -> str:
    """Who leads these contests, which all have the same leaders."""
    where = places([contest.resolution for contest in shared])
    first = shared[0].leaders
    if len(first) == 1:
        gains = sorted(
            contest.cells[0].throughput.over(contest.cells[1].throughput).value for contest in shared
        )
        if len(shared) == 1:
            second = shared[0].cells[1]
            return (
                f"{first[0].name} is the fastest at {where} with {speed(first[0])}, "
                f"{gains[0]:.2f} times as fast as {second.name}"
            )
        ends = dict.fromkeys(f"{gain:.2f}" for gain in (gains[0], gains[-1]))
        lead = f"{' to '.join(ends)} times as fast as the next"
        return f"{first[0].name} is the fastest at {where}, {lead}"
    names = some([point.name for point in first])
    detail = f": {joined([speed(point) for point in first])}" if len(shared) == 1 and len(first) < 4 else ""
    text = f"{names} are not distinguishable as the fastest at {where}{detail}"
    if all(point.throughput.bounded for point in first):
        return text
    return f"{text}; too few samples for intervals, the highest median is that of {first[0].name}"


def _kernels(cells: Sequence[Point]) -> str:
    sentences = []
    gains = speedups(cells)
    for kernel in kernels_of(point for point, _ in gains):
        mine = [(point, gain) for point, gain in gains if point.kernel == kernel]
        faster = [item for item in mine if item[1].above(_ONE)]
        slower = [item for item in mine if _ONE.above(item[1])]
        open_ = len(mine) - len(faster) - len(slower)
        parts = []
        if faster:
            most = max(faster, key=lambda item: item[1].value)
            parts.append(f"faster than math in {len(faster)} (most for {_gain(*most)})")
        if slower:
            most = min(slower, key=lambda item: item[1].value)
            parts.append(f"slower in {len(slower)} (most for {_gain(*most)})")
        if open_:
            parts.append(f"not distinguishable from math in {open_}")
        sentences.append(
            f"Of {counted(len(mine), 'cell')} timed on both, the {kernel} kernel is {joined(parts)}."
        )
    return " ".join(sentences)


_ONE = Value(1.0, 1.0, 1.0)


def _gain(point: Point, gain: Value) -> str:
    return f"{point.name} at {pixels(point.resolution)}, {spread(gain.value, gain.lo, gain.hi, unit='times')}"


def _inexact(cells: Sequence[Point]) -> str:
    names = names_of(point for point in cells if not point.exact)
    if not names:
        return ""
    return (
        f"The MACs of {joined(names)} are a lower bound, since the counter has no rule for some operators; "
        "statements about MACs leave them out."
    )


def _failures(cells: Sequence[Point]) -> str:
    failed = [point for point in cells if point.status != "ok"]
    if not failed:
        return ""
    kinds = []
    for status in STATUSES:
        these = [point for point in failed if point.status == status]
        if these:
            kinds.append(f"{len(these)} {STATUS_WORDS[status]} ({joined(names_of(these))})")
    expected = sum(point.expected for point in failed)
    text = f"{len(failed)} of {counted(len(cells), 'cell')} gave no number: {joined(kinds)}"
    if expected:
        text += f"; the scenario expected {'all' if expected == len(failed) else expected} of them"
    return f"{text}."
