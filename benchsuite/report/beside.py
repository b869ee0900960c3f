"""How much faster or slower everything is than the scenario's reference, in a sentence a kernel."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.report.contests import Contest
from benchsuite.report.points import Point
from benchsuite.report.words import joined, pixels

_LISTED = 4
"""Rivals of the reference that are all named; of more, each outcome is counted and its extreme named."""
_FEW = 2
"""Rivals with the same outcome that are named in any case."""
_SETTINGS = 2
"""Resolutions of a kernel that are told; of more, the smallest and the largest."""


def beside(reference: str | None, fields: Sequence[Contest]) -> str:
    """Ratios of throughput over that of the reference, by median; empty where it was timed in no contest."""
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
        texts.append("× is the ratio of median throughputs.")
    return " ".join(texts)


def _clause(contest: Contest, reference: str) -> str:
    """ "MSA (1.12×) is faster than HiLo, SRA (0.88×) slower, W-MSA (0.99×) not distinguishable"."""
    base = next(p.throughput for p in contest.cells if p.name == reference)
    rivals = [(p, p.throughput.over(base).value) for p in contest.cells if p.name != reference]
    faster = [(p, ratio) for p, ratio in rivals if p.throughput.above(base)]
    slower = [(p, ratio) for p, ratio in reversed(rivals) if base.above(p.throughput)]
    sure = {p.name for p, _ in (*faster, *slower)}
    unsure = [(p, ratio) for p, ratio in rivals if p.name not in sure]
    every = len(rivals) <= _LISTED
    parts: list[str] = []
    for found, word, preposition, toward in (
        (faster, "faster", "than", "up to"),
        (slower, "slower", "than", "down to"),
        (unsure, "not distinguishable", "from", ""),
    ):
        if found:
            names = _named(found, every, toward)
            verb = "is" if len(found) == 1 else "are"
            parts.append(f"{names} {word}" if parts else f"{names} {verb} {word} {preposition} {reference}")
    return ", ".join(parts)


def _named(found: Sequence[tuple[Point, float]], every: bool, toward: str = "") -> str:
    """Names with their ratios; if they are many, their number and the first, which is the extreme."""
    if every or len(found) <= _FEW:
        return joined([f"{point.name} ({ratio:.2f}×)" for point, ratio in found])
    point, ratio = found[0]
    return f"{len(found)} ({toward} {ratio:.2f}×, {point.name})" if toward else str(len(found))
