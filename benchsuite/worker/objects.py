"""Modules that a Python caller has as objects, with the inputs that they are called with: `object:NAME`.

A worker process finds NAME as a file in the folders where it looks for modules; the caller's own process,
where it is to do the work itself, in `IN_PROCESS`.
"""

from __future__ import annotations

import copy
import inspect
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from benchsuite.errors import UsageError
from benchsuite.scenario.subjects import OBJECT

IN_PROCESS: dict[str, ModuleCall] = {}
"""Name → the call, while this process measures for itself."""
_SUFFIX = ".object.pt"
_ODD = re.compile(r"\W")


class NotLoadable(Exception):  # noqa: N818  names what happened
    """A fresh process cannot unpickle the object: the module of its class cannot be imported there."""


class ByKeyword(nn.Module):
    """Calls a module with its inputs as keyword arguments."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *values: Any) -> Any:
        return self.module(**dict(zip(self.names, values, strict=True)))


@dataclass(frozen=True, eq=False)
class ModuleCall:
    """A module, or what makes it, and its inputs.

    Attributes:
        source: the module, or a function without arguments that makes it.
        values: the inputs, a tensor among them.
        names: the keyword of each input; empty where they are positional.
    """

    source: nn.Module | Callable[[], nn.Module]
    values: tuple[Any, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: object, inputs: object) -> ModuleCall:
        """The call of what a caller gives: a tensor, or several inputs in a tuple or, by keyword, a mapping.

        Raises:
            UsageError: this is no module and no function without arguments, or there is no tensor among the
                inputs.
        """
        if not isinstance(source, nn.Module) and not callable(source):
            what = f"an instance of {type(source).__name__}"
            raise UsageError(f"module: {what} is no torch.nn.Module, and no function that makes one")
        if not isinstance(source, nn.Module) and (wants := _misfit(source)):
            what = getattr(source, "__name__", type(source).__name__)
            raise UsageError(
                f"module: {what} cannot be called without arguments ({wants}); give a module, or a function "
                "without arguments that makes one"
            )
        names: tuple[str, ...] = ()
        values: tuple[Any, ...] = (inputs,)
        if isinstance(inputs, Mapping):
            names, values = tuple(map(str, inputs)), tuple(inputs.values())
        elif isinstance(inputs, tuple | list):
            values = tuple(inputs)
        if not any(isinstance(one, Tensor) for one in values):
            what = ", ".join(type(one).__name__ for one in values) or "nothing"
            raise UsageError(
                f"inputs: there is no tensor among them, but {what}; give a tensor, a tuple of the "
                "positional arguments, or a mapping of keyword arguments"
            )
        return cls(source, tree_map_only(Tensor, Tensor.detach, values), names)

    @property
    def tensor(self) -> Tensor:
        """The first tensor among the inputs."""
        return next(one for one in self.values if isinstance(one, Tensor))

    @property
    def images(self) -> int:
        """The length of that tensor, which is the batch; 1 where it has one dimension or none."""
        return len(self.tensor) if self.tensor.ndim > 1 else 1

    def module(self) -> nn.Module:
        """The module itself, or a new one.

        Raises:
            UsageError: the function makes something else.
            Exception: whatever the function raises.
        """
        made: object = self.source if isinstance(self.source, nn.Module) else self.source()
        if not isinstance(made, nn.Module):
            raise UsageError(f"module: the function makes a {type(made).__name__}, not a torch.nn.Module")
        return made

    def require_taken(self, module: nn.Module, argument: str = "inputs") -> None:
        """Raise UsageError if the module's `forward` has not the parameters that these inputs are for.

        Args:
            argument: where a caller gave the inputs, for the message.
        """
        named = dict(zip(self.names, self.values, strict=True)) if self.names else {}
        if why := _misfit(module.forward, *(() if named else self.values), **named):
            raise UsageError(
                f"{argument}: {type(module).__name__} does not take them ({why}); give a tuple of all "
                "positional arguments, such as (x, (14, 14)), or a mapping of keyword arguments"
            )

    def positional(self, module: nn.Module) -> nn.Module:
        """The module for `module(*values)`."""
        return ByKeyword(module, self.names) if self.names else module

    def save(self, folder: Path, name: str) -> None:
        """Write it to where a worker looks; raises whatever pickling raises."""
        torch.save(self, folder / f"{name}{_SUFFIX}")

    def built(
        self, device: torch.device | str, dtype: torch.dtype, *, batch: int | None = None, of: int = 1
    ) -> tuple[nn.Module, tuple[Any, ...]]:
        """The module and inputs on a device, for `module(*inputs)`.

        Args:
            dtype: of floating-point weights and inputs; those that begin in it, mixed ones among them, stay
                as they are.
            batch: images to keep of each tensor that is `of` long; all if None.
        """
        with torch.device(device):
            module = self.module().to(device)
        as_is = dtype_of(module, self.values) in (None, dtype)

        def given(one: Tensor) -> Tensor:
            one = one[:batch] if one.ndim and len(one) == of else one
            return one.to(device, one.dtype if as_is or not one.is_floating_point() else dtype, copy=True)

        module = module if as_is else module.to(dtype)
        return self.positional(module), tree_map_only(Tensor, given, self.values)


def _misfit(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Why a function cannot be called so, by its signature; empty if it can, or where nobody can tell."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    except ValueError:  # it has no signature
        return ""
    return ""


def dtype_of(module: nn.Module, values: tuple[Any, ...]) -> torch.dtype | None:
    """Format of the first floating-point parameter, else of the first such input; None if there is none."""
    tensors = (one for one in (*module.parameters(), *tree_leaves(values)) if isinstance(one, Tensor))
    return next((one.dtype for one in tensors if one.is_floating_point()), None)


def file_name(label: str) -> str:
    """A name for a file and, behind `object:`, for a target, which no other label has."""
    return f"_{_ODD.sub('_', label)[:40]}_{zlib.crc32(label.encode()):08x}"


def load(target: str, device: torch.device | str = "meta") -> ModuleCall:
    """The call that "object:NAME" stands for; its module is nobody else's, and on the device if it was saved.

    Raises:
        LookupError: there is none of this name.
        NotLoadable: it cannot be unpickled here.
    """
    name = target.removeprefix(OBJECT)
    if name in IN_PROCESS:
        mine = IN_PROCESS[name]
        return (
            replace(mine, source=copy.deepcopy(mine.source)) if isinstance(mine.source, nn.Module) else mine
        )
    files = (Path(folder, f"{name}{_SUFFIX}") for folder in sys.path)
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise LookupError(f"no object is called {name}")
    try:
        call: ModuleCall = torch.load(file, map_location=device, weights_only=False)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # unpickling imports the caller's modules, which may raise anything
        raise NotLoadable(f"{type(error).__name__}: {error}") from error
    return call


@contextmanager
def in_process(calls: Mapping[str, ModuleCall]) -> Iterator[None]:
    """Let this process build these objects itself."""
    IN_PROCESS.update(calls)
    try:
        yield
    finally:
        for name in calls:
            del IN_PROCESS[name]
