"""Verdicts of checks of the instrument. Pure: numbers and a limit → a verdict.

A noisy machine is a finding about the machine: a warning. An instrument that reads something else than what
is there has failed. Where noise hides which of the two it is, that is a warning too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchsuite.stats.evidence import ratio_of

Level = Literal["ok", "warn", "fail", "skip"]
SURE = 0.99
"""Confidence with which two clocks are said to differ."""
DEAF = 0.25
"""Noise above which agreement within the noise is no agreement."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Duration of the comparisons of a self-test.

    Attributes:
        turns: of ours and theirs, two at least.
        turn_s: seconds of each.
        waits: known waits that are read.
    """

    turns: int
    turn_s: float
    waits: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check.

    Attributes:
        level: "warn" is about the machine, "fail" about the instrument; "skip" if it could not be made.
        value, limit: what was found, and what it is held against, as text.
        means: what that says, and what to do where there is something to do.
        numbers: what `value` was made from.
    """

    name: str
    level: Level
    value: str
    limit: str
    means: str
    numbers: tuple[float, ...] = ()


def equal_count(
    name: str, counted: int | None, expected: int, unit: str, means: str, *, slack: int = 0
) -> Verdict:
    """A count that is known: `counted` lies in [expected, expected + slack], or the instrument is wrong."""
    right = counted is not None and expected <= counted <= expected + slack
    limit = f"{expected:,} {unit}" + (f" + {slack}" if slack else "")
    value = "nothing" if counted is None else f"{counted:,} {unit}"
    numbers = () if counted is None else (float(counted),)
    return Verdict(name, "ok" if right else "fail", value, limit, means, numbers)


def close(name: str, ratios: Sequence[float], limit: float, means: str) -> Verdict:
    """Readings over what is known independently of the machine's noise: their median must be near 1.

    Args:
        ratios: read ÷ true, each of one call; the truth of a call is that call's own.
    """
    off = statistics.median(ratios) - 1
    level: Level = "ok" if abs(off) <= limit else "fail"
    return Verdict(name, level, f"{off:+.2%}", f"± {limit:.0%}", means, tuple(ratios))


def agreement(name: str, ratios: Sequence[float], limit: float, means: str, *, noise: float = 0.0) -> Verdict:
    """Two ways to read the same thing, in turns: ours ÷ theirs, one ratio for each turn.

    Their median must be within the limit, or within the machine's noise if that is larger. Beyond it the two
    disagree if the interval of the mean (`SURE`) is wholly beyond too; else nobody can tell.

    Args:
        ratios: two or more.
        noise: share by which identical cells differ on this machine. Above `DEAF` it excuses nothing.
    """
    logs = [math.log(ratio) for ratio in ratios]
    centre = statistics.median(logs)
    low, high = ratio_of(logs, least=2).log_interval(SURE)
    value, numbers = signed(centre), tuple(ratios)
    plain = abs(centre) <= math.log1p(limit)
    text = f"± {limit:.0%}" if plain or noise <= limit else f"± {share(noise)}, the noise"
    if plain or (noise <= DEAF and abs(centre) <= math.log1p(noise)):
        return Verdict(name, "ok", value, text, means, numbers)
    bound = math.log1p(max(limit, noise))
    if low > bound or high < -bound:
        return Verdict(name, "fail", value, text, f"it does not: {means}", numbers)
    spread = f"{signed(low)} to {signed(high)}"
    unsure = f"too noisy to tell ({spread}) that {means}: run it again on an idle machine"
    return Verdict(name, "warn", value, text, unsure, numbers)


def broken(name: str, error: Exception) -> Verdict:
    """A check that could not be carried through."""
    words = str(error).strip().split("\n", 1)[0]
    return Verdict(name, "fail", "–", "–", f"{type(error).__name__}: {words}")


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Tell if the instrument is sound. Warnings are about the machine."""
    return all(verdict.level != "fail" for verdict in verdicts)


def share(value: float) -> str:
    """A share as per cent, or as a factor where per cent would be hard to read."""
    return f"{value:.1%}" if value < 1 else f"{1 + value:,.0f} times"


def signed(log_ratio: float) -> str:
    """A ratio, given as its logarithm, as the per cent by which it is off 1, or as a factor."""
    ratio = math.exp(log_ratio)
    return f"{ratio - 1:+.2%}" if 0.5 < ratio < 2 else f"× {ratio:.3g}"
