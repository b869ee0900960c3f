"""Cells held against a stored baseline: a verdict on each. Pure.

A baseline was measured at another time, so that nothing pairs its processes with those of now. With three or
more processes on either side the interval of the ratio is Student's, with as many degrees of freedom as the
smaller side gives (the conservative form of Welch's test). With fewer there is hardly a spread to make an
interval of; then the noise between processes that is known of the machine makes it. Where that is not known
either, nothing can be said of one process. The limit is never below that noise.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from benchsuite.analyse.baseline import Baseline, BaselineCell, changes_of
from benchsuite.analyse.exact_policy import Accepted, accepted_of, regressions
from benchsuite.analyse.gate import VERDICT_OF, Decision, expected_by_chance
from benchsuite.analyse.gate_result import CellVerdict, GateCell, of_changes
from benchsuite.scenario.gate import ExactPolicy, Gate
from benchsuite.stats import evidence as stats
from benchsuite.stats.student import t_quantile

_ENOUGH = 3
"""Processes a side from which their own spread makes the interval; that of two says next to nothing."""
_COUNTS = ("params", "macs")
"""Numbers that a cell without times stands for."""
_FEW = 4
"""Degrees of freedom that a noise of unknown origin is taken to have: five processes, as in a self-test."""


def exact_cells(
    old: Sequence[BaselineCell], new: Sequence[BaselineCell], accepted: Sequence[Accepted] = ()
) -> tuple[GateCell, ...]:
    """Verdicts by exact numbers alone: any that differs, and that nobody has accepted, is a regression."""
    return tuple(_exact(a, b, "any", accepted) for a, b in _beside(old, new))


def timed_cells(
    baseline: Baseline,
    new: Sequence[BaselineCell],
    noise: float | None,
    own_noise: Mapping[str, float] | None = None,
    accepted: Sequence[Accepted] = (),
) -> tuple[tuple[GateCell, ...], int, float]:
    """Verdicts by times and exact numbers; then how many were tested, and how many chance would flag.

    Args:
        noise: by how much two processes differ on the machine, as a share; None if nobody knows.
        own_noise: the same of single cells, by id, where it was measured; it counts instead of `noise`.
    """
    rule = baseline.rule
    cells = []
    for a, b in _beside(baseline.cells, new):
        exact = _exact(a, b, rule.exact, accepted)
        both = a is not None and b is not None and a.log_medians and b.log_medians
        known = (own_noise or {}).get(exact.id, noise)
        cells.append(_timed(exact, a, b, rule, known) if both and a and b else _untimed(exact, a, b))
    tested = [i for i, one in enumerate(cells) if one.decision and not math.isnan(one.decision.p)]
    sure = stats.discoveries([_p(cells[i]) for i in tested], rule.false_discovery)
    for i, found in zip(tested, sure, strict=True):
        if cells[i].verdict == "slower" and not found:
            why = f"slower by itself, but not surely enough among {len(tested)} cells that were tested"
            cells[i] = replace(cells[i], verdict="inconclusive", reason=why)
    return tuple(cells), len(tested), expected_by_chance(len(tested), rule.confidence)


def decide(old: Sequence[float], new: Sequence[float], rule: Gate, noise: float | None) -> Decision:
    """The verdict on the log medians of two sides, of one process or more each.

    Raises:
        ValueError: a side has none.
    """
    if not old or not new:
        raise ValueError("a comparison needs a process on either side")
    log_ratio = statistics.fmean(new) - statistics.fmean(old)
    ratio, processes = math.exp(log_ratio), min(len(old), len(new))
    share = math.sqrt((1 / len(old) + 1 / len(new)) / 2)  # the mean of several is calmer than one
    expected = None if noise is None else share * math.log1p(noise)
    bound = max(math.log1p(rule.delta), expected or 0.0)
    delta = math.expm1(bound)
    measured = processes >= _ENOUGH or (processes >= 2 and expected is None)
    if measured:
        freedom = processes - 1
        error = math.sqrt(statistics.variance(old) / len(old) + statistics.variance(new) / len(new))
    elif expected is not None:
        freedom, error = _FEW, expected / t_quantile(0.95, _FEW)
    else:
        why = (
            "one process on a side, and nobody knows how far two differ on this machine: give three or more "
            "runs to `benchsuite baseline update`, or --noise with what `benchsuite noise` wrote"
        )
        return Decision("inconclusive", delta, ratio, pairs=processes, reason=why)
    asked = stats.Question(stats.Ratio(log_ratio, error, freedom, processes), margin=delta)
    found = stats.decide({"it": asked}, confidence=rule.confidence, false_discovery=1.0, tested="above")["it"]
    verdict, why = VERDICT_OF[found.side], ""
    if verdict == "inconclusive":
        if abs(log_ratio) <= bound:  # no sign of a change, which is less than "same"
            verdict = "not flagged"
        else:
            why = "beyond the limit, but its interval is not: measure both revisions in one job, with --base"
    p = found.p if measured else math.nan
    return Decision(verdict, delta, ratio, found.lo, found.hi, p, processes, why)


def _beside(
    old: Sequence[BaselineCell], new: Sequence[BaselineCell]
) -> list[tuple[BaselineCell | None, BaselineCell | None]]:
    """The cells of both sides, those of the new side in its order, then those that are gone."""
    before: Mapping[str, BaselineCell] = {cell.id: cell for cell in old}
    there = {cell.id for cell in new}
    gone = [(cell, None) for cell in old if cell.id not in there]
    return [*((before.get(cell.id), cell) for cell in new), *gone]


def _exact(
    old: BaselineCell | None, new: BaselineCell | None, policy: ExactPolicy, accepted: Sequence[Accepted]
) -> GateCell:
    one = new or old
    assert one is not None
    changes = changes_of(old, new) if old and new else ()
    verdict, reason = _statuses(old, new)
    if verdict == "equal":
        verdict = of_changes(regressions(changes, policy, accepted))
    return GateCell(
        id=one.id,
        cell=one.cell,
        verdict=verdict,
        base=old.status if old else None,
        candidate=new.status if new else None,
        reason=reason,
        changes=changes,
        accepted=accepted_of(changes, accepted),
        counts={key: new.numbers[key] for key in _COUNTS if new and key in new.numbers},
    )


def _statuses(old: BaselineCell | None, new: BaselineCell | None) -> tuple[CellVerdict, str]:
    if old is None or new is None:
        return "missing", "the baseline does not have it" if old is None else "only the baseline has it"
    was, now = old.outcome, new.outcome
    if was == now == "not counted":
        return "not counted", f"on both sides: {new.reason}"
    if was == now:
        return "equal", "" if now == "ok" else f"{now} on both sides: {new.reason}"
    if old.status == "ok" != new.status:
        return "broken", f"{now}: {new.reason}"
    if was == "ok":
        return "no longer counted", f"{now}: {new.reason}"
    return "failed", f"in the baseline {was}: {old.reason}; now {now}"


def _untimed(exact: GateCell, old: BaselineCell | None, new: BaselineCell | None) -> GateCell:
    """The cell by its counts alone, unless it was timed once and is not any more."""
    if exact.verdict == "equal" and old and new and old.log_medians and new.status == "ok":
        return replace(exact, verdict="failed", reason="the baseline has times of it, and now it has none")
    return exact


def _timed(
    exact: GateCell, old: BaselineCell, new: BaselineCell, rule: Gate, noise: float | None
) -> GateCell:
    known = [one for one in (noise, old.noise, new.noise) if one is not None]
    decision = decide(old.log_medians, new.log_medians, rule, max(known, default=None))
    verdict: CellVerdict = decision.verdict
    if exact.verdict != "equal" and decision.verdict != "slower":
        verdict = exact.verdict
    return replace(
        exact,
        verdict=verdict,
        reason=exact.reason or decision.reason,
        base_s=math.exp(statistics.fmean(old.log_medians)),
        candidate_s=math.exp(statistics.fmean(new.log_medians)),
        decision=decision,
    )


def _p(cell: GateCell) -> float:
    assert cell.decision is not None
    return cell.decision.p
