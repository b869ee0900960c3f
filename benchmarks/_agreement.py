"""How far runs of the same scenario agree: intervals, ratios and verdicts, pair by pair of runs. Pure."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchsuite.api.results import Results
from benchsuite.findings.claims import judge
from benchsuite.report.comparable_groups import split
from benchsuite.report.ranking import as_value, rankings, ratio, within
from benchsuite.report.reported_cells import ReportedCell, Value, kernels_of, reported_cells
from benchsuite.results.metrics import METRICS, measured_cells
from benchsuite.scenario.claim_model import stored_claims
from benchsuite.stats.intervals import quantile

UNDECIDED = "undecided"
NO_DIFFERENCE = "no difference"
_OPEN = (UNDECIDED, NO_DIFFERENCE)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Numbers of equal cells in every two runs.

    Attributes:
        pairs, disjoint: pairs with an interval on both sides, and those whose intervals do not meet.
        unstated: numbers without an interval.
        halves: half width of each interval, as a share of its number.
        apart: by what factor the two numbers of a pair differ, 1 or more.
    """

    pairs: int
    disjoint: int
    unstated: int
    halves: tuple[float, ...]
    apart: tuple[float, ...]

    def told(self) -> str:
        """In a line."""
        if not self.pairs:
            return f"no pair with intervals; {self.unstated} numbers without one"
        farthest = ", ".join(
            f"{100 * (quantile(self.apart, share) - 1):.1f} % ({name})"
            for share, name in ((0.5, "median"), (0.9, "90 %"), (0.95, "95 %"), (1.0, "most"))
        )
        share = 100 * self.disjoint / self.pairs
        without = f"; {self.unstated} numbers without an interval" if self.unstated else ""
        return (
            f"disjoint {self.disjoint} of {self.pairs} pairs = {share:.1f} %; half width "
            f"{100 * quantile(self.halves, 0.5):.1f} % in the median; runs apart by {farthest}{without}"
        )


@dataclass(frozen=True, slots=True)
class Flips:
    """Verdicts on the same question in every two runs.

    Attributes:
        contradictions: pairs of verdicts of which each says what the other denies.
        changes: other pairs that differ: one of them is undecided, or sees no difference.
        verdicts, undecided: verdicts of all runs, and how many of them are undecided.
    """

    pairs: int
    contradictions: int
    changes: int
    verdicts: int
    undecided: int

    def told(self) -> str:
        """In a line."""
        if not self.verdicts:
            return "none"
        return (
            f"{self.contradictions} of {self.pairs} pairs contradict each other, {self.changes} differ "
            f"otherwise ({100 * self.changes / max(1, self.pairs):.1f} %); undecided "
            f"{self.undecided} of {self.verdicts} ({100 * self.undecided / self.verdicts:.0f} %)"
        )


def agreement(runs: Sequence[Mapping[Hashable, Value]]) -> Agreement:
    """How far the numbers of the same key agree."""
    disjoint, apart = 0, []
    for one, other in combinations(runs, 2):
        for key in one.keys() & other.keys():
            here, there = one[key], other[key]
            if here.bounded and there.bounded:
                disjoint += here.hi < there.lo or there.hi < here.lo
                apart.append(math.exp(abs(math.log(here.value / there.value))))
    values = [value for run in runs for value in run.values()]
    halves = tuple((value.hi - value.lo) / 2 / value.value for value in values if value.bounded)
    return Agreement(len(apart), disjoint, len(values) - len(halves), halves, tuple(apart))


def flips(runs: Sequence[Mapping[Hashable, str]]) -> Flips:
    """How often verdicts on the same key differ."""
    pairs = [
        (one[key], other[key]) for one, other in combinations(runs, 2) for key in one.keys() & other.keys()
    ]
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    contradictions = sum(not set(pair) & set(_OPEN) for pair in differing)
    verdicts = [verdict for run in runs for verdict in run.values()]
    return Flips(
        pairs=len(pairs),
        contradictions=contradictions,
        changes=len(differing) - contradictions,
        verdicts=len(verdicts),
        undecided=verdicts.count(UNDECIDED),
    )


