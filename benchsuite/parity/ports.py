"""Ports: from the name of an authors' mixer or network to ours, with or without weights."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from benchsuite.backbones import BACKBONES
from benchsuite.backbones._network import NetworkPort
from benchsuite.errors import UsageError, did_you_mean
from benchsuite.mixers import BLOCKS, MIXERS
from benchsuite.mixers._port import Port


class MixerClass(Protocol):
    """A class that `MIXERS` or `BLOCKS` names, as far as a comparison needs it."""

    kernels: tuple[str, ...]
    layout: str

    def __call__(self, **options: Any) -> nn.Module: ...


def find_port(golden_mixer: str) -> tuple[str, MixerClass, Port] | None:
    """Our name, our class and the mapping for an authors' mixer, or None if no file of the zoo has a port.

    Args:
        golden_mixer: name of the authors' version, as in the `PORTS` of a mixer's file: "hilo_padded".
    """
    port = _mixer_ports().get(golden_mixer)
    if port is None:
        return None
    module, _, name = (MIXERS | BLOCKS)[port.mixer].partition(":")
    cls: MixerClass = getattr(importlib.import_module(module), name)
    return port.mixer, cls, port


def ports_of(mixer: str) -> dict[str, Port]:
    """Every authors' version that maps on one of ours, by its name.

    Args:
        mixer: key in `MIXERS` or `BLOCKS`. A class of one's own has none.
    """
    return {name: port for name, port in _mixer_ports().items() if port.mixer == mixer}


def load_authors_weights(
    golden_mixer: str, kwargs: Mapping[str, Any], state: Mapping[str, Tensor], kernel: str = "math"
) -> nn.Module:
    """Build our version of an authors' mixer and fill it with the authors' weights.

    Args:
        golden_mixer: as for `find_port`.
        kwargs: the authors' constructor arguments, under their names.
        state: the authors' state dict: parameters, and buffers that carry information.
        kernel: the attention kernel to run on.

    Returns:
        The mixer on the CPU, in float32 and in training mode, as constructed.

    Raises:
        UsageError: there is no port of that name.
        ValueError: the authors' arguments have no counterpart, or are wrong.
        RuntimeError: the weights do not fill ours exactly; names what is missing, left over or misshapen.
    """
    port = find_port(golden_mixer)
    if port is None:
        raise _no_port("mixer", golden_mixer, _mixer_ports())
    _, cls, mapping = port
    options = mapping.arguments(kwargs)
    if "kernel" in inspect.signature(cls).parameters:
        options["kernel"] = kernel
    module = cls(**options)
    module.load_state_dict(mapping.state(state), strict=True)
    return module


def _mixer_ports() -> dict[str, Port]:
    ports: dict[str, Port] = {}
    for module in dict.fromkeys(target.partition(":")[0] for target in (MIXERS | BLOCKS).values()):
        ports |= importlib.import_module(module).PORTS
    return ports


def find_network(repository: str, cls: str) -> NetworkPort | None:
    """The mapping for an authors' class of networks, or None if no file of the backbones has it.

    Args:
        repository: owner and name, "whai362/PVT".
        cls: name of the class in it, "PyramidVisionTransformer".
    """
    return _network_ports().get((repository, cls))


def ports_of_file(network: str) -> dict[tuple[str, str], NetworkPort]:
    """Every authors' class that maps on a network, or on others of its file, by repository and class.

    Args:
        network: key in `BACKBONES`. A network of one's own has none.
    """
    target = BACKBONES.get(network)
    return _ports_in(target.partition(":")[0]) if target else {}


def load_authors_network(
    repository: str,
    cls: str,
    kwargs: Mapping[str, Any],
    state: Mapping[str, Tensor],
    kernel: str = "math",
) -> nn.Module:
    """Build our version of an authors' network and fill it with the authors' weights.

    Args:
        repository, cls: as for `find_network`.
        kwargs: the authors' constructor arguments, under their names.
        state: the authors' state dict: parameters, and buffers that carry information.
        kernel: the attention kernel to run on.

    Returns:
        The network on the CPU, in float32 and in training mode, as constructed.

    Raises:
        UsageError: there is no port of that class.
        ValueError: the authors' arguments have no counterpart, or are wrong.
        RuntimeError: the weights do not fill ours exactly; names what is missing, left over or misshapen.
    """
    port = find_network(repository, cls)
    if port is None:
        raise _no_port("network", f"{repository}:{cls}", map(":".join, _network_ports()))
    return port.load(kwargs, state, kernel=kernel)


def _network_ports() -> dict[tuple[str, str], NetworkPort]:
    ports: dict[tuple[str, str], NetworkPort] = {}
    for name in dict.fromkeys(target.partition(":")[0] for target in BACKBONES.values()):
        ports |= _ports_in(name)
    return ports


def _ports_in(module: str) -> dict[tuple[str, str], NetworkPort]:
    # A network whose authors' code is not at hand has no ports.
    of_file: Mapping[str, NetworkPort] = getattr(importlib.import_module(module), "PORTS", {})
    return {(port.repo, cls): port for cls, port in of_file.items()}


def _no_port(kind: str, name: str, known: Iterable[str]) -> UsageError:
    allowed = sorted(known)
    hint = did_you_mean(name, allowed)
    return UsageError(f'no port of an authors\' {kind} "{name}"{hint}\n  allowed: {", ".join(allowed)}')
