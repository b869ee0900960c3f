"""What torch compiles inside of a mixer: the kernel "compiled", and torch's FlexAttention.

A function is compiled at its first call for each shape, which takes seconds, and kept for the life of the
process. Projections stay outside: they are products of matrices, which gain nothing.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

COMPILED = "compiled"
_SHAPES = 1 << 16  # that a process may compile for; more than anybody has


def by_kernel(
    kernel: str,
    function: Callable[..., Tensor],
    *args: Any,
    fused: Callable[..., Tensor] | None = None,
    **options: Any,
) -> Tensor:
    """Call a function of a mixer, compiled on the kernel "compiled" and as it is on every other.

    It is as it is also where only shapes and operators count (on "meta", under a tracer), and within a
    `torch.compile` of the caller's, whose graph it becomes a part of.

    Args:
        function: of a module, so that all mixers of a class share what is compiled; its tensors are given as
            positional arguments.
        fused: is compiled in its place: the same in a form of which torch makes fewer loops.

    Raises:
        RuntimeError: begins with "No available kernel", as torch's own for a forced kernel: torch cannot
            compile here, for want of a C++ compiler or of Triton.
    """
    if kernel != COMPILED or torch.compiler.is_compiling() or _counted(args):
        return function(*args, **options)
    return run_compiled(fused or function, f"{kernel} {function.__name__.strip('_')}", *args, **options)


def _counted(args: tuple[Any, ...]) -> bool:
    traced: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return traced or any(isinstance(value, Tensor) and value.is_meta for value in args)


def run_compiled(function: Callable[..., Tensor], what: str, *args: Any, **options: Any) -> Tensor:
    """Call a function compiled, which it is first where it has not seen such arguments.

    Args:
        what: it is, for the message.

    Raises:
        RuntimeError: as of `by_kernel`.
    """
    # Private, but what torch.compile raises has no public names.
    from torch._dynamo import config, exc

    run = _compiled(function)
    try:
        with _looked_into() if torch.is_grad_enabled() else nullcontext():
            try:
                return run(*args, **options)
            except exc.FailOnRecompileLimitHit:
                # Unless told otherwise, torch compiles a function for eight shapes, and a sweep has more.
                # Only a new shape comes here: those that are compiled are found above.
                with config.patch(recompile_limit=_SHAPES, accumulated_recompile_limit=_SHAPES):
                    return run(*args, **options)
    except (exc.ShortenTraceback, exc.Unsupported) as error:  # what a compiler behind torch.compile may raise
        cause = getattr(error, "inner_exception", error)
        raise unavailable(f"{what} cannot be compiled here: {str(cause).splitlines()[0]}") from error


@contextmanager
def _looked_into() -> Iterator[None]:
    """While torch looks for the gradient of each input, of which those that are no leaves warn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf")
        yield


@functools.cache
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, for whatever shapes it is called with.

    Every shape has a kernel of its own: one for all shapes would depend on what was called before.
    """
    with warnings.catch_warnings():  # recent torch's compiler is deprecated by torch, in parts
        warnings.simplefilter("ignore", DeprecationWarning)
        import torch._inductor.compile_fx
    known = inspect.signature(torch.compile).parameters
    limit: dict[str, Any] = {"recompile_limit": _SHAPES} if "recompile_limit" in known else {}
    compiled: Callable[..., Tensor] = torch.compile(function, dynamic=False, fullgraph=True, **limit)
    return compiled


def unavailable(why: str) -> RuntimeError:
    """The error of a kernel that cannot run here."""
    return RuntimeError(f"No available kernel: {why}")
