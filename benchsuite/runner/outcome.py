"""What measuring a cell brought, before it is a record. Plain data that travels between machines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from benchsuite.results.record import (
    AttentionBackend,
    Check,
    Compilation,
    Conditions,
    Cost,
    Energy,
    Failure,
    Memory,
    Status,
    Timing,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What measuring a cell brought.

    Attributes:
        behaviour: flags of what the module does, whatever its kernel.
        seconds: spent on it, building and all passes included.
        cost, not_counted: what was counted, or why nothing was, where the group was planned by whoever
            measured it; else the plan has it.
    """

    status: Status = "ok"
    failure: Failure | None = None
    timing: Timing | None = None
    memory: Memory | None = None
    check: Check | None = None
    behaviour: tuple[str, ...] = ()
    compilation: Compilation | None = None
    energy: Energy | None = None
    conditions: Conditions | None = None
    attention_backend: tuple[AttentionBackend, ...] | None = None
    started_at: str = ""
    seconds: float = 0.0
    attempts: int = 1
    cost: Cost | None = None
    not_counted: str = ""


def now() -> str:
    """The moment as records write it: UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