def latencies(cells: Sequence[ReportedCell]) -> dict[Hashable, Value]:
    """Cell → latency with its interval as printed; timed cells only."""
    return {cell.id: cell.latency for cell in cells if cell.latency.known}


def reference_of(results: Results) -> str:
    """The name that others are held against: the report's reference, or the first of the sweep."""
    scenario = results.run.scenario
    if named := (scenario.get("report") or {}).get("reference"):
        return str(named)
    sweep = scenario.get("sweep") or {}
    first = [*(sweep.get("mixer") or ()), *(sweep.get("backbone") or ())][0]
    label = str(first.get("label") or first.get("name")) if isinstance(first, Mapping) else str(first)
    names = {record.cell.name for record in results.records}
    return min(names, key=lambda name: (name != label, not name.startswith(f"{label} "), name))


def ratios(cells: Sequence[ReportedCell], reference: str) -> dict[Hashable, Value]:
    """Cell → its speed over that of the reference in the same setting and on the same kernel, with the paired
    interval. The reference itself has none."""
    found: dict[Hashable, Value] = {}
    for group in split(cells):
        timed = [cell for cell in group.cells if cell.rounds_s]
        references = {(cell.resolution, cell.kernel): cell for cell in timed if cell.name == reference}
        for cell in timed:
            beside = references.get((cell.resolution, cell.kernel))
            if beside is not None and cell.name != reference:
                found[cell.id] = as_value(ratio(cell, beside))
    return found


def claims(results: Results) -> dict[Hashable, str]:
    """Claim and setting → verdict, of the claims about what is timed that can be tested."""
    timed = [claim for claim in stored_claims(results.run.scenario) if METRICS[claim.metric].interval]
    return {
        (judgement.claim.id, *map(str, outcome.setting.items())): outcome.verdict
        for judgement in judge(timed, measured_cells(results.run.records, results.run.environments))
        for outcome in judgement.outcomes
        if outcome.verdict != "not testable here"
    }


def fastest(cells: Sequence[ReportedCell]) -> dict[Hashable, str]:
    """Group, resolution and kernel → the fastest, or why there is none."""
    groups = split(cells)
    order = within(groups)
    return {
        (group.title, ranking.resolution, ranking.kernel): ranking.leaders[0].name
        if len(ranking.leaders) == 1
        else (UNDECIDED if ranking.open else NO_DIFFERENCE)
        for group in groups
        for ranking in rankings(group.cells, order)
    }


def kernels(cells: Sequence[ReportedCell]) -> dict[Hashable, str]:
    """Group, name, resolution and two kernels → which of them is faster."""
    groups = split(cells)
    order = within(groups)
    found: dict[Hashable, str] = {}
    for group in groups:
        own = {(p.name, p.resolution, p.kernel): p for p in group.cells if p.rounds_s}
        for name, resolution in dict.fromkeys((name, resolution) for name, resolution, _ in own):
            ran = kernels_of(p for key, p in own.items() if key[:2] == (name, resolution))
            for one, other in combinations(ran, 2):
                side = order.side(own[name, resolution, one], own[name, resolution, other])
                said = {"above": one, "below": other, "same": NO_DIFFERENCE}.get(side, UNDECIDED)
                found[group.title, name, resolution, one, other] = said
    return found


def report(runs: Sequence[Results]) -> list[str]:
    """All of it in lines, a line a question."""
    every = [reported_cells(one.records, one.run.environments) for one in runs]
    name = reference_of(runs[0])
    lines = {
        "latency": agreement([latencies(cells) for cells in every]).told(),
        f"speed × {name}": agreement([ratios(cells, name) for cells in every]).told(),
        "claims": flips([claims(one) for one in runs]).told(),
        "fastest": flips([fastest(cells) for cells in every]).told(),
        "kernels": flips([kernels(cells) for cells in every]).told(),
    }
    return [f"{what}: {said}" for what, said in lines.items()]
