"""Records as JSON lines and back: validated, sound, and older versions brought up to date."""

from __future__ import annotations

import contextlib
import functools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from benchsuite.errors import RecordVersionError
from benchsuite.io import MAX_DEPTH, parse
from benchsuite.results.record import RECORD_VERSION, Cost, Memory, Record, Timing
from benchsuite.text import all_storable

if TYPE_CHECKING:
    from pydantic import TypeAdapter


MOST = 10**18
"""Of anything that is counted; twice as many still fit 64 bits."""
MOST_SIDE = 10**9
"""Of a size of a cell: so that tokens, a product of two, can be counted."""
LONGEST_S = 1e9
"""Thirty years."""


def _sound(record: Record) -> Record:
    """The record; raises ValueError, saying what is wrong, unless samples are positive and all numbers can be
    true."""
    for what, right in _conditions(record):
        if not right:
            raise ValueError(what)
    return record


def _conditions(record: Record) -> Iterator[tuple[str, bool]]:
    """Sentences on what may be wrong, each with whether it is right; the first rules NaN out."""
    yield "a number in it is not finite, too large, or nested too deeply", _plain(record, MAX_DEPTH)
    cell = record.cell
    sizes = (*cell.resolution, cell.stride, cell.batch, cell.dim, cell.num_heads, cell.threads)
    yield (
        "a size of its cell is absurd",
        all(size is None or 0 < size <= MOST_SIDE for size in sizes) and min(cell.resolution) >= cell.stride,
    )
    yield "its session or its attempts are absurd", min(record.session, record.attempts) >= 0
    took = (record.seconds, *(astuple(record.spent) if record.spent else ()))
    yield "it took a negative time", all(0 <= seconds <= LONGEST_S for seconds in took)
    if record.timing is not None:
        yield from _of_timing(record.timing)
    for counted in (record.cost, record.memory):
        if counted is not None:
            yield f"its {type(counted).__name__.lower()} holds a count that is absurd", _countable(counted)
    if record.compilation is not None:
        yield "its compilation took a negative time", 0 <= record.compilation.seconds <= LONGEST_S
    if record.energy is not None:
        yield "its energy is not positive", record.energy.joules >= 0


def _of_timing(timing: Timing) -> Iterator[tuple[str, bool]]:
    samples = timing.samples_s
    yield "its timing has no samples", bool(samples)
    yield "its samples are not all positive", 0 < min(samples) <= max(samples) < LONGEST_S
    parts = [part for part in timing.parts_s.values() if part]
    yield "the samples of a part are negative", all(0 <= min(p) <= max(p) < LONGEST_S for p in parts)
    yield (
        "its rounds do not add up to its samples",
        not timing.rounds or (min(timing.rounds) >= 0 and sum(timing.rounds) == len(samples)),
    )
    yield "its busy time is negative", timing.busy is None or 0 <= timing.busy.seconds < LONGEST_S
    yield "a number of calls is absurd", 0 < timing.calls_per_sample <= MOST and timing.warmup_calls >= 0


def _countable(counted: Cost | Memory) -> bool:
    """Test that every whole number, alone or by name, is one that a count can come to."""
    values = (getattr(counted, one.name) for one in fields(counted))
    numbers = (n for value in values for n in (value.values() if isinstance(value, Mapping) else (value,)))
    return all(0 <= number <= MOST for number in numbers if isinstance(number, int))


def _plain(value: Any, depth: int) -> bool:
    """Test that all numbers in it are finite and fit 64 bits, at no great depth."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return not abs(value) >> 63
    if depth == 0:
        return False
    below: Iterable[Any] = value
    if isinstance(value, Mapping):
        below = value.values()
    elif is_dataclass(value):
        below = (getattr(value, name) for name in value.__dataclass_fields__)
    elif {*map(type, value)} == {float}:  # samples, of which there are many
        return all(map(math.isfinite, value))
    return all(_plain(one, depth - 1) for one in below)


_LEAVES = {str, int, float, bool, type(None)}
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_CURRENT = f'{{"version":{RECORD_VERSION},'
"""Beginning of a record of this version, as `encode` writes it."""


@functools.cache
def _adapter() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def encode(record: Record) -> str:
    """One line of JSON without the newline; keys in the order of the dataclass."""
    data = as_data(record)
    try:
        line = ENCODER.encode(data)
        line.encode()
    except ValueError:  # half a character in a parameter, or NaN in a condition, ends no run
        return ENCODER.encode(all_storable(data))
    return line


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    """Those of a dataclass; empty for another type."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def as_data(value: Any) -> Any:
    """`dataclasses.asdict`, without a copy of every number: a record has many."""
    kind: type = type(value)
    if kind in _LEAVES:
        return value
    if names := _field_names(kind):
        return {name: as_data(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: as_data(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return value if {*map(type, value)} == {float} else [as_data(one) for one in value]
    return value


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
    if isinstance(version, int) and 1 <= version < RECORD_VERSION:
        data["version"] = RECORD_VERSION  # they add fields, with the values that all had been measured with
    try:
        return _sound(_adapter().validate_python(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
