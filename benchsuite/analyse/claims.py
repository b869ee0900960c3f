"""Whether claims of papers hold in a run: a verdict for every claim in every setting that has both sides.

The interval of a ratio is [lo/hi, hi/lo] of the two 95 % intervals. It holds the ratio of the medians with at
least 90 % (Bonferroni), without an assumption about latencies. A claim holds where the whole interval lies in
the band that the claim names, does not hold where it lies wholly outside, and is undecided otherwise. What is
counted and not timed has no interval, and is compared as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from benchsuite.results.metrics import METRICS
from benchsuite.results.record import Cell
from benchsuite.scenario.claim import Claim
from benchsuite.scenario.pairs import Pair, Pairing, distinct, on_device, pairing

Verdict = Literal["holds", "does not hold", "differs", "undecided", "not testable here"]
VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "differs", "undecided", "not testable here")

_Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A claim in one setting.

    Attributes:
        setting: axis → value; resolution as in the frame, 224 or "480x640".
        verdict: any but "differs".
        ratio: subject / against; NaN if there is none.
        lo, hi: ends of its interval; NaN if there is none.
        subject, against: the two values in the metric's unit; NaN if there are none.
        reason: why it is undecided or not testable, where the numbers do not say so by themselves.
    """

    setting: Mapping[str, Any]
    verdict: Verdict
    ratio: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    subject: float = math.nan
    against: float = math.nan
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A claim over all its settings.

    Attributes:
        verdict: "holds" or "does not hold" if it does so in every setting that can be tested, "differs" if it
            holds in some and does not in others, "undecided" if some settings are and none contradicts the
            rest.
        outcomes: one a setting, in the order of the frame.
        reason: why it is not testable at all, where no setting says it.
    """

    claim: Claim
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    reason: str = ""


def judge(claims: Sequence[Claim], frame: pd.DataFrame) -> list[Judgement]:
    """The verdict on every claim, in order, from the frame of one run (`results/frame.py`)."""
    rows = frame.to_dict("records")
    cells = [_cell(row) for row in rows]
    return [_judgement(claim, rows, cells) for claim in claims]


def _judgement(claim: Claim, rows: Sequence[_Row], cells: Sequence[Cell]) -> Judgement:
    found = pairing(claim, cells)
    outcomes = tuple(_outcome(claim, pair, rows, cells) for pair in found.pairs)
    if not outcomes:
        return Judgement(claim, "not testable here", (), _why_none(claim, found, cells))
    return Judgement(claim, _overall(outcomes), outcomes)


def _overall(outcomes: Sequence[Outcome]) -> Verdict:
    verdicts = {outcome.verdict for outcome in outcomes} - {"not testable here"}
    if not verdicts:
        return "not testable here"
    if {"holds", "does not hold"} <= verdicts:
        return "differs"
    if "undecided" in verdicts:
        return "undecided"
    return next(iter(verdicts))


def _outcome(claim: Claim, pair: Pair, rows: Sequence[_Row], cells: Sequence[Cell]) -> Outcome:
    setting = dict(pair.setting)
    one_of_each = []
    for side, chosen in (("subject", pair.subject), ("against", pair.against)):
        # Of several cells with the same count, one may have failed before it was counted.
        ordered = sorted(chosen, key=lambda i: _number(rows[i][claim.metric]) is None)
        found = distinct(claim, ordered, cells)
        if len(found) > 1:
            names = " and ".join(str(rows[i]["name"]) for i in found)
            return Outcome(setting, "not testable here", reason=f"{side} is {len(found)} cells: {names}")
        one_of_each.append(rows[found[0]])
    left, right = one_of_each
    if "resolution" in setting:
        setting["resolution"] = left["resolution"]
    reason = _missing(claim.metric, left) or _missing(claim.metric, right)
    if not reason and right[claim.metric] == 0:
        reason = f"{_word(claim.metric)} of {right['name']} is 0, so there is no ratio"
    if reason:
        return Outcome(setting, "not testable here", reason=reason)
    return _compared(claim, setting, left, right)


def _missing(metric: str, row: _Row) -> str:
    """Why a cell has no such number; empty if it has."""
    if _number(row[metric]) is not None:
        return ""
    if row["status"] == "ok":
        return f"{_word(metric)} of {row['name']} was not measured"
    why = f": {' '.join(row['reason'].split())}" if isinstance(row["reason"], str) else ""
    return f"{row['name']} ended as {row['status']}{why}"


def _compared(claim: Claim, setting: Mapping[str, Any], left: _Row, right: _Row) -> Outcome:
    """Both sides have a number."""
    metric = METRICS[claim.metric]
    subject, against = float(left[claim.metric]), float(right[claim.metric])
    ratio = subject / against
    lo = hi = math.nan
    reason = ""
    if metric.interval:
        lo, hi = _interval(metric.interval, left, right)
        if math.isnan(lo):
            reason = "too few samples for an interval"
    elif claim.metric == "macs":
        bounds = [str(row["name"]) for row in (left, right) if not row["macs_exact"]]
        if bounds:
            names = " and ".join(bounds)
            reason = f"MACs of {names} are a lower bound: the counter has no rule for some operators"
    ends = (lo, hi) if metric.interval else (ratio, ratio)
    verdict: Verdict = "undecided" if reason else _verdict(claim.expect.band, *ends)
    return Outcome(setting, verdict, ratio, lo, hi, subject, against, reason)


def _interval(columns: tuple[str, str], left: _Row, right: _Row) -> tuple[float, float]:
    """Ends of the ratio's interval; NaN, NaN unless both sides have one."""
    (lo, hi), (lo_right, hi_right) = ([_number(row[key]) for key in columns] for row in (left, right))
    if lo is None or hi is None or lo_right is None or hi_right is None:
        return math.nan, math.nan
    return lo / hi_right, hi / lo_right


