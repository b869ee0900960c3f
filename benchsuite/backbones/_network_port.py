"""How an authors' network maps on one of ours: constructor arguments and names of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from benchsuite.mixers._port import Arguments, State


@dataclass(frozen=True, slots=True)
class NetworkPort:
    """The authors' version of a class of networks; the key in `PORTS` is the name of their class.

    Attributes:
        repo: owner and name of the authors' repository, as more than one has a class of that name.
        network: our class.
        arguments: the authors' constructor arguments → ours (`config`, `num_classes`, `resolution`), without
            `kernel`. Raises ValueError for a setting that ours does not have.
        state: the authors' state dict → ours. It must use up every entry that carries information; derived
            buffers (masks, index tables) may be dropped.
    """

    repo: str
    network: Callable[..., nn.Module]
    arguments: Callable[[Arguments], dict[str, Any]]
    state: Callable[[State], dict[str, Tensor]]

    def load(self, authors: Arguments, state: State, *, kernel: str = "math") -> nn.Module:
        """Ours, built from the authors' arguments and filled with their weights.

        Raises:
            ValueError: the arguments have no counterpart here.
            RuntimeError: the weights do not fill ours exactly; names what is missing, left over or misshapen.
        """
        module = self.network(**self.arguments(authors), kernel=kernel)
        module.load_state_dict(self.state(state))
        return module


def take(authors: Arguments, defaults: Mapping[str, Any], *, only: Mapping[str, Any]) -> dict[str, Any]:
    """The authors' arguments with their defaults filled in, those of `defaults` alone.

    Args:
        defaults: each argument that ours has a counterpart of, with the authors' default.
        only: each further argument, with the one value that ours can do; ... is any.

    Raises:
        ValueError: another argument, or another value of one in `only`.
    """
    for name, value in authors.items():
        if name in defaults:
            continue
        if name not in only:
            raise ValueError(f"the authors' argument {name}={value!r} has no counterpart here")
        if only[name] is not ... and value != only[name]:
            raise ValueError(f"{name}={value!r} is not supported; only {name}={only[name]!r} is")
    return dict(defaults) | {name: value for name, value in authors.items() if name in defaults}
