"""Map of an authors' class on one of ours: constructor arguments and names of weights.

The same mapping serves the parity check and a user who loads released weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Arguments = Mapping[str, Any]
State = Mapping[str, Tensor]
Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern, and what replaces it: a template as of `re.sub`, or a function of the match."""

SHARED_ARGUMENTS = ("dim", "num_heads", "qkv_bias", "attn_drop", "proj_drop")
"""Arguments of timm's attention, which nearly every later class took over, under the same names as ours."""


def _same(state: State) -> dict[str, Tensor]:
    return dict(state)


@dataclass(frozen=True, slots=True)
class Port:
    """The authors' version of a mixer.

    Attributes:
        mixer: key in `MIXERS` or `BLOCKS` of the class that it maps on.
        arguments: the authors' constructor arguments → ours, without `kernel`. Raises ValueError for a
            setting that ours does not have.
        state: the authors' state dict (parameters and buffers under the authors' names) → ours. It must use
            up every entry that carries information; derived buffers (masks, index tables) may be dropped.
        run: ours on an input in the authors' layout, output in theirs, where that is not our `forward`: takes
            the module, the input, and height and width of the grid.
    """

    mixer: str
    arguments: Callable[[Arguments], dict[str, Any]]
    state: Callable[[State], dict[str, Tensor]] = _same
    run: Callable[[nn.Module, Tensor, tuple[int, int]], Tensor] | None = None


def arguments(
    *same: str,
    renamed: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    only: Mapping[str, Any] | None = None,
    ignored: tuple[str, ...] = (),
) -> Callable[[Arguments], dict[str, Any]]:
    """A mapping of constructor arguments that refuses whatever it was not told of.

    Args:
        same: names that are the authors' and ours; a string may hold several, with spaces between.
        renamed: the authors' name → ours.
        defaults: our name → value where the authors do not say: their default, or what makes ours theirs.
        only: the authors' name → the one value that ours can do.
        ignored: authors' names that have no bearing on the mixer (the width of the MLP behind it, say).
    """
    names = {name: name for name in " ".join(same).split()} | dict(renamed or {})
    possible = dict(only or {})

    def convert(given: Arguments) -> dict[str, Any]:
        ours = dict(defaults or {})
        for name, value in given.items():
            if name in names:
                ours[names[name]] = value
            elif name in possible:
                if value != possible[name]:
                    raise ValueError(f"{name}={value!r} is not supported; only {name}={possible[name]!r} is")
            elif name not in ignored:
                raise ValueError(f"the authors' argument {name}={value!r} has no counterpart here")
        return ours

    return convert


def renamed(*rules: Rule, drop: tuple[str, ...] = ()) -> Callable[[State], dict[str, Tensor]]:
    """A state mapping by regular expressions, each applied to the start of a name, the first match winning.

    Args:
        drop: patterns of names to leave out, because ours derives them.
    """

    def convert(state: State) -> dict[str, Tensor]:
        ours: dict[str, Tensor] = {}
        for name, tensor in state.items():
            if any(re.match(pattern, name) for pattern in drop):
                continue
            matches = (re.sub(f"^(?:{old})", new, name) for old, new in rules if re.match(old, name))
            ours[next(matches, name)] = tensor
        return ours

    return convert


def with_batch_counters(state: State) -> dict[str, Tensor]:
    """Add the counters of batches to batch norms that were stored without; they matter to no result."""
    ours = dict(state)
    for name in state:
        if name.endswith("running_mean"):
            ours.setdefault(name.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    return ours


def in_one_column(
    convert: Callable[[Arguments], dict[str, Any]],
) -> Callable[[Arguments], dict[str, Any]]:
    """`convert`, with a "grid" that is a number of tokens, as the authors have it, made one column."""

    def converted(authors: Arguments) -> dict[str, Any]:
        ours = convert(authors)
        if "grid" in ours:
            ours["grid"] = (ours["grid"], 1)
        return ours

    return converted
