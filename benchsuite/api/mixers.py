"""Mixers by name, as scenarios name them."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from benchsuite.errors import UsageError, did_you_mean
from benchsuite.scenario.subjects import ANY_OTHER
from benchsuite.worker.build import mixer_class
from benchsuite.zoo.catalogue import entry


def create_mixer(name: str, **arguments: Any) -> nn.Module:
    """Make a mixer or a block.

    Args:
        name: one that `benchsuite list mixers` or `list blocks` shows, or "package.module:Class".
        arguments: what `benchsuite show mixer NAME` lists: dim, num_heads, kernel, and the mixer's own.

    Raises:
        UsageError: there is no such mixer, or it does not take these arguments, or refuses a value.
    """
    known = entry(name)
    cls = mixer_class(name)
    taken = inspect.signature(cls).parameters
    for key in arguments:
        if key not in taken and ANY_OTHER not in known.words:
            hint = did_you_mean(key, taken)
            raise UsageError(
                f'unknown parameter of mixer "{name}"{hint}\n  allowed: {", ".join(sorted(taken))}'
            )
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as error:
        raise UsageError(f"{name}: {error}") from error
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name}: {error}") from error
