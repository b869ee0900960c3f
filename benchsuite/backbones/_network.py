"""A row of `BACKBONES`, a class of networks in one configuration; and how an authors' network maps on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from benchsuite.backbones._choice import Choices, Size
from benchsuite.backbones._sizes import resized
from benchsuite.mixers._port import Arguments, State

Config_contra = TypeVar("Config_contra", contravariant=True)


class Builder(Protocol):
    """Function that a row of `BACKBONES` names."""

    def __call__(
        self,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
        **sizes: Any,
    ) -> nn.Module:
        """Build the network, with other `sizes` than the paper's (`_sizes.py`).

        Raises:
            SizeError: it has no such size.
            ValueError: it cannot be so.
        """


class NetworkClass(Protocol[Config_contra]):
    """A class whose instances are networks, told apart by a configuration."""

    def __call__(
        self,
        config: Config_contra,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> nn.Module:
        """Build the network of this configuration."""


def network(cls: NetworkClass[Config_contra], config: Config_contra) -> Builder:
    """The builder of one configuration."""

    def build(
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
        **sizes: Any,
    ) -> nn.Module:
        ours = resized(config, sizes)
        return cls(ours, num_classes=num_classes, resolution=resolution, kernel=kernel, mixer=mixer)

    return build


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


def moved(template: str, by: int) -> Callable[[re.Match[str]], str]:
    """A replacement that fills `template` with the match's first number plus `by`: block1 → stages.0."""

    def replace(match: re.Match[str]) -> str:
        return template.format(int(match[1]) + by)

    return replace
