"""Makes torch's tracer, on which fvcore counts, work on "meta" tensors, where nothing is computed.

Two things stand in its way. Many operators run as Python on "meta", and under the tracer a size is a tensor
there and no number. And a convolution on "meta" never reaches the operator that the tracer would note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

TRACED_CONVOLUTION = "benchsuite::convolution"
"""Operator that stands for a convolution in the graph: input, weight, output shape, transposed."""

_library = torch.library.Library("benchsuite", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "convolution(Tensor x, Tensor weight, int[] shape, bool transposed) -> Tensor"
)


@torch.library.impl(_library, "convolution", "CompositeExplicitAutograd")
def _convolution(x: Tensor, weight: Tensor, shape: Sequence[int], transposed: bool) -> Tensor:
    return x.new_empty(shape)


_CONVOLUTIONS: dict[Callable[..., Any], bool] = {
    torch.conv1d: False,
    torch.conv2d: False,
    torch.conv3d: False,
    torch.conv_transpose1d: True,
    torch.conv_transpose2d: True,
    torch.conv_transpose3d: True,
}
"""Function → whether it is transposed."""


@contextmanager
def tracing_on_meta() -> Iterator[None]:
    """While this is open, a module on "meta" can be traced. Modules elsewhere are traced as always."""
    # Another thread is the one place where nothing is traced: torch does not let tracing be paused.
    with ThreadPoolExecutor(1) as thread, _Convolutions(thread), _Untraced(thread):
        yield


class _Convolutions(TorchFunctionMode):
    """Puts `TRACED_CONVOLUTION` in place of each convolution on "meta"."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        super().__init__()
        self._thread = thread

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _CONVOLUTIONS:
            return func(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        if not x.is_meta:
            return func(*args, **kwargs)
        shape = self._thread.submit(_shape_of, func, args, kwargs).result()
        return torch.ops.benchsuite.convolution(x, weight, shape, _CONVOLUTIONS[func])


class _Untraced(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch gives it no types
    """Runs each operator on "meta" in a thread where nothing is traced, after the tracer has noted it."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._thread = thread

    def __torch_dispatch__(
        self,
        func: Any,  # an operator's overload, torch._ops.OpOverload
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        # A view must share its base's autograd record, which another thread would not see.
        if func.is_view or not any(isinstance(value, Tensor) and value.is_meta for value in args):
            return func(*args, **kwargs)
        return self._thread.submit(_without_gradients, func, args, kwargs).result()


def _without_gradients(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    with torch.no_grad():  # which is a setting of the thread
        return func(*args, **kwargs)


def _shape_of(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[int]:
    return list(_without_gradients(func, args, kwargs).shape)
