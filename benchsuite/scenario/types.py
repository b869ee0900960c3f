"""Kinds of values that a scenario holds: how each is checked, its plain words, and its JSON Schema.

pydantic's own messages speak of inputs and types; these kinds raise errors of three types that `messages.py`
puts into words: "kind" (must be …), "word" (not one of a closed set) and "where" (a filter that does not
parse).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from benchsuite.results.cell import (
    Allocator,
    Cache,
    Compile,
    DType,
    Kernel,
    MemoryFormat,
    Mode,
    Protocol,
)
from benchsuite.results.record import STATUSES
from benchsuite.scenario import filters

T = TypeVar("T")
JsonSchema = dict[str, Any]

_SIZE_UNITS = {"B": 1, "kB": 1000, "KiB": 1 << 10, "MB": 10**6, "MiB": 1 << 20, "GB": 10**9, "GiB": 1 << 30}
_SIZE = re.compile(rf"(\d+\.?\d*)\s*({'|'.join(_SIZE_UNITS)})")


class Part(BaseModel):
    """A mapping of a scenario: it knows its keys and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def wrong_kind(what: str, at: str | None = None) -> PydanticCustomError:
    """The error that `messages.py` writes as "<key> must be <what>, got <value>"; `at` is a key further
    down."""
    return PydanticCustomError("kind", "must be {what}", {"what": what, "below": (at,) if at else ()})


class Before:
    """Checks a value, or spells it out, before pydantic reads it.

    Args:
        check: gives what pydantic is to read; raises as above.
        schema: the JSON Schema of what is taken, or what makes it of that of the value.
    """

    def __init__(
        self, check: Callable[[Any], Any], schema: JsonSchema | Callable[[JsonSchema], JsonSchema]
    ) -> None:
        self._check, self._schema = check, schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return self._schema(handler(schema)) if callable(self._schema) else dict(self._schema)


