"""Verdicts on the claims of papers in a run: one for every claim in every setting that has both sides.

What is timed is decided by the rule of evidence (`stats/evidence.py`): the ratio is taken within each round,
and held against each end of the band that the claim names. A claim holds where the interval is inside of
every end and the ratio by more than the noise of the machine, does not hold where both are outside of one,
and is undecided otherwise; all ends of all claims of a run are one family. What is counted and not timed is
compared as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from benchsuite.results.cell import Cell
from benchsuite.results.comparable import Manner, apart
from benchsuite.results.devices import kind_of
from benchsuite.results.kernels import is_fused
from benchsuite.results.metrics import METRICS, QUANTITIES, MeasuredCell
from benchsuite.scenario.claim_model import Claim, ClaimPair, Pairing, distinct, on_device, pairing
from benchsuite.stats.evidence import Decision, Question, Ratio, Side, decide, paired, unpaired

Verdict = Literal["holds", "does not hold", "mixed", "undecided", "not testable here"]
VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "mixed", "undecided", "not testable here")

_End = Literal["lower", "upper"]
"""End of the band that a claim names."""
_ENDS: tuple[_End, ...] = ("lower", "upper")
_READING = 0.02
"""Share within which single readings of device time decide nothing, where the machine's noise is smaller."""
_INSIDE: Mapping[_End, Side] = {"lower": "above", "upper": "below"}
_OUTSIDE: Mapping[_End, Side] = {"lower": "below", "upper": "above"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A claim in one setting.

    Attributes:
        setting: axis → value; resolution as in the frame, 224 or "480x640".
        verdict: any but "mixed".
        ratio: subject / against, of times the mean over rounds; NaN if there is none.
        lo, hi: ends of its 95 % interval; NaN if there is none.
        subject, against: the two values in the metric's unit; NaN if there are none.
        reason: why it is undecided or not testable, where the numbers do not say so by themselves.
        flags: what makes the samples of either side suspicious, as words of `findings/flags.py`.
        on_device: of speed where a side is launch-bound, the verdict on the times that the device works, of
            which there is one reading a cell; None elsewhere.
        device_ratio: the ratio of those; NaN if there is none.
        unfused: sides that asked for a fused kernel and whose attention torch ran as math.
    """

    setting: Mapping[str, Any]
    verdict: Verdict
    ratio: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    subject: float = math.nan
    against: float = math.nan
    reason: str = ""
    flags: tuple[str, ...] = ()
    on_device: Verdict | None = None
    device_ratio: float = math.nan
    unfused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim over all its settings.

    Attributes:
        verdict: "holds" or "does not hold" if it does so in every setting that can be tested, "mixed" if it
            holds in some and does not in others, "undecided" if some settings are and none contradicts the
            rest.
        outcomes: one a setting, in the order of the frame.
        reason: why it is not testable at all, where no setting says it.
    """

    claim: Claim
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    reason: str = ""

    @property
    def on_device(self) -> Verdict | None:
        """The verdict with device time for wall time where a side is launch-bound; None if none is."""
        if all(outcome.on_device is None for outcome in self.outcomes):
            return None
        return _overall([outcome.on_device or outcome.verdict for outcome in self.outcomes])


def judge(claims: Sequence[Claim], measured: Sequence[MeasuredCell]) -> list[Judgement]:
    """The verdict on every claim, in order, from the cells of one run."""
    cells = [one.record.cell for one in measured]
    pairings = [pairing(claim, cells) for claim in claims]
    open_cases = [
        [_case(claim, pair, measured, cells) for pair in matched.pairs]
        for claim, matched in zip(claims, pairings, strict=True)
    ]
    decisions = decide(
        {
            (i, j, end): question
            for i, cases in enumerate(open_cases)
            for j, case in enumerate(cases)
            for end, question in case.questions.items()
        }
    )
    judged = []
    for i, (claim, matched) in enumerate(zip(claims, pairings, strict=True)):
        outcomes = tuple(
            _decided(case, {end: decisions[i, j, end] for end in case.questions})
            for j, case in enumerate(open_cases[i])
        )
        judged.append(_judgement(claim, matched, outcomes, cells))
    return judged


def _judgement(
    claim: Claim, found: Pairing, outcomes: tuple[Outcome, ...], cells: Sequence[Cell]
) -> Judgement:
    if not outcomes:
        return Judgement(claim, "not testable here", (), _why_none(claim, found, cells))
    return Judgement(claim, _overall([outcome.verdict for outcome in outcomes]), outcomes)


def _overall(found: Sequence[Verdict]) -> Verdict:
    verdicts = set(found) - {"not testable here"}
    if not verdicts:
        return "not testable here"
    if {"holds", "does not hold"} <= verdicts:
        return "mixed"
    if "undecided" in verdicts:
        return "undecided"
    return next(iter(verdicts))


@dataclass(frozen=True, slots=True)
class _Case:
    """A claim in one setting, before the family of all is decided.

    Attributes:
        outcome: final where nothing is asked.
        questions: end of the band → what is asked of it.
    """

    outcome: Outcome
    questions: Mapping[_End, Question] = field(default_factory=dict)


def _case(claim: Claim, pair: ClaimPair, measured: Sequence[MeasuredCell], cells: Sequence[Cell]) -> _Case:
    setting = dict(pair.setting)
    one_of_each = []
    for side, chosen in (("subject", pair.subject), ("against", pair.against)):
        # Of several cells with the same count, one may have failed before it was counted.
        ordered = sorted(chosen, key=lambda i: _of(measured[i], claim.metric) is None)
        distinct_cells = distinct(claim, ordered, cells)
        if len(distinct_cells) > 1:
            names = " and ".join(cells[i].name for i in distinct_cells)
            return _untestable(setting, f"{side} is {len(distinct_cells)} cells: {names}")
        one_of_each.append(measured[distinct_cells[0]])
    left, right = one_of_each
    if "resolution" in setting:
        setting["resolution"] = _of(left, "resolution")
    reason = _missing(claim.metric, left) or _missing(claim.metric, right)
    if not reason and _of(right, claim.metric) == 0:
        reason = f"{METRICS[claim.metric].called} of {right.record.cell.name} is 0, so there is no ratio"
    if reason:
        return _untestable(setting, reason)
    return (
        _timed(claim, setting, left, right)
        if METRICS[claim.metric].interval
        else _counted(claim, setting, left, right)
    )


def _untestable(setting: Mapping[str, Any], reason: str) -> _Case:
    return _Case(Outcome(setting, "not testable here", reason=reason))


def _of(one: MeasuredCell, key: str) -> Any:
    """A quantity of a cell; None where it is missing."""
    return QUANTITIES[key].of(one)


def _missing(metric: str, one: MeasuredCell) -> str:
    """Reason why a cell has no such number; empty if it has."""
    record = one.record
    if _of(one, metric) is not None:
        return ""
    if record.status == "ok":
        return f"{METRICS[metric].called} of {record.cell.name} was not measured"
    why = f": {' '.join(record.reason.split())}" if record.reason else ""
    return f"{record.cell.name} ended as {record.status}{why}"


def _counted(claim: Claim, setting: Mapping[str, Any], left: MeasuredCell, right: MeasuredCell) -> _Case:
    """Both sides have a number that has no noise."""
    subject, against = float(_of(left, claim.metric)), float(_of(right, claim.metric))
    ratio, (lo, hi) = subject / against, claim.expect.band
    verdict: Verdict = "holds" if lo < ratio < hi else "does not hold"
    reason = ""
    if claim.metric == "macs" and (
        bounds := [one.record.cell.name for one in (left, right) if not _of(one, "macs_exact")]
    ):
        names, verdict = " and ".join(bounds), "undecided"
        reason = f"MACs of {names} are a lower bound: the counter has no rule for some operators"
    return _Case(Outcome(setting, verdict, ratio, subject=subject, against=against, reason=reason))


def _timed(claim: Claim, setting: Mapping[str, Any], left: MeasuredCell, right: MeasuredCell) -> _Case:
    """Both sides have times: what is asked of their ratio."""
    compared_ways = {"threads", "allocator"} - setting.keys()
    if not compared_ways and (why := apart(_manner(left), _manner(right))):
        return _untestable(setting, f"measured in ways that do not compare: {why}")
    unfused = tuple(
        one.record.cell.name
        for one in (left, right)
        if (kernel := one.record.cell.kernel) != "math"
        and not is_fused(kernel, _of(one, "attention_backend"))
    )
    if unfused and "kernel" not in setting:  # kernels are what is compared
        return _untestable(setting, f"torch ran the attention of {' and '.join(unfused)} as math, not fused")
    ratio = _ratio(claim.metric, left, right)
    flags = dict.fromkeys((*left.record.flags, *right.record.flags))
    noise = max(_of(left, "noise"), _of(right, "noise"))
    device, device_ratio = (
        _on_device(claim, left, right, noise) if "launch_bound" in flags else (None, math.nan)
    )
    outcome = Outcome(
        setting,
        "undecided",
        ratio.value,
        *ratio.interval(),
        subject=float(_of(left, claim.metric)),
        against=float(_of(right, claim.metric)),
        flags=tuple(flags),
        on_device=device,
        device_ratio=device_ratio,
        unfused=unfused,
    )
    ends = dict(zip(_ENDS, claim.expect.band, strict=True))
    return _Case(
        outcome, {end: Question(ratio, edge, noise) for end, edge in ends.items() if math.isfinite(edge)}
    )


def _on_device(claim: Claim, left: MeasuredCell, right: MeasuredCell, noise: float) -> tuple[Verdict, float]:
    """The verdict on the times that the device works, and their ratio. One reading a cell has no interval:
    nearer to an end than the noise it decides nothing."""
    subject, against = _of(left, "busy_s"), _of(right, "busy_s")
    if not (subject and against):  # one was not read
        return "not testable here", math.nan
    if claim.metric == "throughput":
        subject, against = left.record.cell.batch / subject, right.record.cell.batch / against
    ratio, least = subject / against, 1 + max(noise, _READING)
    lo, hi = claim.expect.band
    if lo * least < ratio < hi / least:
        return "holds", ratio
    return ("does not hold" if ratio * least < lo or ratio > hi * least else "undecided"), ratio


def _ratio(metric: str, left: MeasuredCell, right: MeasuredCell) -> Ratio:
    """Subject / against, round by round where the rounds of both were the same processes."""
    above, below = _of(left, "rounds_s"), _of(right, "rounds_s")
    if metric == "throughput":
        above, below = (
            [seconds / one.record.cell.batch for seconds in _of(one, "rounds_s")] for one in (right, left)
        )
    if left.record.session == right.record.session:
        return paired(above, below)
    drifts = _of(left, "drift"), _of(right, "drift")
    return unpaired(above, below, math.nan if any(map(math.isnan, drifts)) else max(drifts))


def _decided(case: _Case, decisions: Mapping[_End, Decision]) -> Outcome:
    """The outcome of a case, once what it asks is decided."""
    if not decisions:
        return case.outcome
    sides = {end: decision.side for end, decision in decisions.items()}
    if any(side == _OUTSIDE[end] for end, side in sides.items()):
        return replace(case.outcome, verdict="does not hold")
    open_ends = [decision for end, decision in decisions.items() if sides[end] != _INSIDE[end]]
    if not open_ends:
        return replace(case.outcome, verdict="holds")
    return replace(case.outcome, reason=open_ends[0].reason)


def _manner(one: MeasuredCell) -> Manner | None:
    on_host = kind_of(one.record.cell.device).on_host
    return (_of(one, "threads_used"), _of(one, "allocator_used")) if on_host else None


def _why_none(claim: Claim, pairs: Pairing, cells: Sequence[Cell]) -> str:
    devices = list(dict.fromkeys(cell.device for cell in cells))
    if not cells:
        return "the run holds no records"
    if not any(on_device(claim, cell) for cell in cells):
        return f"the claim is about {claim.device}; this run measured on {' and '.join(devices)}"
    sides = ((claim.subject, pairs.subject), (claim.against, pairs.against))
    none = [text for text, chosen in sides if not chosen]
    if none:
        where = f" where {claim.where}" if claim.where else ""
        return f"the run has no cell of {' and none of '.join(none)}{where}"
    if not pairs.apart:
        return f"{claim.subject} and {claim.against} were never measured in the same setting"
    differing = [
        f"{axis} {_listed(ours)} against {_listed(theirs)}" for axis, (ours, theirs) in pairs.apart.items()
    ]
    return f"{claim.subject} and {claim.against} were measured in different settings: {', '.join(differing)}"


def _listed(values: Sequence[Any]) -> str:
    texts = ("x".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values)
    return ", ".join(texts)
