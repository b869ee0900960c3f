"""From the name of an authors' network to ours, with or without weights."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from benchsuite.backbones import BACKBONES
from benchsuite.backbones._network import NetworkPort
from benchsuite.errors import UsageError, nearest


def find_network(repository: str, cls: str) -> NetworkPort | None:
    """The mapping for an authors' class of networks, or None if no file of the backbones has it.

    Args:
        repository: owner and name, "whai362/PVT".
        cls: name of the class in it, "PyramidVisionTransformer".
    """
    return _all_ports().get((repository, cls))


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
        known = sorted(f"{owner}:{name}" for owner, name in _all_ports())
        guess = nearest(f"{repository}:{cls}", known)
        hint = f'; did you mean "{guess}"?' if guess else ""
        raise UsageError(
            f'no port of an authors\' network "{repository}:{cls}"{hint}\n  allowed: {", ".join(known)}'
        )
    return port.load(kwargs, state, kernel=kernel)


def _all_ports() -> dict[tuple[str, str], NetworkPort]:
    ports: dict[tuple[str, str], NetworkPort] = {}
    for name in dict.fromkeys(target.partition(":")[0] for target in BACKBONES.values()):
        ports |= _ports_in(name)
    return ports


def _ports_in(module: str) -> dict[tuple[str, str], NetworkPort]:
    # A network whose authors' code is not at hand has no ports.
    of_file: Mapping[str, NetworkPort] = getattr(importlib.import_module(module), "PORTS", {})
    return {(port.repo, cls): port for cls, port in of_file.items()}
