"""From the records of pairs of processes to the verdict on every cell. Pure.

A pair is one process of the base and one of the candidate, each of which has left a record for every cell
that it measured. The first pair also carries the exact numbers.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchsuite.errors import UsageError
from benchsuite.findings.count_changes import Change, changes
from benchsuite.gate.accept import Accepted, accepted_of, regressions
from benchsuite.gate.decide import CellDecision, Evidence, corrected, decide, flagged, log_median
from benchsuite.gate.result import CellVerdict, GateCell, of_changes
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record, Status
from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats.intervals import t_quantile

Records = Mapping[str, Record]
"""Cell id → what one process says of it."""

_ABSENT = re.compile(r"cannot be loaded: (no module named .* not in the current folder|module \S+ has no )")
"""How a record words that its side does not have the subject at all; `worker/build.py` says so."""
_ASSUMED_NOISE = 0.01
"""Of a process, as a share: that of a calm machine."""
_WIDEST = 0.10
"""Half width of an interval, at that noise, above which pairs decide nothing that matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPair:
    """Records of two processes that ran next to each other; a side that has no cell to measure leaves none.

    Attributes:
        fresh: whether it decides; else it belongs to the screen.
    """

    base: Records
    candidate: Records
    fresh: bool


def require_enough(rule: Gate) -> None:
    """Raise UsageError if so few pairs cannot carry the interval that is asked for.

    Student's interval of few pairs is wide whatever they say: with 2 pairs and 99 % a machine of 1 % noise
    states the ratio to ±64 %, so that no cell would ever be called slower.
    """
    spread = math.sqrt(2) * _ASSUMED_NOISE

    def half_width(pairs: int) -> float:
        return t_quantile(rule.confidence, pairs - 1) * spread / math.sqrt(pairs)

    if half_width(rule.pairs) <= _WIDEST:
        return
    enough = next(pairs for pairs in range(rule.pairs, 1000) if half_width(pairs) <= _WIDEST)
    raise UsageError(
        f"gate.pairs: {rule.pairs} pairs of processes are too few for an interval of "
        f"{100 * rule.confidence:g} %: where processes spread by 1 % it would reach "
        f"±{100 * half_width(rule.pairs):.0f} %, and nothing would ever be called slower\n"
        f"  ask for {enough} pairs or more (--set gate.pairs={enough}), or for less confidence "
        "(--set gate.confidence=0.9)"
    )


def to_decide(
    cells: Sequence[Cell], pairs: Sequence[ProcessPair], rule: Gate, noise: Mapping[str, float]
) -> list[Cell]:
    """The cells that the screen flags: those that get fresh pairs. A cell without a time on both sides gets
    none."""
    if not rule.screen:
        return list(cells)
    evidence = {cell.id: _evidence(cell.id, pairs, noise) for cell in cells}
    return [cell for cell in cells if evidence[cell.id].screen and flagged(evidence[cell.id], rule)]


def judge_pairs(
    cells: Sequence[Cell],
    pairs: Sequence[ProcessPair],
    rule: Gate,
    *,
    accepted: Sequence[Accepted] = (),
    noise: Mapping[str, float] | None = None,
) -> tuple[GateCell, ...]:
    """The verdict on every cell.

    Args:
        noise: cell id → its own A/A noise as a share, where it is known.
    """
    evidence = {cell.id: _evidence(cell.id, pairs, noise or {}) for cell in cells}
    alone = {key: decide(one, rule) for key, one in evidence.items() if one.screen or one.fresh}
    decisions = corrected(alone, rule)
    exact = changes(pairs[0].base.values(), pairs[0].candidate.values()) if pairs else []
    return tuple(_judge(cell, pairs, decisions.get(cell.id), exact, rule, accepted) for cell in cells)


def log_ratios_of(key: str, pairs: Sequence[ProcessPair]) -> tuple[float, ...]:
    """Log ratios, candidate over base, of the pairs that have a time of the cell on both sides."""
    return tuple(new - old for old, new in filter(None, (_logs(key, pair) for pair in pairs)))


def absent(reason: str) -> bool:
    """Whether a process that gives this reason does not have the cell's subject at all."""
    return _ABSENT.search(reason) is not None


def _evidence(key: str, pairs: Sequence[ProcessPair], noise: Mapping[str, float]) -> Evidence:
    screen = log_ratios_of(key, [pair for pair in pairs if not pair.fresh])
    fresh = log_ratios_of(key, [pair for pair in pairs if pair.fresh])
    return Evidence(screen, fresh, noise.get(key, 0.0))


def _logs(key: str, pair: ProcessPair) -> tuple[float, float] | None:
    """Logarithms of the medians of the two processes; None unless both have times."""
    old, new = pair.base.get(key), pair.candidate.get(key)
    if old is None or new is None or not (_timed(old) and _timed(new)):
        return None
    assert old.timing is not None
    assert new.timing is not None
    return log_median(old.timing.samples_s), log_median(new.timing.samples_s)


