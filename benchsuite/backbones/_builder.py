"""A class of networks and one configuration of it, as the function that a scenario calls."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import nn

from benchsuite.backbones._choice import Choices, Size

Config_contra = TypeVar("Config_contra", contravariant=True)


class Builder(Protocol):
    """What a row of `BACKBONES` names."""

    def __call__(
        self,
        *,
        num_classes: int = 1000,
        resolution: int | Size = 224,
        kernel: str = "math",
        mixer: Choices | None = None,
    ) -> nn.Module:
        """Build the network; raises ValueError for what it cannot be."""


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
    ) -> nn.Module:
        return cls(config, num_classes=num_classes, resolution=resolution, kernel=kernel, mixer=mixer)

    return build
