"""The panel of claims: what papers say of the cells of a run, and whether it holds here.

A verdict is a word with a symbol, so that nothing hangs on colour. The printed size stands beside the
measured one, with the conditions it was printed for, since the two are seldom measured alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.findings.claims import VERDICTS, Judgement, Outcome, Verdict, judge
from benchsuite.format import counted, fixed, joined, significant, spread
from benchsuite.report.columns import CONDITIONS
from benchsuite.report.comparable_groups import setting_words
from benchsuite.report.words import places
from benchsuite.results.metrics import METRICS, QUANTITIES, MeasuredCell
from benchsuite.scenario import filters
from benchsuite.scenario.claim_model import Claim, Published, stored_claims

_WORDS: Mapping[Verdict, tuple[str, str, str]] = {
    "holds": ("✓", "holds", "hold"),
    "does not hold": ("✗", "does not hold", "do not hold"),
    "mixed": ("±", "holds in some settings only", "hold in some settings only"),
    "undecided": ("?", "is undecided", "are undecided"),
    "not testable here": ("–", "is not testable here", "are not testable here"),
}
"""Verdict → its symbol, and what a count of one and of several claims says."""
SYMBOLS: Mapping[Verdict, str] = {verdict: symbol for verdict, (symbol, _, _) in _WORDS.items()}
SHOWN = 5
"""Claims that a page shows unfolded, of those that fail, are mixed or undecided."""
_OPEN: tuple[Verdict, ...] = ("does not hold", "mixed", "undecided")
_FINE = 0.005
"""A claim whose end is nearer to 1 than this needs more digits than four."""


@dataclass(frozen=True, slots=True)
class ClaimSetting:
    """A claim in one setting, in words: "224 px, math", "✓", "1.12 [1.10, 1.14]"."""

    where: str
    symbol: str
    verdict: Verdict
    ratio: str
    reason: str


@dataclass(frozen=True, slots=True)
class PublishedSize:
    """A published size: "1.16 (5104 / 4403 images/s)", and its conditions."""

    ratio: str
    conditions: str

    @property
    def short(self) -> str:
        """The ratio alone."""
        return self.ratio.partition(" (")[0]


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One claim.

    Attributes:
        words: the verdict; where it is launch-bound, with that on device time.
        summary: where it holds, if there are several settings; why it cannot be tested, if there is none.
        brief: all that was measured, in a line: "1.15 [1.13, 1.17] to 1.29 [1.27, 1.31], in both settings".
    """

    claim: Claim
    verdict: Verdict
    words: str
    summary: str
    brief: str
    measured: tuple[ClaimSetting, ...]
    printed: tuple[PublishedSize, ...]

    @property
    def symbol(self) -> str:
        """That of the verdict."""
        return SYMBOLS[self.verdict]

    @property
    def counted(self) -> bool:
        """True if it is about MACs or parameters, which are counted and not timed."""
        return self.claim.metric in ("macs", "params")

    @property
    def compared(self) -> str:
        """What the ratio is of, and where it is said to lie: "Throughput, HiLo / MSA; claimed above 1"."""
        lo, hi = self.claim.expect.band
        ends = [f"above {lo:g}" if lo > -math.inf else "", f"below {hi:g}" if hi < math.inf else ""]
        sides = f"{_named(self.claim.subject)} / {_named(self.claim.against)}"
        return f"{METRICS[self.claim.metric].label}, {sides}; claimed {joined([end for end in ends if end])}"


@dataclass(frozen=True, slots=True)
class ClaimsPanel:
    """All claims of a run, in the order of the scenario; `summary` counts the verdicts in a sentence."""

    summary: str
    rows: tuple[ClaimRow, ...]

    @property
    def shown(self) -> list[ClaimRow]:
        """Claims to read first: up to `SHOWN` that fail, are mixed or undecided, in this order,
        those about MACs last."""
        found = [row for row in self.rows if row.verdict in _OPEN]
        return sorted(found, key=lambda row: (row.counted, _OPEN.index(row.verdict)))[:SHOWN]

    @property
    def folded(self) -> list[ClaimRow]:
        """The others that could be tested, those that hold last, and those about MACs after others."""
        rest = [row for row in self.rows if row not in self.shown and row.verdict != "not testable here"]
        return sorted(rest, key=lambda row: (row.verdict not in _OPEN, row.counted))

    @property
    def untested(self) -> list[ClaimRow]:
        """Those that could not be tested."""
        return [row for row in self.rows if row.verdict == "not testable here"]


