"""Cells that stay built from one round to the next, as far as there is room for their weights and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SHARE = 0.2
"""Of the device's memory, what all held cells may take together: steps need the rest."""


class Held(Generic[T]):
    """Things by key, the one used longest ago let go of first when room gets short.

    Args:
        room_bytes: what all of them may take together; None if nobody knows, and then nothing is held.
    """

    def __init__(self, room_bytes: int | None) -> None:
        self._room = 0 if room_bytes is None else room_bytes
        self._things: dict[str, tuple[T, int]] = {}

    def get(self, key: str, make: Callable[[], tuple[T, int]]) -> tuple[T, bool]:
        """The thing of a key, and whether it was made just now.

        Args:
            make: builds it; also says how many bytes it takes.
        """
        if key in self._things:
            found = self._things.pop(key)
            self._things[key] = found
            return found[0], False
        thing, size = make()
        if size <= self._room:
            self._things[key] = (thing, size)
            while sum(taken for _, taken in self._things.values()) > self._room:
                del self._things[next(iter(self._things))]
        return thing, True

    def drop(self, key: str) -> None:
        """Let go of one."""
        self._things.pop(key, None)

    def clear(self) -> bool:
        """Let go of all; whether there were any."""
        some = bool(self._things)
        self._things.clear()
        return some

    def __len__(self) -> int:
        return len(self._things)