def _timed(record: Record) -> bool:
    return record.status == "ok" and record.timing is not None and bool(record.timing.samples_s)


@dataclass(frozen=True, slots=True)
class _SideRecords:
    """What the processes of a side say of a cell that they were to measure."""

    seen: tuple[Record, ...]

    @property
    def failures(self) -> tuple[Record, ...]:
        """Of those that could not measure it, or have no subject for it."""
        return tuple(record for record in self.seen if not _timed(record))

    @property
    def status(self) -> Status | None:
        """The status: ok if any process measured it, None if the side does not have the cell."""
        if len(self.seen) > len(self.failures):
            return "ok"
        if not self.failures or absent(self.failures[0].reason or ""):
            return None
        return self.failures[0].status

    @property
    def log_medians(self) -> list[float]:
        """Of each process that measured it, the logarithm of the median of its samples in seconds."""
        return [log_median(one.timing.samples_s) for one in self.seen if _timed(one) and one.timing]

    @property
    def counts(self) -> dict[str, int]:
        """Its parameters and MACs, if a process counted them."""
        cost = next((one.cost for one in self.seen if one.cost), None)
        return {"params": cost.params, "macs": cost.macs} if cost else {}

    @property
    def expected(self) -> bool:
        return bool(self.failures) and self.failures[0].expected

    def words(self) -> str:
        """Why it has no numbers."""
        first = self.failures[0]
        return f"{first.status}: {first.reason or 'no reason given'}"


def _judge(
    cell: Cell,
    pairs: Sequence[ProcessPair],
    decision: CellDecision | None,
    exact: Sequence[Change],
    rule: Gate,
    accepted: Sequence[Accepted],
) -> GateCell:
    own = tuple(change for change in exact if change.cell == cell)
    base = _SideRecords(tuple(filter(None, (pair.base.get(cell.id) for pair in pairs))))
    candidate = _SideRecords(tuple(filter(None, (pair.candidate.get(cell.id) for pair in pairs))))
    wrong = regressions(own, rule.exact, accepted)
    verdict, reason = _verdict(base, candidate, decision, wrong)
    logs = [(both, pair.fresh) for pair in pairs if (both := _logs(cell.id, pair)) is not None]
    deciding = [both for both, fresh in logs if fresh] or [both for both, _ in logs]
    new = base.status is None
    after = candidate.log_medians if new else [log for _, log in deciding]
    return GateCell(
        id=cell.id,
        cell=cell,
        verdict=verdict,
        base=base.status,
        candidate=candidate.status,
        reason=reason,
        base_s=math.exp(statistics.fmean(old for old, _ in deciding)) if deciding else None,
        candidate_s=math.exp(statistics.fmean(after)) if after else None,
        decision=decision,
        changes=own,
        accepted=accepted_of(own, accepted),
        pairs_s=tuple((math.exp(old), math.exp(new)) for (old, new), _ in logs),
        screen_pairs=sum(not fresh for _, fresh in logs),
        counts=candidate.counts if new else {},
    )


def _verdict(
    base: _SideRecords, candidate: _SideRecords, decision: CellDecision | None, wrong: Sequence[Change]
) -> tuple[CellVerdict, str]:
    """The verdict and its reason; the gravest that applies."""
    if (base.status, candidate.status) == ("ok", "ok"):
        return _of_both(candidate, decision, wrong)
    if base.status is None and candidate.status is None:
        return "failed", "neither side has it"
    if candidate.status is None:
        return "removed", "only the base has it"
    if base.status is None:
        works = candidate.status == "ok" or candidate.expected
        why = "only the candidate has it"
        return ("new", why) if works else ("failed", f"{why}: {candidate.words()}")
    if base.status == "ok":
        return "broken", candidate.words()
    return _without_base(base, candidate, wrong)


def _of_both(
    candidate: _SideRecords, decision: CellDecision | None, wrong: Sequence[Change]
) -> tuple[CellVerdict, str]:
    """Both sides were measured, if not in every process."""
    if decision is not None and decision.verdict == "slower":
        return "slower", ""
    if wrong:
        return of_changes(wrong), ""
    if decision is None:
        return "inconclusive", "no pair of processes measured it on both sides"
    if candidate.failures:
        often = f"{len(candidate.failures)} of {len(candidate.seen)}"
        return "inconclusive", f"the candidate failed in {often} processes: {candidate.words()}"
    return decision.verdict, decision.reason


def _without_base(
    base: _SideRecords, candidate: _SideRecords, wrong: Sequence[Change]
) -> tuple[CellVerdict, str]:
    """No time of the base: a failure, unless the scenario says that it is one."""
    also = "and the candidate was measured" if candidate.status == "ok" else "on both sides"
    if not base.expected or (candidate.status != "ok" and not candidate.expected):
        return "failed", f"{base.words()} ({'on the base' if candidate.status == 'ok' else also})"
    verdict = of_changes(wrong) if wrong or candidate.status == "ok" else "neither measured"
    return verdict, f"{base.words()}, as the scenario expects, {also}"
