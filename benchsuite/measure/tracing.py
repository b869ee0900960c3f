"""Counts on the graph that torch's tracer makes of a forward pass; on "meta" tensors nothing is computed.

A convolution on "meta" never reaches the operator that the tracer would note, and runs as Python, to which a
size under the tracer is no number but a tensor. So another operator stands for it in the graph. All sizes are
numbers besides: the arithmetic of sizes costs nothing, and a graph without it is made in less time.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchsuite.measure.op_counts import Product, Shaped
from benchsuite.measure.tally import Tally

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


def count_traced(module: nn.Module, inputs: tuple[object, ...]) -> Tally:
    """Count one forward pass of `module(*inputs)`, and run it on the way.

    Raises:
        Exception: the module does not run on such tensors, or cannot be traced.
    """
    tensors = tuple(value for value in inputs if isinstance(value, Tensor))
    on_meta = tracing_on_meta() if all(tensor.is_meta for tensor in tensors) else nullcontext()
    with warnings.catch_warnings(), on_meta:
        warnings.simplefilter("ignore")  # of traces that hold for one input only, as this one does
        graph, _ = torch.jit._get_trace_graph(_Constant(module, inputs), tensors)  # type: ignore[attr-defined,no-untyped-call]
    tally = Tally()
    products: dict[int, Product] = {}
    for node in graph.nodes():
        kind = _kind(node)
        given, made = list(node.inputs()), list(node.outputs())
        product = None
        if kind in _UNPACKED:
            product = products.get(given[0].unique())
        elif kind is not None:
            values = [_value(one, products) for one in given]
            product = tally.add(kind, values, [_value(one, products) for one in made])
        if product is not None:
            products.update((one.unique(), product) for one in made)
    return tally


_UNPACKED = frozenset({"prim::ListUnpack", "prim::TupleUnpack"})


def _kind(node: torch._C.Node) -> str | None:
    """Name of an operator that may cost something; None of what only handles values."""
    kind = node.kind()
    if kind == "prim::PythonOp":  # a `torch.autograd.Function`
        return f"{kind}.{node.pyname()}"  # type: ignore[attr-defined]
    if kind.startswith("prim::Call") or list(node.blocks()):  # scripted code
        return kind
    return None if kind.startswith("prim::") and kind not in _UNPACKED else kind


def _value(value: torch._C.Value, products: Mapping[int, Product]) -> Any:
    """A value of the graph as rules see it."""
    type_, node = value.type(), value.node()
    if isinstance(type_, torch._C.TensorType):
        sizes = type_.sizes()
        return Shaped(None if sizes is None else tuple(sizes), products.get(value.unique()))
    if node.kind() in ("prim::ListConstruct", "prim::TupleConstruct"):
        return [_value(one, products) for one in node.inputs()]
    if (product := products.get(value.unique())) is not None:
        return Shaped(None, product)
    return value.toIValue()


class _Constant(nn.Module):
    """`module` with every argument but the tensors fixed, since a graph takes tensors only.

    It owns the weights, which a graph takes too, but not the modules, for each of which the tracer would keep
    a scope.
    """

    def __init__(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        super().__init__()
        self.hidden = (module,)  # in a tuple it is not registered
        self.inputs = inputs
        for number, parameter in enumerate(module.parameters()):
            self.register_parameter(f"parameter{number}", parameter)
        for number, buffer in enumerate(module.buffers()):
            self.register_buffer(f"buffer{number}", buffer)

    def forward(self, *tensors: Tensor) -> Tensor:
        given = iter(tensors)
        (module,) = self.hidden
        out: Tensor = module(*(next(given) if isinstance(value, Tensor) else value for value in self.inputs))
        return out