def judgements(scenario: Mapping[str, Any], cells: Sequence[MeasuredCell]) -> list[Judgement]:
    """The verdicts on the claims of a stored scenario.

    Raises:
        ScenarioError: its claims cannot be read.
    """
    return judge(stored_claims(scenario), cells)


def panel(judged: Sequence[Judgement], cells: Sequence[MeasuredCell]) -> ClaimsPanel | None:
    """The panel of these verdicts on cells; None if there are no claims."""
    if not judged:
        return None
    varying = [axis for axis in CONDITIONS if len({QUANTITIES[axis].of(one) for one in cells} - {None}) > 1]
    return ClaimsPanel(_counted(judged), tuple(_row(judgement, varying) for judgement in judged))


def _counted(judged: Sequence[Judgement]) -> str:
    """Of 5 claims, 3 hold, 1 does not hold and 1 is not testable here."""
    counts = Counter(judgement.verdict for judgement in judged)
    parts = [counted(counts[verdict], *_WORDS[verdict][1:]) for verdict in VERDICTS if counts[verdict]]
    return f"Of {counted(len(judged), 'claim')}, {joined(parts)}."


def _row(judgement: Judgement, varying: Sequence[str]) -> ClaimRow:
    claim = judgement.claim
    measured = tuple(_measured(outcome, varying, claim) for outcome in judgement.outcomes)
    summary = judgement.reason or _summary(judgement.outcomes)
    on_device = f" (launch-bound; on device time: {judgement.on_device})" if judgement.on_device else ""
    return ClaimRow(
        claim=claim,
        verdict=judgement.verdict,
        words=f"{judgement.verdict}{on_device}",
        summary=summary,
        brief=_brief(judgement.outcomes, measured, summary),
        measured=measured,
        printed=tuple(map(_printed, claim.published or ())),
    )


def _named(side: str) -> str:
    """A side in words: "HiLo" for `mixer=HiLo`, "HiLo (resolution 448)" for `mixer=HiLo resolution=448`."""
    terms = filters.side(side).terms
    subjects = [term for term in terms if term.axis == "mixer" and term.operator == "="]
    if len(subjects) != 1:
        return side
    rest = [f"{_axis(term.axis)} {_operated(term)}" for term in terms if term is not subjects[0]]
    name = joined(subjects[0].values, "or")
    return f"{name} ({', '.join(rest)})" if rest else name


def _axis(axis: str) -> str:
    return axis.removeprefix("params.").replace("_", " ")


def _operated(term: filters.Term) -> str:
    values = joined(term.values, "or")
    signs = {"=": "", "!=": "not ", "<=": "≤ ", ">=": "≥ "}
    return f"{signs.get(term.operator, f'{term.operator} ')}{values}"


def _summary(outcomes: Sequence[Outcome]) -> str:
    """Settings of each verdict, if there are several: "holds in 1 of 4 settings (224 px)"."""
    if len(outcomes) == 1:
        return ""
    counts = Counter(outcome.verdict for outcome in outcomes)
    if len(counts) == 1:
        return "in both settings" if len(outcomes) == 2 else f"in all {len(outcomes)} settings"
    parts: list[str] = []
    for verdict in (verdict for verdict in VERDICTS if counts[verdict]):
        total = "" if parts else f" of {len(outcomes)} settings"
        parts.append(f"{verdict} in {counts[verdict]}{total}{_where(outcomes, verdict)}")
    return "; ".join(parts)


