"""In what machines and settings differ, as the rows of a table."""

from __future__ import annotations

from typing import Any

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
