"""Makes torch's tracer, on which fvcore counts, work on "meta" tensors, where nothing is computed.

A convolution on "meta" never reaches the operator that the tracer would note, and runs as Python, to which a
size under the tracer is no number but a tensor. So another operator stands for it in the graph. All sizes are
numbers besides: the arithmetic of sizes costs nothing, and a graph without it is made in less time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

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
_SIZES = frozenset((Tensor.shape.__get__, Tensor.size, Tensor.numel))  # type: ignore[attr-defined]

_T = TypeVar("_T")


@contextmanager
def tracing_on_meta() -> Iterator[None]:
    """While this is open, a module on "meta" can be traced. Tensors elsewhere are traced as always."""
    with _OnMeta():
        yield


class _OnMeta(TorchFunctionMode):
    """On "meta" puts `TRACED_CONVOLUTION` in place of each convolution, and gives sizes as numbers."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        call = functools.partial(func, *args, **kwargs)
        if func in _SIZES and args[0].is_meta:
            return _untraced(call)
        if func not in _CONVOLUTIONS:
            return call()
        x = args[0] if args else kwargs["input"]
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        if not x.is_meta:
            return call()
        shape = _untraced(lambda: list(call().shape))
        return torch.ops.benchsuite.convolution(x, weight, shape, _CONVOLUTIONS[func])


def _untraced(call: Callable[[], _T]) -> _T:
    """What `call` returns, made with the tracer, if there is one, paused."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        return call()
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]
