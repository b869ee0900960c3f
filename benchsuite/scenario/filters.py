"""One filter language for `where:` in a scenario and `--filter` on the command line.

    mixer=hilo,msa resolution<=448 kernel!=math params.alpha>=0.5

Terms are separated by spaces and all must hold; a comma means any of. `!=` holds exactly where `=` does not,
so it also holds for a mixer that has no such parameter. `resolution=448` is the square, `448x672` that height
and width; an order compares the longer sides. `mixer` (or `backbone`) is a name or a label, `device=cuda` any
CUDA device, and `params.alpha` what the scenario sets, not the mixer's default. `cell` is the id of one cell,
as in records and reports: it says everything, the device included, so it selects this cell or none.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from benchsuite.errors import SelectionError, UsageError, nearest, suggested
from benchsuite.results.cell import (
    SWEPT,
    Allocator,
    Cache,
    Cell,
    Compile,
    DType,
    Kernel,
    MemoryFormat,
    Mode,
    Protocol,
)

AXES = ("mixer", *SWEPT, "tokens", "cell", "params.NAME")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")

_NUMBERS = ("stride", "batch", "dim", "num_heads", "tokens", "threads")
_WORDS: dict[str, tuple[str, ...]] = {
    "dtype": get_args(DType),
    "mode": get_args(Mode),
    "kernel": get_args(Kernel),
    "memory_format": get_args(MemoryFormat),
    "compile": get_args(Compile),
    "cache": get_args(Cache),
    "protocol": get_args(Protocol),
    "allocator": get_args(Allocator),
}
_OTHER_WORDS = {"backbone": "mixer"}
"""Axes that may be called something else."""
_UNORDERED = ("mixer", "backbone", "device", "cell")
_AXES_NOT_PARAMS = ("dim", "num_heads", "kernel")

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CHUNK = re.compile(r'(?:"[^"]*"|[^\s"])+|"')
_TERM = re.compile(r"(?P<axis>[^=!<>\"]*)(?P<operator><=|>=|!=|=|<|>)(?P<values>.*)")
_VALUE = re.compile(r'"[^"]*"|[^,"]+')
_SIZE = re.compile(r"(\d{1,9})(?:x(\d{1,9}))?")
_CELL = re.compile(r"[a-z0-9-]*[0-9a-f]{8}")
_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Reason why one term of a filter cannot be used."""

    message: str
    suggestion: str | None = None
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        allowed = f"\n  allowed: {', '.join(self.allowed)}" if self.allowed else ""
        return f"{self.message}{suggested(self.suggestion)}{allowed}"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: an axis, an operator, and the values it is compared with."""

    axis: str
    operator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.axis}{self.operator}{','.join(self.values)}"

    def matches(self, cell: Cell) -> bool:
        """True if the condition holds for the cell."""
        if self.operator in _ORDER:
            return self._ordered(cell, _ORDER[self.operator])
        return any(self._equal(cell, value) for value in self.values) == (self.operator == "=")

    def _equal(self, cell: Cell, value: str) -> bool:
        if self.axis == "mixer":
            return value in (cell.name, cell.target)
        if self.axis == "resolution":
            return cell.resolution == _size(value)
        if self.axis == "device":
            return value in (cell.device, cell.device.partition(":")[0])
        if self.axis.startswith("params."):
            return self._param_equal(cell, value)
        if self.axis in _NUMBERS:
            return bool(getattr(cell, self.axis) == int(value))
        field = "id" if self.axis == "cell" else self.axis
        return bool(getattr(cell, field) == value)

    def _param_equal(self, cell: Cell, value: str) -> bool:
        name = self.axis.removeprefix("params.")
        if name not in cell.config:
            return False
        actual = cell.config[name]
        if _is_number(actual) and _NUMBER.fullmatch(value):
            return bool(actual == float(value))
        return bool(value == (actual if isinstance(actual, str) else json.dumps(actual, ensure_ascii=False)))

    def _ordered(self, cell: Cell, holds: Callable[[Any, Any], bool]) -> bool:
        (value,) = self.values
        if self.axis == "resolution":
            return holds(max(cell.resolution), max(_size(value)))
        if self.axis.startswith("params."):
            actual = cell.config.get(self.axis.removeprefix("params."))
            return _is_number(actual) and holds(actual, float(value))
        actual = getattr(cell, self.axis)
        return actual is not None and holds(actual, int(value))  # a backbone has no dim of its own


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter that parsed."""

    text: str
    terms: tuple[Term, ...]

    def matches(self, cell: Cell) -> bool:
        """True if every term holds for the cell."""
        return all(term.matches(cell) for term in self.terms)

    @property
    def mixers(self) -> tuple[str, ...]:
        """The mixers that the filter names, so that its user can be told of one that is not there."""
        return tuple(value for term in self.terms if term.axis == "mixer" for value in term.values)


def parse(text: str) -> Selection:
    """Parse a filter; an empty one matches every cell.

    Raises:
        SelectionError: some terms do not parse; the message names all of them, and what would have been
            right.
    """
    terms, wrong = _read(text)
    if wrong:
        raise SelectionError("\n".join(str(mistake) for mistake in wrong))
    return Selection(text, terms)


def leaves_none(selection: Selection, cells: Collection[Cell]) -> UsageError:
    """The error of a `--filter` that leaves none of these cells; of a term that none meets, what there is."""
    lines = [f"--filter {selection.text!r} leaves no cell of {len(cells)}"]
    for term in selection.terms:
        if any(term.matches(cell) for cell in cells):
            continue
        there = tuple(dict.fromkeys(word for cell in cells if (word := _word(cell, term.axis))))
        names = {*there, *(cell.target for cell in cells)} if term.axis == "mixer" else ()
        near = nearest(term.values[0], names)
        lines.append(f"  {Mistake(f'no cell has {term}', near, there)}")
    return UsageError("\n".join(lines))


