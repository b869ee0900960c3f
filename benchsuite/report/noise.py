"""How sure the numbers of a run are, in words: the precision its cells reached, the noise of its machine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchsuite.report.words import STOPPED_WORDS, counted, fixed, joined
from benchsuite.results.machine import drift_of, noise_of
from benchsuite.results.record import Record, Timing
from benchsuite.results.round_timings import round_medians


def reached(records: Sequence[Record], wanted: float | None) -> str | None:
    """How narrow the intervals became, beside what was wanted; None where no cell has an interval.

    Args:
        wanted: half width of the interval as a share of the median; None if the scenario asks for none.
    """
    timed = [record.timing for record in records if record.timing is not None and record.timing.samples_s]
    known = [timing.precision for timing in timed if timing.precision is not None]
    if not known:
        return None
    text = (
        f"The 95 % interval reaches ±{_percent(median(known))} of the median in the median cell and "
        f"±{_percent(max(known))} in the worst"
    )
    if wanted is not None:
        told = missed(timed, wanted) or "every cell with an interval kept to it"
        text += f"; ±{_percent(wanted)} was wanted, and {told}"
    without = len(timed) - len(known)
    return f"{text}." + (f" {counted(without, 'cell')} without an interval." if without else "")


_EARLY = "although sampling had reached it"
"""An interval over all rounds may be wider again than the one that ended the sampling."""


def missed(timed: Sequence[Timing], wanted: float) -> str:
    """How many cells with an interval missed the wanted precision, by what ended their sampling."""
    late = [timing for timing in timed if timing.precision is not None and timing.precision > wanted]
    if not late:
        return ""
    ends = Counter(timing.stopped_by for timing in late).most_common()
    because = [_EARLY if end == "precision" else f"because {STOPPED_WORDS.get(end, end)}" for end, _ in ends]
    if len(ends) > 1:
        because = [f"{number} {why}" for (_, number), why in zip(ends, because, strict=True)]
        return f"{counted(len(late), 'cell')} missed it: {joined(because)}"
    return f"{counted(len(late), 'cell')} missed it, {because[0]}"


def evidence(records: Sequence[Record], environments: Sequence[Mapping[str, Any]]) -> str:
    """What the numbers rest on: flags, agreement of rounds, the self-test; empty if nothing was timed.

    Args:
        environments: the machines that the records are from.
    """
    timed = [record for record in records if record.timing is not None and record.timing.samples_s]
    if not timed:
        return ""
    clean = sum(not record.flags for record in timed)
    spreads = [
        max(rounds) / min(rounds) - 1
        for record in timed
        if record.timing and len(rounds := round_medians(record.timing)) > 1
    ]
    said = [f"{clean} of {counted(len(timed), 'timed cell')} without a flag"]
    if spreads:
        said.append(
            f"rounds of a cell differ by {_percent(median(spreads))} in the median cell and "
            f"{_percent(max(spreads))} at most"
        )
    else:
        said.append("a single round each, so no interval")
    told = dict.fromkeys(of_machine(one) for one in environments)
    return f"{', '.join(said)}. {' '.join(told)}"


def of_machine(environment: Mapping[str, Any]) -> str:
    """What the self-test of a machine found, and whether intervals hold what differs between its runs."""
    found = environment.get("selftest")
    if not isinstance(found, Mapping):
        return (
            "No self-test of this machine is known: what differences mean on it and how far its runs differ "
            "is open, and intervals hold only what varies within the run."
        )
    day, age = str(found.get("date") or "")[:10], found.get("age_days")
    when = f"Self-test of {day}" if day else "Self-test"
    when += f", {_days(age)} before the run" if isinstance(age, int | float) else ""
    parts = [] if found.get("passed", True) else ["did not pass"]
    noise, drift = noise_of(environment), drift_of(environment)
    parts.append(
        "could not tell the noise"
        if not noise
        else f"within a run a difference must exceed {_percent(noise)} to mean anything"
    )
    parts.append(
        "how far runs differ is unknown, and intervals hold only what varies within the run"
        if math.isnan(drift)
        else f"runs drift by {_percent(drift)}, which the 95 % intervals of latencies include"
    )
    return f"{when}: {'; '.join(parts)}."


def _days(age: float) -> str:
    """An age in words: "less than a day", "2 days"."""
    return "less than a day" if age < 1 else counted(round(age), "day")


def _percent(share: float) -> str:
    return f"{fixed(100 * share, 2)} %"
