"""The command line in the process of the tests; the fixture `cli` calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Answer(NamedTuple):
    """What one command gave back."""

    code: int
    out: str
    err: str


Cli = Callable[..., Answer]
"""Words of the command line, strings or paths → its answer."""
