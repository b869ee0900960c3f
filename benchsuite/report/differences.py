"""In what machines and settings differ, as the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchsuite.results.record import Record
from benchsuite.results.store import Run
from benchsuite.units import byte_size, significant

LEVEL_WORDS = {"refuse": "not comparable", "warn": "warning", "note": "note"}
"""Level of a finding → how the table says it."""


def known(path: str, value: Any) -> str:
    """The value of a property in words; "unknown" for none."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if path == "git.commit":
        return str(value)[:7]
    if path.endswith("bytes"):
        return byte_size(value)
    return significant(value, 4) if isinstance(value, float) else str(value)


def machines_of(run: Run, records: Sequence[Record]) -> list[Mapping[str, Any]]:
    """The machines that these records are from; that of the first session if there are none."""
    sessions = sorted({record.session for record in records}) or [1]
    return [run.environments.get(session, run.environment) for session in sessions]