def _verdict(band: tuple[float, float], lo: float, hi: float) -> Verdict:
    """Where [lo, hi] lies to the open interval `band`; a point on its end is outside."""
    if band[0] < lo and hi < band[1]:
        return "holds"
    outside = (hi <= band[0] or lo >= band[1]) if lo == hi else (hi < band[0] or lo > band[1])
    return "does not hold" if outside else "undecided"


def _why_none(claim: Claim, found: Pairing, cells: Sequence[Cell]) -> str:
    devices = list(dict.fromkeys(cell.device for cell in cells))
    if not cells:
        return "the run holds no records"
    if not any(on_device(claim, cell) for cell in cells):
        return f"the claim is about {claim.device}; this run measured on {' and '.join(devices)}"
    sides = ((claim.subject, found.subject), (claim.against, found.against))
    none = [text for text, chosen in sides if not chosen]
    if none:
        where = f" where {claim.where}" if claim.where else ""
        return f"the run has no cell of {' and none of '.join(none)}{where}"
    if not found.apart:
        return f"{claim.subject} and {claim.against} were never measured in the same setting"
    differing = [
        f"{axis} {_listed(ours)} against {_listed(theirs)}" for axis, (ours, theirs) in found.apart.items()
    ]
    return f"{claim.subject} and {claim.against} were measured in different settings: {', '.join(differing)}"


def _listed(values: Sequence[Any]) -> str:
    texts = ("x".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values)
    return ", ".join(texts)


def _word(metric: str) -> str:
    """A metric inside a sentence: "latency per step", but "MACs per image"."""
    label = METRICS[metric].label
    return label if label[1].isupper() else label[0].lower() + label[1:]


def _cell(row: _Row) -> Cell:
    """The cell that a row of the frame is of."""
    own = {"config": json.loads(row["config"]), "resolution": (row["height"], row["width"])}
    # A backbone has no width and no heads of its own, which the frame holds as NA.
    same: dict[str, Any] = {
        field.name: None if row[field.name] is pd.NA else row[field.name]
        for field in fields(Cell)
        if field.name not in own
    }
    return Cell(**same, **own)


def _number(value: Any) -> float | None:
    """The number, or None for what pandas calls missing."""
    try:
        number = float(value)
    except TypeError:  # NA and None
        return None
    return None if math.isnan(number) else number