def _brief(outcomes: Sequence[Outcome], measured: Sequence[ClaimSetting], summary: str) -> str:
    """The ratio with its setting, or the least and the largest one with the verdicts of the settings."""
    flagged = ["measured with warnings"] if any(outcome.flags for outcome in outcomes) else []
    if len(measured) == 1:
        one = f"{measured[0].ratio} ({measured[0].where})" if measured[0].where else measured[0].ratio
        return ", ".join([one, *flagged])
    known = [
        (outcome.ratio, one.ratio)
        for outcome, one in zip(outcomes, measured, strict=True)
        if not math.isnan(outcome.ratio)
    ]
    ends = dict.fromkeys(text for _, text in (min(known), max(known))) if known else ()
    return ", ".join(text for text in (" to ".join(ends), summary, *flagged) if text)


def _where(outcomes: Sequence[Outcome], verdict: Verdict) -> str:
    """The resolutions or kernels of a verdict, if those of no other one: " (224 and 448 px)", " (math)"."""
    for axis, words in (("resolution", places), ("kernel", joined)):
        here = dict.fromkeys(o.setting.get(axis) for o in outcomes if o.verdict == verdict)
        others = {o.setting.get(axis) for o in outcomes if o.verdict != verdict}
        known = [value for value in here if value is not None]
        if known and not set(known) & others:
            return f" ({words(known)})"
    return ""


def _measured(outcome: Outcome, varying: Sequence[str], claim: Claim) -> ClaimSetting:
    return ClaimSetting(
        where=setting_words(outcome.setting, varying),
        symbol=SYMBOLS[outcome.verdict],
        verdict=outcome.verdict,
        ratio=_ratio(outcome, claim),
        reason="; ".join(text for text in (outcome.reason, *_remarks(outcome)) if text),
    )


def _remarks(outcome: Outcome) -> Iterator[str]:
    """Remarks on a verdict that stands in spite of flags, launches and kernels; nothing where all is well."""
    if words := [flag.replace("_", " ") for flag in outcome.flags if flag != "launch_bound"]:
        yield f"rests on samples with a flag: {joined(words)}"
    if outcome.on_device is not None:
        ratio = "" if math.isnan(outcome.device_ratio) else f"{fixed(outcome.device_ratio, 4)}, "
        yield f"launch-bound: the host sets the pace; on device time {ratio}{outcome.on_device}"
    if outcome.unfused:
        yield f"torch ran the attention of {joined(outcome.unfused)} as math, not fused"


def _ratio(outcome: Outcome, claim: Claim) -> str:
    """The ratio with its interval; of what is counted, with enough digits to tell it from what is claimed."""
    near = any(not math.isinf(end) and 0 < abs(end - 1) < _FINE for end in claim.expect.band)
    if near and METRICS[claim.metric].interval is None and not math.isnan(outcome.ratio):
        return fixed(outcome.ratio, 6)
    return spread(outcome.ratio, outcome.lo, outcome.hi)


def _printed(published: Published) -> PublishedSize:
    ratio = significant(published.size, 3)
    if published.subject is not None and published.against is not None:
        unit = f" {published.unit}" if published.unit else ""
        ratio += f" ({published.subject:,g} / {published.against:,g}{unit})"
    return PublishedSize(ratio, published.conditions)


def plain(judgement: Judgement) -> dict[str, Any]:
    """A verdict as JSON-able data: everything of the claim, and every setting in the metric's unit."""
    return {
        **judgement.claim.model_dump(mode="json"),
        "verdict": judgement.verdict,
        "device_verdict": judgement.on_device,
        "reason": judgement.reason,
        "settings": [
            {
                "setting": dict(outcome.setting),
                "verdict": outcome.verdict,
                "device_verdict": outcome.on_device,
                "reason": outcome.reason,
                **{
                    key: None if math.isnan(value := getattr(outcome, key)) else value
                    for key in ("ratio", "lo", "hi", "subject", "against", "device_ratio")
                },
            }
            for outcome in judgement.outcomes
        ],
    }
