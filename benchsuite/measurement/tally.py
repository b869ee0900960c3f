"""Adds up what operators cost, whichever counter brings them. No rule can stop a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from benchsuite.measurement.op_rules import PRODUCTS, Product, Shaped
from benchsuite.measurement.op_table import rule_of


class Tally:
    """What was counted so far.

    Attributes:
        counts: by kind, see `op_counts.py`.
        unknown: operators that may hold multiply–adds, by number of calls.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    @property
    def macs(self) -> int:
        """Multiply–adds."""
        return sum(count for kind, count in self.counts.items() if kind.startswith("macs"))

    def add(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Product | None:
        """Count one call. Returns the product that its outputs are, or are views of, if they are."""
        rule = rule_of(name)
        if rule is None:
            if any(tensor.shape != () for tensor in tensors(inputs)):  # on numbers alone there is no work
                self.unknown[name] += 1
            return None
        try:
            found = rule(inputs, outputs)
            counts = {"macs.own": found} if isinstance(found, int) else dict(found)
            self.counts.update({str(kind): int(count) for kind, count in counts.items()})
        except Exception:  # noqa: BLE001  a rule, a user's as well, may meet a call that it was not made for
            self.unknown[name] += 1
            return None
        return _product(name.rstrip("_"), inputs, outputs)


def tensors(values: Sequence[Any]) -> Iterator[Shaped]:
    """The tensors among a call's values, those in lists included."""
    for value in values:
        if isinstance(value, Shaped):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors(value)


def _product(name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Product | None:
    given = list(tensors(inputs))
    if name in PRODUCTS and len(given) == 2 and all(one.shape for one in given):
        return Product(outputs[0].elements)
    return given[0].product if name in _VIEWS and given else None


_VIEWS = frozenset(
    f"aten::{name}"
    for name in (
        "alias chunk clone contiguous detach expand expand_as flatten flip mT moveaxis movedim narrow "
        "permute reshape reshape_as roll select slice split split_with_sizes squeeze swapaxes swapdims t "
        "tensor_split to transpose unbind unflatten unsqueeze view view_as _unsafe_view _reshape_copy"
    ).split()
)
"""Where each output element is an element of the input: sums over one are sums over the other."""
