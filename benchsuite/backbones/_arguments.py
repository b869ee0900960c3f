"""What an authors' constructor was given, with its defaults, and a refusal of what ours cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchsuite.mixers._port import Arguments


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
