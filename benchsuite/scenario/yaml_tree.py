"""YAML text as a tree that knows its lines (`parse`), and the dotted paths that name its values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from benchsuite.errors import Problem
from benchsuite.text import storable

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
        """Entries of a mapping; none, if this is no mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """Items of a list; none, if this is no list."""
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


def parse_path(text: str) -> Path | None:
    """`sweep.mixer[1].params` as `("sweep", "mixer", 1, "params")`; None if it is no path."""
    if not _PATH.fullmatch(text):
        return None
    return tuple(
        int(part[1:-1]) if part[0] == "[" else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", text)
    )


MAX_BYTES = 1_000_000
"""Many times the longest scenario anyone would write by hand; YAML parsers are slow."""
TOO_LARGE = "the file is larger than 1 MB"
MAX_DEPTH = 30
MAX_VALUES = 50_000
"""After aliases are followed."""

_CORE_SCHEMA = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}


class _Refused(yaml.MarkedYAMLError):
    """The document is YAML, but not one that a scenario may be."""

    def __init__(self, message: str, at: yaml.Event | yaml.Node) -> None:
        super().__init__(problem=message, problem_mark=cast("yaml.Mark", at.start_mark))


class _Loader(yaml.SafeLoader):
    """Composes nodes; constructs nothing."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = cast("Callable[[], yaml.Event]", self.peek_event)()
        tag = getattr(event, "tag", None)
        if tag:
            raise _Refused(f'a tag ("{tag}") has no meaning here; quote a word to keep it text', event)
        self.depth += 1
        if self.depth > MAX_DEPTH:  # the composer recurses, so this also guards the stack
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}
for _tag, (_pattern, _first) in _CORE_SCHEMA.items():
    # A row is tried on plain words that begin with one of its letters; "" stands for an empty value.
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A document that was read.

    Attributes:
        root: the tree; None if the text is no YAML at all.
        problems: what was wrong with it as YAML.
    """

    file: str
    root: Node | None
    problems: tuple[Problem, ...] = ()

    @property
    def value(self) -> Any:
        """The document as scalars, lists and dicts; None if it could not be read."""
        return self.root.plain() if self.root else None


def parse(text: str, file: str) -> YamlDocument:
    """Read one YAML document. Mistakes end up in `YamlDocument.problems`; nothing is raised."""
    if len(text) > MAX_BYTES:
        return _unreadable(file, TOO_LARGE)
    try:
        composed = _Loader(text).get_single_node()
        if composed is None:
            return _unreadable(file, "the file is empty")
        reader = _Reader(file)
        return YamlDocument(
            file, reader.read(composed, (), _place(composed.start_mark)), tuple(reader.problems)
        )
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = before.count("\n") + 1, error.position - before.rfind("\n")
        character = f"U+{ord(text[error.position]):04X}"
        return _unreadable(file, f"not valid YAML: the character {character} is not allowed", place)
    except yaml.MarkedYAMLError as error:
        return _unreadable(file, _syntax(error), _place(error.problem_mark) if error.problem_mark else (1, 1))


def _unreadable(file: str, message: str, place: tuple[int, int] = (1, 1)) -> YamlDocument:
    return YamlDocument(file, None, (Problem(file, *place, "", message),))


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """Message of PyYAML in words that help."""
    if isinstance(error, _Refused):
        return str(error.problem)
    if error.problem == "but found another document":
        return "a second document begins here; a scenario is one document"
    if error.problem and "'\\t'" in error.problem:
        return "a tab cannot indent YAML; use spaces"
    context = f", {error.context}" if error.context and "next token" not in error.context else ""
    return f"not valid YAML: {error.problem}{context}"


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


class _Reader:
    """Turns composed YAML nodes into ours, collecting what can be skipped and refusing what cannot."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._values = 0
        self._open: set[int] = set()
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, path: Path, key_place: tuple[int, int]) -> Node:
        self._values += 1
        self._seen.add(id(node))
        if self._values > MAX_VALUES:
            aliased = "aliases expand to " if len(self._seen) < self._values else ""
            raise _Refused(f"{aliased}more than {MAX_VALUES:,} values", node)
        if id(node) in self._open:
            raise _Refused("an alias refers to a value that contains it", node)
        if len(path) > MAX_DEPTH:  # aliases of aliases
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels", node)
        self._open.add(id(node))
        value = self._value(node, path)
        self._open.discard(id(node))
        return Node(value, self.file, path, _place(node.start_mark), key_place)

    def _value(self, node: yaml.Node, path: Path) -> Scalar | tuple[Node, ...] | Mapping[str, Node]:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(
                self.read(item, (*path, i), _place(item.start_mark)) for i, item in enumerate(node.value)
            )
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Mapping[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, path, "a key must be a word, not a list or a mapping")
            elif key.value == "<<" and not key.style:
                self._problem(
                    key, (*path, "<<"), "merge keys (<<) are not read; write the keys out, or use a profile"
                )
            elif not key.tag.endswith(":str"):
                hint = f'; write "{key.value}"' if key.value else ""
                self._problem(key, (*path, key.value), f"a key must be a word{hint}")
            elif (word := storable(key.value)) in entries:
                line = entries[word].key_place[0]
                self._problem(key, (*path, word), f'"{word}" is written twice, first on line {line}')
            else:
                entries[word] = self.read(value, (*path, word), _place(key.start_mark))
        return entries

    def _scalar(self, node: yaml.Node, path: Path) -> Scalar:
        kind, text = node.tag.rpartition(":")[2], node.value
        if kind == "null":
            return None
        if kind == "bool":
            return bool(text.lower() == "true")
        if kind == "int" and len(text) <= 18:
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if kind == "float" and math.isfinite(
            number := float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        ):
            return number
        if kind in ("int", "float"):
            self._problem(node, path, f"{json.dumps(text[:30])} is not a number that can be used")
        return storable(str(text))  # "\\ud83d\\ude00", as JSON writes an emoji, comes as two halves

    def _problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(self.file, *_place(node.start_mark), dotted(path), message))
