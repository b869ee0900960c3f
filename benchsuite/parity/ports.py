"""From the name of an authors' mixer to ours, with or without weights."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from benchsuite.errors import UsageError, nearest
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
    port = _all_ports().get(golden_mixer)
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
    return {name: port for name, port in _all_ports().items() if port.mixer == mixer}


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
    found = find_port(golden_mixer)
    if found is None:
        known = sorted(_all_ports())
        guess = nearest(golden_mixer, known)
        hint = f'; did you mean "{guess}"?' if guess else ""
        raise UsageError(
            f'no port of an authors\' mixer "{golden_mixer}"{hint}\n  allowed: {", ".join(known)}'
        )
    _, cls, port = found
    options = port.arguments(kwargs)
    if "kernel" in inspect.signature(cls).parameters:
        options["kernel"] = kernel
    module = cls(**options)
    module.load_state_dict(port.state(state), strict=True)
    return module


def _all_ports() -> dict[str, Port]:
    ports: dict[str, Port] = {}
    for module in dict.fromkeys(target.partition(":")[0] for target in (MIXERS | BLOCKS).values()):
        ports |= importlib.import_module(module).PORTS
    return ports