def is_filter(text: str) -> bool:
    """Tell a filter from a label: the first word of a filter holds an operator.

    "HiLo alpha=0.5" is a label. One that begins like a filter is written `mixer="r=2 SRA"`.
    """
    return re.match(r"[^\s\"]*[=<>]", text.lstrip()) is not None


def side(text: str) -> Selection:
    """The selection of a filter, or of the mixer that is labelled or named so.

    Raises:
        SelectionError: it is a filter and does not parse.
    """
    return parse(text) if is_filter(text) else Selection(text, (Term("mixer", "=", (text,)),))


def mistakes(text: str) -> tuple[Mistake, ...]:
    """Mistakes in a filter; none, if it parses."""
    return _read(text)[1]


def _read(text: str) -> tuple[tuple[Term, ...], tuple[Mistake, ...]]:
    if text.count('"') % 2:
        return (), (Mistake(f"a double quote is not closed in {text.strip()}"),)
    terms: list[Term] = []
    wrong: list[Mistake] = []
    for chunk in _CHUNK.findall(text):
        match = _TERM.fullmatch(chunk)
        if not match:
            example = "write axis, operator and value without spaces, as in resolution<=448"
            wrong.append(Mistake(f'no operator in "{chunk}"; {example}', allowed=OPERATORS))
            continue
        quoted = _VALUE.findall(match["values"])
        term = Term(match["axis"], match["operator"], tuple(value.strip('"') for value in quoted))
        faults = list(_mistakes_of(term, chunk, well_formed=",".join(quoted) == match["values"]))
        terms.append(replace(term, axis=_OTHER_WORDS.get(term.axis, term.axis)))
        wrong.extend(faults)
    return tuple(terms), tuple(wrong)


def _mistakes_of(term: Term, chunk: str, *, well_formed: bool) -> Iterator[Mistake]:
    axis, values = term.axis, term.values
    param = axis.removeprefix("params.") if axis.startswith("params.") else None
    if axis not in (*AXES[:-1], *_OTHER_WORDS) and not (param and param.replace(".", "_").isidentifier()):
        yield Mistake(f'unknown axis "{axis}" in "{chunk}"', nearest(axis, AXES[:-1]), AXES)
    elif param in _AXES_NOT_PARAMS:
        yield Mistake(f'{param} is an axis; write "{chunk.removeprefix("params.")}" instead of "{chunk}"')
    elif chunk.removeprefix(axis + term.operator)[:1] in ("=", "<", ">", "!"):
        yield Mistake(f'unknown operator in "{chunk}"', allowed=OPERATORS)
    elif not well_formed or not values or not all(values):
        yield Mistake(f'a value is missing in "{chunk}"')
    elif term.operator in _ORDER and (axis in _WORDS or axis in _UNORDERED):
        yield Mistake(f'{axis} has no order in "{chunk}"', allowed=OPERATORS[:2])
    elif term.operator in _ORDER and len(values) > 1:
        yield Mistake(f'"{term.operator}" takes one value in "{chunk}"; only = and != take several')
    else:
        yield from (found for value in values if (found := _mistake_of_value(term, value, chunk)))


def _mistake_of_value(term: Term, value: str, chunk: str) -> Mistake | None:
    axis = term.axis
    if axis in _WORDS and value not in _WORDS[axis]:
        message, hint = f'unknown {axis} "{value}" in "{chunk}"', nearest(value, _WORDS[axis])
        if (axis, value) == ("kernel", "auto"):
            message, hint = f'a cell has the kernel that "auto" became for it; name that in "{chunk}"', None
        return Mistake(message, hint, _WORDS[axis])
    if axis in _NUMBERS and not re.fullmatch(r"\d{1,12}", value):
        return Mistake(f'{axis} is compared with a whole number, not with "{value}", in "{chunk}"')
    if axis == "resolution" and not _SIZE.fullmatch(value):
        return Mistake(
            f'resolution is compared with a side or HEIGHTxWIDTH, not with "{value}", in "{chunk}"'
        )
    if axis in ("device", "cell"):
        return _mistake_of_word(axis, value, chunk)
    if axis.startswith("params.") and term.operator in _ORDER and not _NUMBER.fullmatch(value):
        return Mistake(f'"{term.operator}" compares with a number, not with "{value}", in "{chunk}"')
    return None


def _mistake_of_word(axis: str, value: str, chunk: str) -> Mistake | None:
    """The same for the axes whose words no list holds."""
    if axis == "device" and not _DEVICE.fullmatch(value):
        return Mistake(f'unknown device "{value}" in "{chunk}"', allowed=("cpu", "cuda", "cuda:N"))
    if axis == "cell" and not _CELL.fullmatch(value):
        return Mistake(f'"{value}" is no id of a cell in "{chunk}"; records and reports print them')
    return None


def _word(cell: Cell, axis: str) -> str:
    """What a filter calls the cell's value of an axis; empty where a list of them would help nobody."""
    if axis == "cell" or axis.startswith("params."):
        return ""
    if axis == "resolution":
        height, width = cell.resolution
        return str(height) if height == width else f"{height}x{width}"
    value = cell.name if axis == "mixer" else getattr(cell, axis)
    return "" if value is None else str(value)


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    assert match
    return int(match[1]), int(match[2] or match[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
