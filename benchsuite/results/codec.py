"""Records as JSON lines and back. Pydantic validates what comes in from a file."""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchsuite.errors import RecordVersionError
from benchsuite.results.record import RECORD_VERSION, Record
from benchsuite.results.upgrade import upgraded

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_CURRENT = f'{{"version":{RECORD_VERSION},'
"""How `encode` begins a record of this version."""


@functools.cache
def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def encode(record: Record) -> str:
    """One line of JSON without the newline; keys in the order of the dataclass."""
    return json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(line: str) -> Record:
    """The record of one line.

    Raises:
        RecordVersionError: a newer version of benchsuite wrote it.
        ValueError: the line is no record: torn, not JSON, or of another shape.
    """
    if line.startswith(_CURRENT):
        # Read and validated in one go, in less than half the time. What it refuses is read again by the way
        # below, which finds better words.
        with contextlib.suppress(ValueError):
            return _adapter().validate_json(line)
    data: Any = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    version = data.get("version")
    if isinstance(version, int) and version > RECORD_VERSION:
        raise RecordVersionError(
            f"record version {version} is newer than this benchsuite reads (up to {RECORD_VERSION}); "
            "update with: pip install --upgrade benchsuite"
        )
    return _adapter().validate_python(upgraded(data))
