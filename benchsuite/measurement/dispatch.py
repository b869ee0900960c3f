"""Counts on the operators that torch dispatches while a module runs, on "meta" or on real tensors.

Below autograd torch hands composite operators over whole, so that the rules are those of the tracer. One
without a rule is taken apart.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from benchsuite.measurement.op_rules import Product, Shaped
from benchsuite.measurement.op_table import rule_of
from benchsuite.measurement.tally import Tally


def count_dispatched(module: nn.Module, inputs: tuple[object, ...], limit_s: float | None = None) -> Tally:
    """Count one forward pass of `module(*inputs)`, and run it on the way.

    Args:
        limit_s: seconds after which it gives up.

    Raises:
        TimeoutError: it took longer.
        Exception: the module does not run on such tensors.
    """
    calls = _Calls(limit_s)
    with warnings.catch_warnings(), torch._C._AutoDispatchBelowAutograd(), calls:
        warnings.simplefilter("ignore")  # of what the timed step may warn of in its time
        module(*inputs)
    return calls.tally


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch gives it no types
    """Adds up every call."""

    supports_higher_order_operators = True

    def __init__(self, limit_s: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tally = Tally()
        self._products: MutableMapping[Tensor, Product] = WeakTensorKeyDictionary()
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
        given = [self._value(one) for one in (*args, *kwargs.values())]  # before it may change in place
        result = func(*args, **kwargs)
        made = list(result) if isinstance(result, tuple | list) else [result]
        product = self.tally.add(name, given, [self._value(one) for one in made])
        for one in made:
            if isinstance(one, Tensor):
                self._remember(one, product)
        return result

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
