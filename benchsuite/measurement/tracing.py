"""fvcore's count on the graph of a forward pass, with our rules; on "meta" tensors nothing is computed.

A convolution on "meta" never reaches the operator that the tracer would note, and runs as Python, to which a
size under the tracer is no number but a tensor. So another operator stands for it in the graph. All sizes are
numbers besides: the arithmetic of sizes costs nothing, and a graph without it is made in less time.
"""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchsuite.measurement.op_rules import Product, Shaped
from benchsuite.measurement.op_table import Tally, has_own_rules, tensors
from benchsuite.measurement.repeats import CannotRepeat, Like, Repeats, Runs

_library = torch.library.Library("benchsuite", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "convolution(Tensor x, Tensor weight, int[] shape, bool transposed) -> Tensor"
)


_library.define("begin(Tensor[] given, int number) -> Tensor[]")  # type: ignore[no-untyped-call]
_library.define("end(Tensor result, int number) -> Tensor")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "repeat(Tensor[] given, int number, int[] shape, int[] stride) -> Tensor"
)


@torch.library.impl(_library, "begin", "CompositeExplicitAutograd")
def _begin(given: Sequence[Tensor], number: int) -> list[Tensor]:
    return [_another(one) for one in given]


@torch.library.impl(_library, "end", "CompositeExplicitAutograd")
def _end(result: Tensor, number: int) -> Tensor:
    return _another(result)


@torch.library.impl(_library, "repeat", "CompositeExplicitAutograd")
def _repeat(given: Sequence[Tensor], number: int, shape: Sequence[int], stride: Sequence[int]) -> Tensor:
    return given[0].new_empty_strided(shape, stride)


def _another(tensor: Tensor) -> Tensor:
    return _untraced(lambda: tensor.new_empty_strided(tensor.shape, tensor.stride()))


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


class _OnMeta(TorchFunctionMode):
    """While it is open, a module on "meta" can be traced; tensors elsewhere are traced as always.

    On "meta" it puts `TRACED_CONVOLUTION` in place of each convolution, and gives sizes as numbers.
    """

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
    """Call with the tracer, if there is one, paused."""
    state = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)  # type: ignore[attr-defined]
    try:
        return call()
    finally:
        torch._C._set_tracing_state(state)  # type: ignore[attr-defined]


_RUNS = Runs()


class _Marks:
    """Marks in the graph where a run begins and ends, and where one is repeated."""

    def takes(self, given: Sequence[Tensor]) -> bool:
        return True

    def begin(self, given: Sequence[Tensor], number: int) -> Sequence[Tensor]:
        marked: list[Tensor] = torch.ops.benchsuite.begin(given, number)
        return marked

    def end(self, result: Tensor, number: int) -> Tensor:
        marked: Tensor = torch.ops.benchsuite.end(result, number)
        return marked

    def repeat(self, given: Sequence[Tensor], like: Like) -> Tensor:
        made: Tensor = torch.ops.benchsuite.repeat(given, like.number, like.shape, like.stride)
        return made


def count_traced(module: nn.Module, inputs: tuple[object, ...], repeats: Repeats | None = None) -> Tally:
    """Count one forward pass of `module(*inputs)`, and run it on the way.

    Args:
        repeats: parts of the module that need not all run.

    Raises:
        Exception: the module does not run on such tensors, or cannot be traced.
    """
    if repeats is not None:
        runs = Runs() if has_own_rules() else _RUNS
        with suppress(CannotRepeat), repeats.once(_Marks(), runs):
            return _count_traced(module, inputs, runs.tallies)
    return _count_traced(module, inputs, {})


def _count_traced(module: nn.Module, inputs: tuple[object, ...], runs: dict[int, Tally]) -> Tally:
    tensors = tuple(value for value in inputs if isinstance(value, Tensor))
    on_meta = _OnMeta() if all(tensor.is_meta for tensor in tensors) else nullcontext()
    handles = _Handles(runs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fvcore scripts a loss function as it is imported; traces hold once
        from fvcore.nn import FlopCountAnalysis

        analysis: Any = FlopCountAnalysis(_Constant(module, inputs), tensors)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        analysis._op_handles = handles
        with on_meta:
            analysis.total()
    return handles.tally


class _Handles(dict[str, Callable[..., Counter[str]]]):
    """Table that fvcore looks handles up in: one for every operator that may cost something, which adds it
    up.

    fvcore makes the graph and walks it. Its own table holds a function for each name; here a product is
    followed to its sum through views, which takes one memory for all names.
    """

    def __init__(self, runs: dict[int, Tally]) -> None:
        super().__init__()
        self.tally = Tally()
        self._products: dict[int, Product] = {}
        self._runs, self._before = runs, dict[int, Tally]()

    def __contains__(self, kind: object) -> bool:
        """Tell if an operator may cost something; the others only handle values."""
        name = str(kind)
        return not name.startswith("prim::") or name.startswith(_COSTLY) or name in _UNPACKED

    def __missing__(self, kind: str) -> Callable[..., Counter[str]]:
        def handle(given: Sequence[torch._C.Value], made: Sequence[torch._C.Value]) -> Counter[str]:
            if kind in _MARKS:
                self._mark(kind, [_value(one, self._products) for one in given[:2]])
                return Counter()
            if kind in _UNPACKED:
                product = self._products.get(given[0].unique())
            else:
                values = [_value(one, self._products) for one in given]
                product = self.tally.add(kind, values, [_value(one, self._products) for one in made])
            if product is not None:
                self._products.update((one.unique(), product) for one in made)
            return Counter()

        return handle

    def _mark(self, kind: str, given: Sequence[Any]) -> None:
        """Keep or repeat what a run has counted. Raises CannotRepeat."""
        given, number = tensors(given), given[1]
        if any(one.product for one in given):
            raise CannotRepeat  # the sum over it decides what it costs
        if kind == _BEGIN:
            self._before[number] = self.tally.copy()
        elif number not in (self._before if kind == _END else self._runs):
            raise CannotRepeat  # nobody needed what the first one returned, so that it is not in the graph
        elif kind == _END:
            self._runs[number] = self.tally.since(self._before[number])
        else:
            self.tally.repeat(self._runs[number])


_BEGIN, _END, _REPEAT = _MARKS = ("benchsuite::begin", "benchsuite::end", "benchsuite::repeat")
_UNPACKED = frozenset({"prim::ListUnpack", "prim::TupleUnpack"})
_COSTLY = ("prim::PythonOp", "prim::Call", "prim::If", "prim::Loop", "prim::With")
"""Costly ones of torch's own names: a `torch.autograd.Function`, and scripted code."""


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

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = iter(tensors)
        (module,) = self.hidden
        returned = module(*(next(given) if isinstance(value, Tensor) else value for value in self.inputs))
        return tuple(tensors_in(returned))  # all of them: a graph holds only what its outputs need


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors of what a forward pass returned: itself, or those in its tuples, lists and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | tuple | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from tensors_in(one)
