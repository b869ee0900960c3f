"""What a process takes of the system while it samples: CPU time, page faults, lost cores. Never read in a
sample."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchsuite.results.record import Usage


@dataclass(frozen=True, slots=True)
class _Reading:
    wall_s: float
    user_s: float
    system_s: float
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int


class UsageMeter:
    """Adds up what the blocks of a round take; `begin` and `end` stand around each."""

    def __init__(self) -> None:
        self._sum: Usage | None = None
        self._before: _Reading | None = None

    def begin(self) -> None:
        """Before a block."""
        self._before = _read()

    def end(self, calls: int) -> None:
        """After a block of so many calls."""
        before, after = self._before, _read()
        if before is None or after is None:
            return
        was = self._sum
        self._sum = Usage(
            calls=calls + (was.calls if was else 0),
            **{
                name: getattr(after, name) - getattr(before, name) + (getattr(was, name) if was else 0)
                for name in _Reading.__dataclass_fields__
            },
        )

    @property
    def total(self) -> tuple[Usage, ...]:
        """The sum as a record holds it; empty where the system says nothing."""
        return () if self._sum is None else (self._sum,)


def _read() -> _Reading | None:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    now = resource.getrusage(resource.RUSAGE_SELF)
    return _Reading(
        wall_s=time.monotonic(),
        user_s=now.ru_utime,
        system_s=now.ru_stime,
        minor_faults=now.ru_minflt,
        major_faults=now.ru_majflt,
        voluntary_switches=now.ru_nvcsw,
        involuntary_switches=now.ru_nivcsw,
    )
