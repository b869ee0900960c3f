"""What a run shows, in sentences that are computed from its numbers. Nothing is said that does not follow.

Who is faster is decided by `order`; what is undecided is said to be so, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.report.beside import beside
from benchsuite.report.contests import Contest, contests, speed
from benchsuite.report.crossings import crossed
from benchsuite.report.figures.rows import beside_math
from benchsuite.report.growing import grows
from benchsuite.report.order import Order, doubt
from benchsuite.report.points import Point, kernels_of, names_of
from benchsuite.report.ranking import correlation, fewest, front, moved
from benchsuite.report.words import STATUS_WORDS, counted, joined, pixels, places, some, spread
from benchsuite.results.record import STATUSES
from benchsuite.stats.evidence import TOO_FEW, Decision

NO_DIFFERENCE = "no difference that means anything on this machine"


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement: what it is about, in a word or two, and the statement."""

    topic: str
    text: str


def findings(
    cells: Sequence[Point], order: Order, reference: str | None = None, more: Sequence[Finding] = ()
) -> list[Finding]:
    """Statements about one group of comparable cells, the most important first; empty for no cells.

    Args:
        reference: a name that the others are held against.
        more: of what points do not hold; stands before what is missing.
    """
    fields = contests(cells, order)
    whole = [contest for contest in fields if contest.finished]
    found = [
        Finding("Fastest", _fastest(whole)),
        Finding("Unfinished", _unfinished(fields)),
        Finding(f"Beside {reference}", beside(reference, fields)),
        Finding("Fewest MACs", fewest([point for point in cells if not point.unfinished], whole)),
        Finding("MACs and speed", correlation(whole)),
        Finding("Growth", grows(cells)),
        Finding("Crossings", crossed(fields)),
        Finding("Pareto front", front(whole)),
        Finding("Largest moves", moved(whole)),
        Finding("Kernels", _kernels(cells, order)),
        *more,
        Finding("Flags", _flagged(cells)),
        Finding("Lower bounds", _inexact(cells)),
        Finding("Failures", _failures(cells)),
    ]
    return [finding for finding in found if finding.text]


def _fastest(fields: Sequence[Contest]) -> str:
    """A sentence a kernel; resolutions with the same leaders share a clause."""
    sentences = []
    for kernel in dict.fromkeys(contest.kernel for contest in fields):
        clauses: dict[tuple[tuple[str, ...], str], list[Contest]] = {}
        for contest in (contest for contest in fields if contest.kernel == kernel):
            names = tuple(sorted(point.name for point in contest.leaders))
            clauses.setdefault((names, contest.open), []).append(contest)
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
            (contest.order.between(contest.cells[0], contest.cells[1]) for contest in shared),
            key=lambda gain: gain.ratio,
        )
        if len(shared) == 1:
            second = shared[0].cells[1]
            gain = spread(gains[0].ratio, gains[0].lo, gains[0].hi)
            return (
                f"{first[0].name} is the fastest at {where} with {speed(first[0])}, {gain} times as fast as "
                f"{second.name}"
            )
        ends = dict.fromkeys(f"{gain.ratio:.2f}" for gain in (gains[0], gains[-1]))
        lead = f"{' to '.join(ends)} times as fast as the next"
        return f"{first[0].name} is the fastest at {where}, {lead}"
    names = some([point.name for point in first])
    detail = f": {joined([speed(point) for point in first])}" if len(shared) == 1 and len(first) < 4 else ""
    open_ = shared[0].open
    if open_:
        text = f"which of {names} is the fastest at {where} is undecided ({open_}){detail}"
        return text if open_ != TOO_FEW else f"{text}; the highest median is that of {first[0].name}"
    return f"{names} are the fastest at {where}, with {NO_DIFFERENCE}{detail}"


def _unfinished(fields: Sequence[Contest]) -> str:
    left = [contest.setting for contest in fields if not contest.finished]
    return f"No winner is named at {some(left)}: cells of the same setting are not measured." if left else ""


def _kernels(cells: Sequence[Point], order: Order) -> str:
    sentences = []
    gains = [(point, order.between(point, base)) for point, base in beside_math(cells)]
    for kernel in kernels_of(point for point, _ in gains):
        mine = [(point, gain) for point, gain in gains if point.kernel == kernel]
        faster, slower, same, open_ = (
            [item for item in mine if item[1].side == side]
            for side in ("above", "below", "same", "undecided")
        )
        parts = []
        if faster:
            most = max(faster, key=lambda item: item[1].ratio)
            parts.append(f"faster than math in {len(faster)} (most for {_gain(*most)})")
        if slower:
            most = min(slower, key=lambda item: item[1].ratio)
            parts.append(f"slower in {len(slower)} (most for {_gain(*most)})")
        if same:
            parts.append(f"with {NO_DIFFERENCE} in {len(same)}")
        if open_:
            parts.append(f"undecided in {len(open_)} ({doubt(gain for _, gain in open_)})")
        sentences.append(
            f"Of {counted(len(mine), 'cell')} timed on both, the {kernel} kernel is {joined(parts)}."
        )
    return " ".join(sentences)


def _gain(point: Point, gain: Decision) -> str:
    return f"{point.name} at {pixels(point.resolution)}, {spread(gain.ratio, gain.lo, gain.hi, unit='times')}"


def _flagged(cells: Sequence[Point]) -> str:
    """Which cells the statements before rest on in spite of their flags."""
    found = [point for point in cells if point.flags and point.throughput.known]
    if not found:
        return ""
    names = some([f"{point.name} ({pixels(point.resolution)}, {point.kernel})" for point in found], 3)
    return (
        f"Statements about {names} rest on samples with a flag; the table of all cells says which, and "
        "figures mark them with !."
    )


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
