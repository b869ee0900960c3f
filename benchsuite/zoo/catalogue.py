"""The zoo, its blocks and the mixers of installed packages, as their sources show them; imports no torch."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from benchsuite.backbones import BACKBONES, sizes_of
from benchsuite.errors import UsageError, did_you_mean
from benchsuite.mixers import BLOCKS, MIXERS, Relation
from benchsuite.plugins import plugins, search_path
from benchsuite.scenario.subjects import ANY_OTHER, LIBRARIES, OBJECT, Catalogue
from benchsuite.zoo.outside_names import absent, parameters
from benchsuite.zoo.source import Class, Module, Parameter, Unreadable, read

AXES = frozenset({"dim", "grid", "kernel"})
"""Arguments that a scenario sweeps as axes and that `params` therefore must not name."""
OF_A_BACKBONE: Mapping[str, tuple[str, ...]] = {name: ("num_classes", *sizes_of(name)) for name in BACKBONES}
"""Network → what `params` may name."""
SEE_SOURCE: Final = "see source"
"""Stands for what is computed where the source is, and cannot be read without running it."""
_ZOO = (str(Path(__file__).resolve().parents[2]),)
_FIELDS = {
    "Paper": "paper",
    "Papers": "paper",
    "Reference": "reference",
    "Differs": "differs",
    "Names": "names",
}
"""Words that begin a line of a mixer file's docstring → what they are called here."""


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One mixer as its source shows it.

    Attributes:
        target: "package.module:Class".
        package: name and version of the distribution that brings it; empty for the zoo.
        summary: first line of its file's docstring, or of its own where the file has none.
        paper, reference, differs, names: the lines of the file's docstring that begin so; empty if absent.
        layout: of its input, as the class says it.
        forward: its call, "forward(x, size=None)"; empty if it cannot be read.
        kernels: what it can run on; "any" if it takes whatever kernel it is given.
        relation: None if it does not state one.
        parameters: None if they cannot be read.
        cost: closed form of its multiply–accumulates, in words; empty if it has none.
        doc: docstring of the class, without what it says of the cost.
    """

    name: str
    target: str
    package: str = ""
    summary: str = ""
    paper: str = ""
    reference: str = ""
    differs: str = ""
    names: str = ""
    layout: str = SEE_SOURCE
    forward: str = ""
    kernels: tuple[str, ...] | Literal["any", "see source"] = SEE_SOURCE
    relation: Relation | None = None
    parameters: tuple[Parameter, ...] | None = None
    cost: str = ""
    doc: str = ""

    @property
    def arxiv(self) -> str:
        """Number of the first preprint that the paper line names; empty if there is none."""
        match = re.search(r"arXiv:(\d{4}\.\d{4,5})", self.paper)
        return match[1] if match else ""

    @property
    def year(self) -> str:
        """First year that the paper line names; empty if there is none."""
        match = re.search(r"(?<!arXiv:)\b((?:19|20)\d\d)\b(?!\.\d)", self.paper)
        return match[1] if match else ""

    @property
    def words(self) -> tuple[str, ...]:
        """Words that `params` may use, sorted; with `ANY_OTHER` if more is taken than is known."""
        if self.parameters is None:
            return (ANY_OTHER,)
        return tuple(sorted(_names(self.parameters) - AXES))


def _names(parameters: Sequence[Parameter]) -> set[str]:
    return {ANY_OTHER if p.name.startswith("**") else p.name for p in parameters}


class Known(Catalogue):
    """Mixer → the words that its `params` may use. A file is read when its mixer is asked for."""

    def __init__(
        self,
        targets: Mapping[str, tuple[str, str]],
        search: tuple[str, ...],
        backbones: Mapping[str, tuple[str, ...]] = OF_A_BACKBONE,
        *,
        own: bool = False,
    ) -> None:
        self._targets = targets
        self._search = search
        self._backbones = backbones
        self._own = own

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return _words(name, self._targets[name][0], self._search)

    def __contains__(self, name: object) -> bool:
        return name in self._targets  # without reading its file

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)

    @property
    def blocks(self) -> Known:
        """Only the parts around and inside of mixers."""
        return Known(_targets(BLOCKS), self._search)

    @property
    def backbones(self) -> Mapping[str, tuple[str, ...]]:
        """The networks."""
        return self._backbones

    def absent(self, target: str) -> str | None:
        """Why there is no network of a library, or, if own modules are looked up, no such name in one."""
        looked_up = self._own and not target.startswith(OBJECT)
        return absent(target, self._search) if looked_up or target.startswith(LIBRARIES) else None

    def parameters(self, target: str) -> tuple[str, ...] | None:
        """Arguments of an own class or function, if own modules are looked up; None if unreadable."""
        found = parameters(target, self._search) if self._own else None
        return None if found is None else tuple(_names(found))

    def only(self, mixers: Sequence[str], backbones: Sequence[str]) -> Known:
        """Some of the mixers and networks, in the order given. Raises KeyError for one that is not there."""
        targets = {name: self._targets[name] for name in mixers}
        return Known(targets, self._search, {name: self._backbones[name] for name in backbones})


def known_parameters(pythonpath: Sequence[str] = (), *, installed: bool = True, own: bool = False) -> Known:
    """Mixer or block → the words that its `params` may use, sorted.

    Args:
        pythonpath: folders to look in for packages before those of this process.
        installed: with the mixers that packages bring.
        own: look up own modules as well: for scenarios that are run here, with this Python.
    """
    search = search_path(pythonpath)
    return Known(_ours() | (_installed(search) if installed else {}), search, own=own)


def entry(name: str, pythonpath: Sequence[str] = ()) -> ZooEntry:
    """Read the source of a mixer or block, of the zoo or of a package, or of a "package.module:Class".

    Raises:
        UsageError: there is no such mixer, or no such class; names the nearest, and all.
    """
    search = search_path(pythonpath)
    targets = _ours() | _installed(search)
    if name in targets:
        return _entry(name, *targets[name], search)
    module, _, cls = name.partition(":")
    if not cls:
        hint = did_you_mean(name, targets)
        allowed = textwrap.fill(
            f"allowed: {', '.join(targets)}", 110, initial_indent="  ", subsequent_indent="    "
        )
        raise UsageError(f'unknown mixer "{name}"{hint}\n{allowed}')
    try:
        read(module, search).find(cls)
    except Unreadable as error:
        raise UsageError(f"{name} cannot be read: {error}") from error
    return _entry(name, name, "", search)


@dataclass(frozen=True, slots=True)
class OwnSubject:
    """What the source of an own "package.module:Name" says of it.

    Attributes:
        runs_on_sdpa: whether it says that it runs on torch's fused kernel as well as on math.
        is_network: whether it takes neither dim nor another axis of a mixer, as whole networks do.
    """

    runs_on_sdpa: bool
    is_network: bool


def own_subject(target: str, pythonpath: Sequence[str] = ()) -> OwnSubject:
    """Read an own mixer or network.

    Raises:
        UsageError: there is no such module, or it has no such name; names the nearest.
    """
    search = search_path(pythonpath)
    if (why := absent(target, search)) is not None:
        raise UsageError(f"{target}: {why}")
    taken = parameters(target, search)
    names = None if taken is None else _names(taken)
    network = names is not None and not names & {"dim", "num_heads", "grid", ANY_OTHER}
    kernels = _entry(target, target, "", search).kernels
    if kernels == SEE_SOURCE:  # no class that can be read
        return OwnSubject("kernel" in (names or ()), network)
    return OwnSubject(kernels == "any" or {"math", "sdpa"} <= set(kernels), network)


def mixer_entries() -> list[ZooEntry]:
    """The zoo, then what packages bring."""
    search = search_path()
    targets = _targets(MIXERS) | _installed(search)
    return [_entry(name, *target, search) for name, target in targets.items()]


def block_entries() -> list[ZooEntry]:
    """The parts around and inside of mixers."""
    return [entry(name) for name in BLOCKS]


def backbone_entry(name: str) -> ZooEntry:
    """Read what the source says of a network: its summary, paper, reference and what differs.

    Raises:
        UsageError: there is no such network; names the nearest.
    """
    if name not in BACKBONES:
        hint = did_you_mean(name, BACKBONES)
        raise UsageError(f'unknown backbone "{name}"{hint}\n  `benchsuite list backbones` names all')
    docstring = read(BACKBONES[name].partition(":")[0], _ZOO).docstring
    fields = _fields(docstring)
    return ZooEntry(
        name=name,
        target=BACKBONES[name],
        summary=docstring.partition("\n")[0],
        paper=fields.get("paper", ""),
        reference=fields.get("reference", ""),
        differs=fields.get("differs", ""),
        names=fields.get("names", ""),
    )


def _ours() -> dict[str, tuple[str, str]]:
    """Blocks are measured as mixers are: what takes and gives tokens or maps can stand in a mixer's place."""
    return _targets(MIXERS) | _targets(BLOCKS)


