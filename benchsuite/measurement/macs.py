"""Parameters and multiply–adds of a module, counted on one forward pass.

Two counters share the rules of `op_rules.py`: fvcore, on the graph that torch's tracer makes, and one that
watches the operators that torch dispatches. Where both can count, each checks the other. On "meta" nothing is
computed.

Below autograd torch hands composite operators over whole, so that the rules are those of the tracer. One
without a rule is taken apart.
"""

from __future__ import annotations

import importlib.metadata
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from benchsuite.measurement.meta_kernels import uncompiled
from benchsuite.measurement.op_rules import DENSE_3X3, Product, Shaped
from benchsuite.measurement.op_table import Tally, has_own_rules, rule_of
from benchsuite.measurement.repeats import Like, Repeats, Runs
from benchsuite.measurement.tracing import count_traced
from benchsuite.results.record import Cost

DISPATCHED = "dispatched operators"


def _traced() -> str:
    return f"fvcore {importlib.metadata.version('fvcore')} on the traced graph"


def count_cost(
    module: nn.Module, inputs: tuple[object, ...], *, images: int = 1, limit_s: float | None = None
) -> Cost:
    """Count the forward pass of `module(*inputs)`.

    The graph counts. Where there is none, or only the dispatched operators are known to the last, these do.

    Args:
        inputs: tensors, and plain values such as the grid size, which are held constant.
        images: how many images the input holds; all counts are divided by it.
        limit_s: seconds after which it gives up. Then only the dispatched operators count, since the tracer
            knows no limit.

    Returns:
        The cost of one image. Operators without a rule are listed in `uncounted` with their number of calls.

    Raises:
        TimeoutError: it took longer than the limit.
        Exception: the module does not run on such tensors.
    """
    with _as_in_inference(module):
        # The graph first: what a module makes at its first call and keeps is counted in it.
        repeats = Repeats(module)
        traced, _ = _tried(lambda: count_traced(module, inputs, repeats)) if limit_s is None else (None, None)
        dispatched, error = _tried(lambda: count_dispatched(module, inputs, limit_s, repeats))
    if error is not None and traced is None:
        raise error
    if traced is not None and (dispatched is None or not traced.unknown or dispatched.unknown):
        tally, other, how = traced, dispatched, _traced()
    else:
        assert dispatched is not None
        tally, other, how = dispatched, traced, DISPATCHED
    real = next((f", on {one.device}" for one in inputs if isinstance(one, Tensor) and not one.is_meta), "")
    parameters = list(module.parameters())
    return Cost(
        params=sum(parameter.numel() for parameter in parameters),
        trainable_params=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        macs=tally.macs // images,
        dense_3x3_macs=tally.counts.get(DENSE_3X3, 0) // images,
        other_ops={
            kind: count // images
            for kind, count in sorted(tally.counts.items())
            if not kind.startswith("macs") and count // images
        },
        uncounted=dict(sorted(tally.unknown.items())),
        counter=f"{how}, benchsuite's rules, torch {torch.__version__.partition('+')[0]}{real}",
        cross_check_macs=other.macs // images if other and not other.unknown and not tally.unknown else None,
    )


def _tried(count: Callable[[], Tally]) -> tuple[Tally | None, Exception | None]:
    try:
        return count(), None
    except Exception as error:  # noqa: BLE001  a module may raise anything, and there is another counter
        return None, error


@contextmanager
def _as_in_inference(module: nn.Module) -> Iterator[None]:
    """Eval mode without gradients, nothing compiled, and no fused operator that hides what it computes."""
    training = [(part, part.training) for part in module.modules()]  # some may be frozen
    fastpath = torch.backends.mha.get_fastpath_enabled()
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), uncompiled():
            yield
    finally:
        for part, before in training:
            part.training = before
        torch.backends.mha.set_fastpath_enabled(fastpath)


def count_dispatched(
    module: nn.Module,
    inputs: tuple[object, ...],
    limit_s: float | None = None,
    repeats: Repeats | None = None,
) -> Tally:
    """Count one forward pass of `module(*inputs)`, and run it on the way.

    Args:
        limit_s: seconds after which it gives up.
        repeats: parts of the module that need not all run.

    Raises:
        TimeoutError: it took longer.
        Exception: the module does not run on such tensors.
    """
    runs = Runs() if has_own_rules() else _RUNS
    calls = _Calls(limit_s, runs.tallies)
    once = repeats.once(calls, runs) if repeats else nullcontext()
    with once, warnings.catch_warnings(), torch._C._AutoDispatchBelowAutograd(), calls:
        warnings.simplefilter("ignore")  # of what the timed step may warn of in its time
        module(*inputs)
    return calls.tally


_RUNS = Runs()


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch gives it no types
    """Adds up every call."""

    supports_higher_order_operators = True

    def __init__(self, limit_s: float | None, runs: dict[int, Tally]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tally = Tally()
        self._products: MutableMapping[Tensor, Product] = WeakTensorKeyDictionary()
        self._runs, self._before = runs, dict[int, Tally]()
        self._limit_s, self._begun = limit_s, time.monotonic()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self._limit_s is not None and time.monotonic() - self._begun > self._limit_s:
            raise TimeoutError(f"took more than {self._limit_s:g} s")
        name = _name(func)
        if rule_of(name) is None and isinstance(func, OpOverload):
            with self:
                found = func.decompose(*args, **kwargs)
            if found is not NotImplemented:
                return found
        given = [self._value(value) for value in (*args, *kwargs.values())]  # before it may change in place
        result = func(*args, **kwargs)
        made = list(result) if isinstance(result, tuple | list) else [result]
        product = self.tally.add(name, given, [self._value(value) for value in made])
        for value in made:
            if isinstance(value, Tensor):
                self._remember(value, product)
        return result

    def takes(self, given: Sequence[Tensor]) -> bool:
        return not any(one in self._products for one in given)

    def begin(self, given: Sequence[Tensor], number: int) -> Sequence[Tensor]:
        self._before[number] = self.tally.copy()
        return given

    def end(self, result: Tensor, number: int) -> Tensor | None:
        if result in self._products:
            return None
        self._runs[number] = self.tally.since(self._before[number])
        return result

    def repeat(self, given: Sequence[Tensor], like: Like) -> Tensor:
        self.tally.repeat(self._runs[like.number])
        return given[0].new_empty_strided(like.shape, like.stride)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return Shaped(tuple(value.shape), self._products.get(value))
        return [self._value(one) for one in value] if isinstance(value, list | tuple) else value

    def _remember(self, tensor: Tensor, product: Product | None) -> None:
        if product is not None:
            self._products[tensor] = product
        elif tensor in self._products:
            del self._products[tensor]


def _name(func: Callable[..., Any]) -> str:
    if isinstance(func, HigherOrderOperator):
        return f"higher_order::{func.name()}"  # type: ignore[no-untyped-call]
    return str(func._schema.name) if isinstance(func, OpOverload) else str(func)
