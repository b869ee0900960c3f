"""How much faster or slower everything is than the scenario's reference, in a sentence a kernel."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.report.contests import Contest
from benchsuite.report.order import doubt
from benchsuite.report.points import Point
from benchsuite.report.words import joined, pixels

_LISTED = 4
"""Rivals of the reference that are all named; of more, each outcome is counted and its extreme named."""
_FEW = 2
"""Rivals with the same outcome that are named in any case."""
_SETTINGS = 2
"""Resolutions of a kernel that are told; of more, the smallest and the largest."""


def beside(reference: str | None, fields: Sequence[Contest]) -> str:
    """Ratios of throughput over that of the reference; empty where it was timed in no contest."""
    if reference is None:
        return ""
    mine = [contest for contest in fields if any(p.name == reference for p in contest.cells)]
    texts = []
    for kernel in dict.fromkeys(contest.kernel for contest in mine):
        told = [contest for contest in mine if contest.kernel == kernel]
        told = told if len(told) <= _SETTINGS else [told[0], told[-1]]
        clauses = "; ".join(f"at {pixels(one.resolution)} {_clause(one, reference)}" for one in told)
        texts.append(f"With the {kernel} kernel, {clauses}.")
    if texts:
        texts.append("× is the ratio of throughputs, paired by round.")
    return " ".join(texts)


def _clause(contest: Contest, reference: str) -> str:
    """ "MSA (1.12×) is faster than HiLo, SRA (0.88×) slower, W-MSA (0.99×) undecided"."""
    base = next(p for p in contest.cells if p.name == reference)
    rivals = [(p, contest.order.between(p, base)) for p in contest.cells if p.name != reference]
    every = len(rivals) <= _LISTED
    parts: list[str] = []
    for side, word, first, toward in (
        ("above", "faster", f"faster than {reference}", "up to"),
        ("below", "slower", f"slower than {reference}", "down to"),
        ("same", "no different", f"no different from {reference}", ""),
        ("undecided", "undecided", f"undecided beside {reference}", ""),
    ):
        found = [(p, gain.ratio) for p, gain in rivals if gain.side == side]
        if found:
            names = _named(
                sorted(found, key=lambda one: one[1] if side == "below" else -one[1]), every, toward
            )
            parts.append(
                f"{names} {word}" if parts else f"{names} {'is' if len(found) == 1 else 'are'} {first}"
            )
    doubts = doubt(gain for _, gain in rivals)
    return ", ".join(parts) + (f" ({doubts})" if doubts else "")


def _named(found: Sequence[tuple[Point, float]], every: bool, toward: str = "") -> str:
    """Names with their ratios; if they are many, their number and the first, which is the extreme."""
    if every or len(found) <= _FEW:
        return joined([f"{point.name} ({ratio:.2f}×)" for point, ratio in found])
    point, ratio = found[0]
    return f"{len(found)} ({toward} {ratio:.2f}×, {point.name})" if toward else str(len(found))
