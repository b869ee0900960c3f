"""Records as JSON lines and back. Pydantic validates what comes in from a file."""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchsuite.errors import RecordVersionError
from benchsuite.results.record import RECORD_VERSION, Record
from benchsuite.results.sound import require_sound
from benchsuite.results.untrusted import parse
from benchsuite.results.upgrade import upgraded
from benchsuite.text import all_storable

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_CURRENT = f'{{"version":{RECORD_VERSION},'
"""How `encode` begins a record of this version."""


@functools.cache
def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def encode(record: Record) -> str:
    """One line of JSON without the newline; keys in the order of the dataclass."""
    data = asdict(record)
    try:
        line = _ENCODER.encode(data)
        line.encode()
    except ValueError:  # half a character in a parameter, or NaN in a condition, ends no run
        return _ENCODER.encode(all_storable(data))
    return line


def decode(line: str) -> Record:
    """The record of one line.

    Raises:
        RecordVersionError: a newer version of benchsuite wrote it.
        ValueError: the line is no record: torn, not JSON, of another shape, or with numbers that no
            measurement gives.
    """
    if line.startswith(_CURRENT):
        # Read and validated in one go, in less than half the time. What it refuses is read again by the way
        # below, which finds better words.
        with contextlib.suppress(ValueError):
            return _sound(_adapter().validate_json(line))
    from pydantic import ValidationError

    data = parse(line)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    version = data.get("version")
    if isinstance(version, int) and version > RECORD_VERSION:
        raise RecordVersionError(
            f"record version {version} is newer than this benchsuite reads (up to {RECORD_VERSION}); "
            "update with: pip install --upgrade benchsuite"
        )
    try:
        return _sound(_adapter().validate_python(upgraded(data)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _sound(record: Record) -> Record:
    require_sound(record)
    return record
