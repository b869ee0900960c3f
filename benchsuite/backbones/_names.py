"""The authors' names of weights → ours, where numbers in them move as well."""

from __future__ import annotations

import re
from collections.abc import Callable

from torch import Tensor

from benchsuite.mixers._port import State

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern, and what replaces it: a template as of `re.sub`, or a function of the match."""


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
            matching = ((old, new) for old, new in rules if re.match(old, name))
            old, new = next(matching, ("", ""))
            ours[re.sub(f"^(?:{old})", new, name)] = tensor
        return ours

    return convert


def moved(template: str, by: int) -> Callable[[re.Match[str]], str]:
    """A replacement that fills `template` with the match's first number plus `by`: block1 → stages.0."""

    def replace(match: re.Match[str]) -> str:
        return template.format(int(match[1]) + by)

    return replace
