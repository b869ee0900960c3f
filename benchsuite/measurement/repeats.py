"""Parts of a network that are alike: one runs while operators are counted, and the others repeat its count.

On "meta" no value can decide anything, so that what a module calls follows from its class, its settings, the
shapes of its weights and of its input. Where all of this is known and the same as of a module that has run
already, its operators are those of that one. Only modules of benchsuite and of torch are looked at, which
keep nothing outside of themselves.
"""

from __future__ import annotations

import functools
import itertools
import types
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchsuite.measurement.op_table import Tally

KNOWN = ("benchsuite.", "torch.nn.")
"""Packages whose modules may be described."""
MOST = 2000
"""Runs, and kinds of modules, that a process remembers: a few kilobytes each."""
_PLAIN = (
    *(int, float, str, bytes, type(None), Enum),
    *(torch.dtype, torch.device, torch.memory_format),
    *(type, types.FunctionType, types.BuiltinFunctionType),
)
"""Values that are the same where they are equal."""


class CannotRepeat(Exception):  # noqa: N818  no fault of anybody: it is counted in full then
    """What was counted of one module does not hold for another that is like it."""


@dataclass(frozen=True, slots=True)
class Like:
    """What a module returned: enough to make another such tensor.

    Attributes:
        number: of the run.
    """

    number: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Runs:
    """Runs of modules that one kind of counter has seen, in this process.

    Attributes:
        likes: kind of module and of input → what it returned.
        tallies: number of a run → what was counted of it.
    """

    def __init__(self) -> None:
        self.likes: dict[Hashable, Like] = {}
        self.tallies: dict[int, Tally] = {}
        self.numbers = itertools.count()

    def forget(self) -> None:
        """Leave out runs that were not counted to their end, and all of them when they are many."""
        many = len(self.tallies) > MOST
        self.tallies = {} if many else self.tallies
        self.likes = {key: like for key, like in self.likes.items() if like.number in self.tallies}


class Tape(Protocol):
    """Counts operators, and those of a run once more when it is asked to."""

    def takes(self, given: Sequence[Tensor]) -> bool:
        """Tell if what runs on these tensors can be told apart from what ran before."""

    def begin(self, given: Sequence[Tensor], number: int) -> Sequence[Tensor]:
        """Begin with a run; the tensors to run on."""

    def end(self, result: Tensor, number: int) -> Tensor | None:
        """End a run; what it is to return, or None where it cannot be repeated."""

    def repeat(self, given: Sequence[Tensor], like: Like) -> Tensor:
        """Count a run once more."""


class Repeats:
    """The parts of a network whose runs can be repeated.

    Args:
        network: on "meta", before it runs for the first time.
    """

    def __init__(self, network: nn.Module) -> None:
        parents = Counter(child for part in network.modules() for child in part.children())
        kinds = _Kinds()
        self._kinds = {
            part: kind
            for part in network.modules()
            if next(part.children(), None) is not None
            and parents[part] == 1
            and not isinstance(part, nn.ModuleList | nn.ModuleDict)
            and (kind := kinds.of(part)) is not None
        }

    @contextmanager
    def once(self, tape: Tape, runs: Runs) -> Iterator[None]:
        """While it is open, of modules that are alike one runs on each kind of input."""
        for part, kind in self._kinds.items():
            part.forward = _Twin(part.forward, kind, tape, runs)
        try:
            yield
        finally:
            for part in self._kinds:
                del part.forward
            runs.forget()


class _Twin:
    """The forward pass of a module that others may be like."""

    def __init__(self, run: Callable[..., Any], kind: int, tape: Tape, runs: Runs) -> None:
        self._run, self._kind, self._tape, self._runs = run, kind, tape, runs
        self._called = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        again, self._called = self._called, True  # it may keep what it has made at its first call
        given = [value for value in args if isinstance(value, Tensor)]
        key = None if again or kwargs or not given else self._described(args)
        if key is None or not self._tape.takes(given):
            return self._run(*args, **kwargs)
        if key in self._runs.likes:
            return self._tape.repeat(given, self._runs.likes[key])
        number = next(self._runs.numbers)
        replaced = dict(zip(map(id, given), self._tape.begin(given, number), strict=True))
        result = self._run(*(replaced.get(id(value), value) for value in args))
        if type(result) is not Tensor or result.dtype != given[0].dtype:
            return result
        if (ended := self._tape.end(result, number)) is None:
            return result
        self._runs.likes[key] = Like(number, tuple(result.shape), result.stride())
        return ended

    def _described(self, args: Sequence[Any]) -> Hashable | None:
        same = [next(i for i, other in enumerate(args) if other is one) for one in args]
        try:
            return self._kind, tuple(same), _described(args)
        except _Unknown:
            return None


class _Unknown(Exception):  # noqa: N818
    """A value that nobody can describe."""


_KINDS: dict[Hashable, int] = {}
"""Kinds of modules that this process has met, with a number that no other kind has had."""
_NUMBERS = itertools.count()


class _Kinds:
    """Kinds of modules: two of one kind do the same with the same input."""

    def __init__(self) -> None:
        self._of: dict[nn.Module, int | None] = {}
        if len(_KINDS) > MOST:
            _KINDS.clear()

    def of(self, part: nn.Module) -> int | None:
        """The kind of a module; None where it cannot be described."""
        if part not in self._of:
            self._of[part] = None  # of a module within itself
            with suppress(_Unknown):
                self._of[part] = _KINDS.setdefault(self._described(part), next(_NUMBERS))
        return self._of[part]

    def _described(self, part: nn.Module) -> Hashable:
        if not type(part).__module__.startswith(KNOWN):
            raise _Unknown
        state = vars(part)
        if any(value for name, value in state.items() if name.endswith("_hooks")):
            raise _Unknown
        settings = {name: value for name, value in state.items() if name != "_modules"}
        children = []
        for name, child in part._modules.items():
            kind = None if child is None else self.of(child)
            if kind is None and child is not None:
                raise _Unknown
            children.append((name, kind))
        return type(part), _described(settings), tuple(children)


def _described(value: Any) -> Hashable:
    """What is to be known of a value for its part in a forward pass on "meta".

    Raises:
        _Unknown: nobody knows.
    """
    if isinstance(value, Tensor):
        if not value.is_meta or value.layout is not torch.strided:
            raise _Unknown
        return type(value), tuple(value.shape), value.stride(), value.dtype
    return type(value), value if isinstance(value, _PLAIN) else _inside(value)


def _inside(value: Any) -> Hashable:
    """The same of all that a value holds."""
    if isinstance(value, functools.partial):
        return _described((value.func, value.args, value.keywords))
    if isinstance(value, Mapping):
        return tuple((name, _described(one)) for name, one in value.items())
    if isinstance(value, Sequence):
        return tuple(map(_described, value))
    if isinstance(value, Set):
        return frozenset(map(_described, value))
    if is_dataclass(value):
        return tuple(_described(getattr(value, one.name)) for one in fields(value))
    raise _Unknown
