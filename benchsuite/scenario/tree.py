"""Values that remember where they were written, and the dotted paths that name them.

A scenario is merged from a file, its profiles and the command line before it is checked. Every `Node` keeps
the place it came from through that, so that a mistake is reported where its author made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Scalar = str | int | float | bool | None
Path = tuple[str | int, ...]
"""`("sweep", "mixer", 1, "params")`; written `sweep.mixer[1].params`."""

_PATH = re.compile(r"[^.\[\]\s=]+(?:\[\d+\])*(?:\.[^.\[\]\s=]+(?:\[\d+\])*)*")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document.

    Attributes:
        value: a scalar, a tuple of nodes (a list) or a mapping of nodes.
        file: the file, or the command-line option, that the value was written in.
        path: where in that file, not where in the merged document.
        place: line and column of the value, 1-based; (0, 0) on the command line.
        key_place: line and column of the key that the value belongs to; `place` in a list.
    """

    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    file: str
    path: Path = ()
    place: tuple[int, int] = (0, 0)
    key_place: tuple[int, int] = (0, 0)

    @property
    def entries(self) -> Mapping[str, Node]:
        """What a mapping holds; nothing, if this is no mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """What a list holds; nothing, if this is no list."""
        return self.value if isinstance(self.value, tuple) else ()

    def child(self, part: str | int) -> Node | None:
        """The value at one step down, or None."""
        if isinstance(part, str):
            return self.entries.get(part)
        return self.items[part] if 0 <= part < len(self.items) else None

    def at(self, path: Path) -> Node | None:
        """The value at `path`, or None."""
        node: Node | None = self
        for part in path:
            node = node.child(part) if node else None
        return node

    def deepest(self, path: Path) -> tuple[Node, int]:
        """The value at the longest part of `path` that is there, and the length of that part.

        A scalar stands for a list of one, so `sweep.batch[0]` finds `batch: 4` at `sweep.batch`.
        """
        node = self
        for depth, part in enumerate(path):
            below = node.child(part)
            if below is None:
                return node, depth
            node = below
        return node, len(path)

    def plain(self) -> Any:
        """The value without places: scalars, lists and dicts."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value

    def without(self, paths: Iterable[Path]) -> Node:
        """A copy that lacks what is at `paths`; later list entries move up."""
        here: dict[str | int, set[Path]] = {}
        for path in paths:
            here.setdefault(path[0], set()).add(path[1:])

        def kept(part: str | int, node: Node) -> Node | None:
            below = here.get(part, set())
            return None if () in below else node.without(below) if below else node

        if isinstance(self.value, tuple):
            items = (kept(index, node) for index, node in enumerate(self.value))
            return self.holding(tuple(node for node in items if node))
        if isinstance(self.value, Mapping):
            entries = {key: kept(key, node) for key, node in self.value.items()}
            return self.holding({key: node for key, node in entries.items() if node})
        return self

    def holding(self, value: Scalar | tuple[Node, ...] | Mapping[str, Node]) -> Node:
        """The same place with another value."""
        return Node(value, self.file, self.path, self.place, self.key_place)


def grown(value: Any, file: str, path: Path = ()) -> Node:
    """A tree of plain data that has no lines: an option's value, or stored JSON."""
    if isinstance(value, Mapping):
        return Node(
            {str(key): grown(below, file, (*path, str(key))) for key, below in value.items()}, file, path
        )
    if isinstance(value, list | tuple):
        return Node(tuple(grown(below, file, (*path, i)) for i, below in enumerate(value)), file, path)
    return Node(value, file, path)


def dotted(path: Iterable[str | int]) -> str:
    """`("sweep", "mixer", 1, "params")` as `sweep.mixer[1].params`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def parts(text: str) -> Path | None:
    """`sweep.mixer[1].params` as `("sweep", "mixer", 1, "params")`; None if it is no path."""
    if not _PATH.fullmatch(text):
        return None
    return tuple(
        int(part[1:-1]) if part[0] == "[" else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", text)
    )
