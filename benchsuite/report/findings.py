"""What a run shows, in sentences that are computed from its numbers. Nothing is said that does not follow.

An order is only stated where the 95 % intervals are disjoint; else the text says "not distinguishable".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchsuite.analyse.correlation import ranks, spearman
from benchsuite.analyse.pareto import pareto_front
from benchsuite.report.dots import speedups
from benchsuite.report.points import Point, Value, kernels_of, names_of, resolutions_of
from benchsuite.report.words import (
    STATUS_WORDS,
    counted,
    joined,
    ordinal,
    pixels,
    places,
    rate,
    signed,
    some,
    spread,
)
from benchsuite.results.record import STATUSES

FEWEST = 4
"""Mixers below which a rank correlation says nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement: what it is about, in a word or two, and the statement."""

    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class Contest:
    """The timed cells of one kernel at one resolution, the fastest first."""

    kernel: str
    resolution: int | str
    cells: tuple[Point, ...]

    @property
    def leaders(self) -> tuple[Point, ...]:
        """The cell with the highest median throughput, and all that are not clearly slower."""
        return tuple(p for p in self.cells if not self.cells[0].throughput.above(p.throughput))

    @property
    def countable(self) -> list[Point]:
        """The cells that can be ranked by MACs: those with an exact count."""
        return [p for p in self.cells if p.exact and not math.isnan(p.macs)]


def findings(cells: Sequence[Point]) -> list[Finding]:
    """Statements about one group of comparable cells, the most important first; empty for no cells."""
    fields = contests(cells)
    found = [
        Finding("Fastest", _fastest(fields)),
        Finding("Pareto front", _front(fields)),
        Finding("MACs and speed", _correlation(fields)),
        Finding("Largest moves", _moved(fields)),
        Finding("Kernels", _kernels(cells)),
        Finding("Lower bounds", _inexact(cells)),
        Finding("Failures", _failures(cells)),
    ]
    return [finding for finding in found if finding.text]


def contests(cells: Sequence[Point]) -> list[Contest]:
    """Every kernel and resolution at which at least two mixers were timed."""
    timed = sorted((p for p in cells if p.throughput.known), key=lambda p: -p.throughput.value)
    found = [
        Contest(
            kernel, resolution, tuple(p for p in timed if (p.kernel, p.resolution) == (kernel, resolution))
        )
        for kernel in kernels_of(timed)
        for resolution in resolutions_of(timed)
    ]
    return [contest for contest in found if len(contest.cells) > 1]


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


def speed(point: Point) -> str:
    """Throughput with its interval: "5,104 images/s [5,050, 5,150]"."""
    value = point.throughput
    if not value.bounded:
        return rate(value.value)
    lo, hi = (rate(end).removesuffix(" images/s") for end in (value.lo, value.hi))
    return f"{rate(value.value)} [{lo}, {hi}]"


def _front(fields: Sequence[Contest]) -> str:
    """Who is on the front, by median; and who might be, since no one there is clearly faster."""
    found: dict[tuple[str, str], list[int | str]] = {}
    for contest in fields:
        known = contest.countable
        if len(known) < 2:
            continue
        front = [known[i] for i in pareto_front([(p.macs, p.throughput.value) for p in known])]
        perhaps = [
            p.name
            for p in known
            if p not in front
            and not any(q.macs <= p.macs and q.throughput.above(p.throughput) for q in front)
        ]
        text = f"all {len(front)} mixers" if len(front) == len(known) > 3 else some([p.name for p in front])
        text += f" (perhaps {some(perhaps)} too)" if perhaps else ""
        found.setdefault((contest.kernel, text), []).append(contest.resolution)
    return _sentence(
        "; ".join(f"{text} at {places(where)} with {kernel}" for (kernel, text), where in found.items())
    )


def _correlation(fields: Sequence[Contest]) -> str:
    found: list[tuple[float, Contest]] = []
    for contest in fields:
        known = contest.countable
        value = spearman([p.macs for p in known], [p.throughput.value for p in known])
        if len(known) >= FEWEST and value is not None:
            found.append((value, contest))
    if not found:
        return ""
    low, high = min(found, key=lambda item: item[0]), max(found, key=lambda item: item[0])
    if len(found) == 1:
        number = f"is {signed(low[0])} over {len(low[1].countable)} mixers ({_setting(low[1])})"
    elif signed(low[0]) == signed(high[0]):
        number = f"is {signed(low[0])} in all {len(found)} settings"
    else:
        number = (
            f"lies between {signed(low[0])} ({_setting(low[1])}) and {signed(high[0])} ({_setting(high[1])})"
        )
    return (
        f"{_verdict(low[0], high[0])}: the rank correlation of MACs with throughput {number}; "
        "at −1 fewer MACs would always run faster, at 0 there is no relation."
    )


def _verdict(low: float, high: float) -> str:
    """What correlations between `low` and `high` mean; the thresholds are ours, so the numbers follow."""
    if high <= -0.8:
        return "MACs order these mixers by speed well"
    if low <= -0.8:
        return "MACs order these mixers by speed well in some settings, worse in others"
    if high <= -0.4:
        return "MACs order these mixers by speed only in part"
    if low <= -0.4:
        return "MACs order these mixers by speed in part at best"
    if low >= 0.4:
        return "Mixers with more MACs tend to be faster here"
    return "MACs do not order these mixers by speed"


def _moved(fields: Sequence[Contest], most: int = 3) -> str:
    """The mixers whose place by throughput is farthest from that by MACs, whatever intervals leave open."""
    biggest: dict[str, tuple[float, str]] = {}
    ranked = [contest for contest in fields if len(contest.countable) >= FEWEST]
    for contest in ranked:
        known = contest.countable
        for point, place in zip(known, ranks([p.macs for p in known]), strict=True):
            best = 1 + sum(other.throughput.above(point.throughput) for other in known)
            worst = len(known) - sum(point.throughput.above(other.throughput) for other in known)
            shift = max(best - place, place - worst)
            if shift >= 2 and shift > biggest.get(point.name, (0.0, ""))[0]:
                by_speed = ordinal(best) if best == worst else f"{ordinal(best)} to {ordinal(worst)}"
                text = f"{point.name} is {ordinal(place)} of {len(known)} by fewest MACs"
                biggest[point.name] = (shift, f"{text} but {by_speed} by throughput ({_setting(contest)})")
    if biggest:
        top = sorted(biggest.values(), key=lambda item: -item[0])[:most]
        return _sentence("; ".join(text for _, text in top))
    if ranked:
        return (
            "Beyond what the intervals leave open, no mixer moves by two or more places from MACs to speed."
        )
    return ""


def _setting(contest: Contest) -> str:
    return f"{pixels(contest.resolution)}, {contest.kernel}"


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


def _sentence(text: str) -> str:
    return f"{text}." if text else ""