def _targets(table: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    return {name: (target, "") for name, target in table.items()}


def _installed(search: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    return {name: (plugin.target, plugin.package) for name, plugin in plugins(search).mixers.items()}


@functools.cache
def _words(name: str, target: str, search: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a mixer, of which nothing else is read."""
    try:
        taken = _source(name, target, search)[1].parameters
    except Unreadable:
        taken = None
    return ZooEntry(name=name, target=target, parameters=taken).words


def _source(name: str, target: str, search: tuple[str, ...]) -> tuple[Module, Class]:
    """The source of a mixer, and its class in it. Raises Unreadable."""
    module, _, class_name = target.partition(":")
    # The zoo is read where it is, whatever else the search path calls benchsuite.
    source = read(module, _ZOO if target in (MIXERS.get(name), BLOCKS.get(name)) else search)
    return source, source.find(class_name)


@functools.cache
def _entry(name: str, target: str, package: str, search: tuple[str, ...]) -> ZooEntry:
    try:
        source, cls = _source(name, target, search)
    except Unreadable:
        return ZooEntry(name=name, target=target, package=package)
    return ZooEntry(
        name=name,
        target=target,
        package=package,
        summary=next(iter((source.docstring or cls.docstring).splitlines()), ""),
        **_fields(source.docstring),
        layout=_layout(cls),
        forward=_forward(cls),
        kernels=_kernels(cls),
        relation=_relation(cls),
        parameters=_parameters(cls),
        cost=_cost(cls),
        doc=cls.docstring,
    )


def _fields(docstring: str) -> dict[str, str]:
    """The lines "Paper: …" and so on, each with the indented lines that go on with it."""
    fields: dict[str, str] = {}
    current = None
    for line in docstring.splitlines():
        word, colon, rest = line.partition(": ")
        if colon and word in _FIELDS:
            current = _FIELDS[word]
            fields[current] = rest.strip()
        elif current and line.startswith(" "):
            fields[current] += f" {line.strip()}"
        else:
            current = None
    return fields


def _layout(cls: Class) -> str:
    try:
        return str(cls.variable("layout") or SEE_SOURCE)
    except Unreadable:
        return SEE_SOURCE


def _forward(cls: Class) -> str:
    try:
        return cls.forward
    except Unreadable:
        return ""


def _kernels(cls: Class) -> tuple[str, ...] | Literal["any", "see source"]:
    try:
        kernels = cls.variable("kernels")
        if kernels is not None:
            return tuple(map(str, kernels)) if isinstance(kernels, tuple) else SEE_SOURCE
        return "any" if any(parameter.name == "kernel" for parameter in cls.parameters) else ("math",)
    except Unreadable:
        return SEE_SOURCE


def _relation(cls: Class) -> Relation | None:
    try:
        relation = cls.variable("relation")
    except Unreadable:
        return None
    return relation if isinstance(relation, Relation) else None


def _parameters(cls: Class) -> tuple[Parameter, ...] | None:
    try:
        return cls.parameters
    except Unreadable:
        return None


def _cost(cls: Class) -> str:
    try:
        return cls.cost
    except Unreadable:
        return ""
