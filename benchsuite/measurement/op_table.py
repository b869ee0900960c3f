"""Operator names → rules: the table of `op_rules.py`, a user's own, and what torch itself says of operators;
and what they add up to, whichever counter brings them.

An operator that only moves, looks up or makes constants is free. One that torch tags as pointwise, or as a
reduction, holds no multiply–adds; it is counted by elements. All others may hold some.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from benchsuite.measurement.op_rules import (
    PRODUCTS,
    RULES,
    Product,
    Rule,
    Shaped,
    free,
    per_input,
    per_output,
)

_OWN: dict[str, Rule] = {}


def count_operator(name: str, rule: Rule) -> None:
    """Count an operator of one's own, or another way than benchsuite does, from now on in this process.

        count_operator("mylib::mm", lambda inputs, outputs: inputs[0].shape[-1] * outputs[0].elements)

    Args:
        name: "namespace::operator", without its overload.
        rule: called with inputs and outputs of each call, in the order of its schema; a tensor has `shape`
            and `elements`, all else is as it was passed. Returns multiply–adds, or {kind: number}, where
            kinds that begin with "macs" are multiply–adds. If it raises, the operator counts as unknown.

    Raises:
        ValueError: the name has no namespace.
    """
    namespace, _, operator = name.partition("::")
    if not namespace or not operator:
        raise ValueError(f'operator {name!r}: write it as "namespace::operator"')
    _OWN[name] = rule


def has_own_rules() -> bool:
    """Tell if somebody has changed in this process how operators are counted."""
    return bool(_OWN)


def rule_of(name: str) -> Rule | None:
    """The rule of an operator; None if nobody knows what it holds."""
    return _OWN.get(name) or _known(name)


@functools.cache
def _known(name: str) -> Rule | None:
    plain = name.rstrip("_") if not name.endswith("__") else name  # `add_` costs what `add` costs
    for one in (name, plain):
        if one in RULES:
            return RULES[one]
    if plain in FREE:
        return free
    overloads = _overloads(plain)
    if overloads and all(map(_is_view, overloads)):
        return free
    tags = {tag for overload in overloads or _overloads(name) for tag in overload.tags}
    if torch.Tag.pointwise in tags:
        return per_output("elementwise")
    if getattr(torch.Tag, "reduction", None) in tags:  # torch 2.10 and later
        return per_input("reduction")
    return None


def _overloads(name: str) -> list[Any]:
    namespace, _, operator = name.partition("::")
    packet: Any = getattr(getattr(torch.ops, namespace, None), operator, None)
    return [getattr(packet, one) for one in packet.overloads()] if hasattr(packet, "overloads") else []


def _is_view(overload: Any) -> bool:
    """Tell if all that it returns is memory of its input, unchanged."""
    returned = [value.alias_info for value in overload._schema.returns]
    return bool(returned) and all(alias is not None and not alias.is_write for alias in returned)


class Tally:
    """Counts so far. No rule can stop one.

    Attributes:
        counts: by kind, see `op_rules.py`.
        unknown: operators that may hold multiply–adds, by number of calls.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def copy(self) -> Tally:
        """The counts as they are now."""
        copy = Tally()
        copy.counts, copy.unknown = self.counts.copy(), self.unknown.copy()
        return copy

    def since(self, before: Tally) -> Tally:
        """What has been counted since a copy was made."""
        added = Tally()
        added.counts, added.unknown = self.counts - before.counts, self.unknown - before.unknown
        return added

    def repeat(self, other: Tally) -> None:
        """Count all that the other holds once more."""
        self.counts.update(other.counts)
        self.unknown.update(other.unknown)

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
"""Operators whose output elements are elements of the input: sums over one are sums over the other."""

FREE = frozenset(
    f"aten::{name}"
    for name in (
        # Views and moves
        "alias argsort block_diag broadcast_tensors broadcast_to cartesian_prod cat channel_shuffle chunk "
        "clone col2im column_stack combinations complex concat concatenate constant_pad_nd contiguous copy "
        "detach diag diag_embed diagonal dropout dstack expand expand_as feature_dropout fft_fftshift "
        "fft_ifftshift fill_diagonal flatten flip fliplr flipud gather hstack im2col index index_copy "
        "index_fill index_put index_select lift_fresh masked_fill masked_scatter masked_select max_unpool2d "
        "max_unpool3d meshgrid movedim msort narrow native_channel_shuffle native_dropout nonzero numpy_T "
        "pad permute pixel_shuffle pixel_unshuffle polar put real reflection_pad1d reflection_pad2d "
        "reflection_pad3d repeat repeat_interleave replication_pad1d replication_pad2d replication_pad3d "
        "reshape roll rot90 scatter select select_scatter slice slice_scatter sort split split_with_sizes "
        "squeeze stack swapaxes t take take_along_dim tile to transpose tril triu type_as unbind unflatten "
        "unfold unique_consecutive unique_dim unsqueeze unsafe_chunk unsafe_split view view_as_complex "
        "view_as_real vstack to_dense to_sparse _to_dense _to_sparse _reshape_copy _to_copy _unique2 "
        "_unsafe_view "
        # Constants, noise and tables
        "alpha_dropout arange bernoulli embedding empty empty_like empty_permuted empty_strided eye "
        "feature_alpha_dropout fill full full_like lift_fresh_copy linspace multinomial new_empty "
        "new_empty_strided new_full new_ones new_tensor new_zeros normal one_hot ones ones_like rand_like "
        "randint_like randn_like random randperm resize scalar_tensor tensor uniform zero zeros zeros_like "
        # Comparisons and arithmetic of sizes and indices, and rectifiers, which compare
        "Bool Float Int ScalarImplicit allclose argwhere bitwise_not bucketize clamp eq floor floor_divide "
        "ge gt is_floating_point isclose isin item le lt mod ne numel relu remainder searchsorted size "
        "tril_indices triu_indices _local_scalar_dense __and__ __or__ __xor__"
    ).split()
)