def must_be(what: str, holds: Callable[[Any], bool], schema: JsonSchema) -> Before:
    """Accept exactly the values for which `holds`."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise wrong_kind(what)
        return value

    return Before(check, schema)


def one_of(words: tuple[str, ...]) -> Before:
    """Accept one of some words."""

    def check(value: Any) -> Any:
        if value not in words:
            raise PydanticCustomError("word", "unknown word", {"allowed": words})
        return value

    return Before(check, {"enum": list(words)})


def is_whole(value: Any) -> bool:
    return type(value) is int  # a bool is an int to isinstance


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def is_label(value: Any) -> TypeGuard[str]:
    return (
        isinstance(value, str) and value.isprintable() and value.strip() == value != "" and '"' not in value
    )


def _is_resolution(value: Any) -> bool:
    sides = value if isinstance(value, list | tuple) and len(value) == 2 else (value,)
    return all(is_whole(side) and side > 0 for side in sides)


def _is_device(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?", value) is not None


def _bytes(value: Any) -> Any:
    """A whole number of bytes; "8GiB" is one, too."""
    if value is None or (is_whole(value) and value > 0):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        raise wrong_kind("a size such as 8GiB or 512MiB, or null")
    return int(float(match[1]) * _SIZE_UNITS[match[2]])


def _where(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip():
        raise wrong_kind("a filter such as mixer=hilo resolution<=448")
    if filters.mistakes(value):
        raise PydanticCustomError("where", "the filter does not parse")
    return value


def _side(value: Any) -> Any:
    filtering = isinstance(value, str) and filters.is_filter(value)
    if not filtering and not is_label(value):
        raise wrong_kind("a label, or a filter such as mixer=hilo")
    if filtering and filters.mistakes(value):
        raise PydanticCustomError("where", "the filter does not parse")
    return value


Name = Annotated[
    str,
    must_be(
        "lower-case letters, digits, - and _",
        lambda v: isinstance(v, str) and re.fullmatch(r"[a-z0-9_-]+", v) is not None,
        {"type": "string", "pattern": "^[a-z0-9_-]+$"},
    ),
]
Text = Annotated[
    str,
    must_be("text", lambda v: isinstance(v, str) and v.strip() != "", {"type": "string", "minLength": 1}),
]
Label = Annotated[
    str,
    must_be("one line of text without double quotes", is_label, {"type": "string", "pattern": '^[^"\\n]+$'}),
]
Positive = Annotated[
    int,
    must_be("a positive whole number", lambda v: is_whole(v) and v > 0, {"type": "integer", "minimum": 1}),
]
Count = Annotated[
    int,
    must_be("a whole number, 0 or more", lambda v: is_whole(v) and v >= 0, {"type": "integer", "minimum": 0}),
]
Seconds = Annotated[
    float,
    must_be(
        "a number of seconds, 0 or more", lambda v: is_number(v) and v >= 0, {"type": "number", "minimum": 0}
    ),
]
Limit = Annotated[
    float,
    must_be(
        "a positive number of seconds",
        lambda v: is_number(v) and v > 0,
        {"type": "number", "exclusiveMinimum": 0},
    ),
]
Precision = Annotated[
    float | Literal["auto"] | None,
    must_be(
        "a share between 0 and 1, auto or null",
        lambda v: v is None or v == "auto" or (is_number(v) and 0 < v < 1),
        {
            "anyOf": [
                {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                {"const": "auto"},
            ]
        },
    ),
]
Flag = Annotated[bool, must_be("true or false", lambda v: isinstance(v, bool), {"type": "boolean"})]
EnergyWord = Annotated[
    Literal["auto", False],
    must_be("auto or false", lambda v: v is False or v == "auto", {"enum": ["auto", False]}),
]
Bytes = Annotated[
    int | None,
    Before(_bytes, {"anyOf": [{"type": ["integer", "null"], "minimum": 1}, {"type": "string"}]}),
]
"""A number of bytes, written as one or as 512MiB, 8GiB, 16GB."""
PositiveOrNone = Annotated[
    int | None,
    must_be(
        "a positive whole number, or null",
        lambda v: v is None or (is_whole(v) and v > 0),
        {"type": ["integer", "null"], "minimum": 1},
    ),
]
MeasureThreads = Annotated[
    int | Literal["all"] | None,
    must_be(
        "a positive whole number, all or null",
        lambda v: v in (None, "all") or (is_whole(v) and v > 0),
        {"anyOf": [{"type": ["integer", "null"], "minimum": 1}, {"const": "all"}]},
    ),
]
AllocatorWord = Annotated[Allocator, one_of(get_args(Allocator))]
Resolution = Annotated[
    tuple[int, int],
    BeforeValidator(lambda v: (v, v) if isinstance(v, int) else tuple(v)),
    must_be(  # the last of these runs first
        "a side or [height, width] in pixels",
        _is_resolution,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2},
            ]
        },
    ),
]
DTypeWord = Annotated[DType, one_of(get_args(DType))]
ModeWord = Annotated[Mode, one_of(get_args(Mode))]
KernelWord = Annotated[Kernel | Literal["auto"], one_of((*get_args(Kernel), "auto"))]
MemoryFormatWord = Annotated[MemoryFormat, one_of(get_args(MemoryFormat))]
CompileWord = Annotated[Compile, one_of(get_args(Compile))]
CacheWord = Annotated[Cache, one_of(get_args(Cache))]
ProtocolWord = Annotated[Protocol, one_of(get_args(Protocol))]
Device = Annotated[
    str,
    must_be(
        "auto, cpu, cuda or cuda:N", _is_device, {"type": "string", "pattern": "^(auto|cpu|cuda(:[0-9]+)?)$"}
    ),
]
FAILURES = tuple(status for status in STATUSES if status not in ("ok", "skipped"))
FailureWord = Annotated[str, one_of(FAILURES)]
Where = Annotated[str, Before(_where, {"type": "string", "minLength": 1})]
Side = Annotated[str, Before(_side, {"type": "string", "minLength": 1})]
"""The cells on one side of a comparison: a label, or a filter; `filters.side` reads it."""
Ratio = Annotated[
    float,
    must_be("a positive number", lambda v: is_number(v) and v > 0, {"type": "number", "exclusiveMinimum": 0}),
]


def _one_or_more(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return [value]
    if not value:
        raise wrong_kind("one value or a list of at least one")
    return value


def _listed(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise wrong_kind("a list")
    return value


OneOrMore = Annotated[
    tuple[T, ...],
    Before(_one_or_more, lambda array: {"anyOf": [array["items"], {**array, "minItems": 1}]}),
]
"""A value, or a list of at least one. In a model it is always a tuple."""
Listed = Annotated[tuple[T, ...], Before(_listed, dict)]
"""A list, which may be empty. In a model it is a tuple."""
