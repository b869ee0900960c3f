"""How an authors' network maps on one of ours: constructor arguments and names of weights.

The file of a network has `PORTS: dict[str, NetworkPort]`, keyed "owner/repository:Class" of the authors' code
("whai362/PVT:PyramidVisionTransformer"), since the papers' classes share names. The same mapping serves the
parity check and a user who loads released weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from benchsuite.mixers._port import Arguments, State

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern and what replaces it: a template, or a function of the match where numbers have to be moved."""


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """The authors' version of a network.

    Attributes:
        build: the authors' constructor arguments and an attention kernel → our network. Raises ValueError for
            a setting that ours does not have.
        state: the authors' state dict → ours. It must use up every entry that carries information; derived
            buffers (masks, index tables) may be dropped.
    """

    build: Callable[[Arguments, str], nn.Module]
    state: Callable[[State], dict[str, Tensor]]


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
    """A replacement that fills `template` with the match's first number plus `by`: stage 1 → stages.0."""

    def replace(match: re.Match[str]) -> str:
        return template.format(int(match[1]) + by)

    return replace
