"""What we have in place of what a case is of: a mixer, or a whole network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchsuite.mixers._attention import ALL_KERNELS
from benchsuite.parity.cases import WHOLE_MODEL, Case
from benchsuite.parity.networks import find_network, load_authors_network
from benchsuite.parity.ports import find_port, load_authors_weights


@dataclass(frozen=True, slots=True)
class Counterpart:
    """Ours of a case.

    Attributes:
        kind: "mixer" or "network".
        kernels: that it runs on.
        load: case and kernel → ours with the authors' weights. Raises ValueError, TypeError or RuntimeError
            if ours cannot be built of the arguments or filled with the weights.
        state: the authors' state dict → ours.
        run: ours on the case's input, and the height and width of its grid → output in the case's layout.
    """

    kind: str
    kernels: tuple[str, ...]
    load: Callable[[Case, str], nn.Module]
    state: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    run: Callable[[nn.Module, Tensor, tuple[int, int]], Tensor]


def counterpart_of(case: Case) -> Counterpart | None:
    """Ours of a case, or None if we have none."""
    return _network(case) if case.mixer == WHOLE_MODEL else _mixer(case)


def unknown_reason(case: Case) -> str:
    """Why there is no counterpart."""
    if case.mixer == WHOLE_MODEL:
        return f'no network here is a port of "{case.source.repository}:{case.source.cls}"'
    return f'no mixer here is a port of "{case.mixer}"'


def _mixer(case: Case) -> Counterpart | None:
    found = find_port(case.mixer)
    if found is None:
        return None
    _, cls, port = found

    def run(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
        if port.run is not None:
            return port.run(module, x, size)
        out: Tensor = module(x, size) if module.layout == "BNC" else module(x)
        return out

    def load(case: Case, kernel: str) -> nn.Module:
        return load_authors_weights(case.mixer, case.kwargs, case.state, kernel=kernel)

    return Counterpart("mixer", cls.kernels, load, port.state, run)


def _network(case: Case) -> Counterpart | None:
    repository, cls = case.source.repository, case.source.cls or ""
    port = find_network(repository, cls)
    if port is None:
        return None

    def run(module: nn.Module, x: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = module(x)
        return out

    def load(case: Case, kernel: str) -> nn.Module:
        return load_authors_network(repository, cls, case.kwargs, case.state, kernel=kernel)

    try:
        with torch.device("meta"):
            built = port.network(**port.arguments(case.kwargs))
    except (ValueError, TypeError, RuntimeError):
        kernels: tuple[str, ...] = ("math",)  # loading it will say what is wrong
    else:
        kernels = _kernels_of(built)
    return Counterpart("network", kernels, load, port.state, run)


def _kernels_of(network: nn.Module) -> tuple[str, ...]:
    """The attention kernels that some mixer in it runs on; "math" is of all."""
    of_parts = {kernel for part in network.modules() for kernel in getattr(part, "kernels", ())}
    return tuple(kernel for kernel in ALL_KERNELS if kernel == "math" or kernel in of_parts)
