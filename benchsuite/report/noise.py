"""How sure the numbers of a run are, in words: the precision its cells reached, the noise of its machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchsuite.report.words import STOPPED_WORDS, counted, fixed, joined
from benchsuite.results.record import Record, Timing


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


def of_machine(environment: Mapping[str, Any]) -> str | None:
    """What a difference must exceed to mean something; None where no self-test of the machine is known.

    The threshold is that of `benchsuite selftest`, which times one cell against itself.
    """
    found = environment.get("selftest")
    if not isinstance(found, Mapping):
        return None
    noise, day = found.get("noise_percent"), str(found.get("date") or "")[:10]
    when = f"The self-test of {day}" if day else "The self-test"
    if not isinstance(noise, int | float):
        return f"{when} could not tell the noise of this machine."
    text = (
        f"{when} timed one cell against itself: on this machine a difference within a run must exceed "
        f"{_percent(noise / 100)} to mean something."
    )
    return text if found.get("passed", True) else f"{text} The self-test did not pass."


def _percent(share: float) -> str:
    return f"{fixed(100 * share, 2)} %"
