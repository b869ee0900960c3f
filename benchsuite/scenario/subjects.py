"""Subjects of a scenario (mixers, blocks, backbones): what each kind is called, takes and sweeps, and every
word that names none of them.

The checks walk the tree and not the model, so that a misspelt parameter is found in an entry that is also
wrong in another way.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, get_args

from benchsuite.errors import Problem, nearest
from benchsuite.labels import noun
from benchsuite.results.cell import OF_LAYERS, Subject
from benchsuite.scenario import filters
from benchsuite.scenario.expand import labelled
from benchsuite.scenario.messages import problem_at
from benchsuite.scenario.types import is_label
from benchsuite.scenario.yaml_tree import Node

Words = Mapping[str, Sequence[str]]
"""Name → the words that its `params` may use."""

TIMM, TORCHVISION = LIBRARIES = ("timm:", "torchvision:")
"""Begin the names of networks of other libraries."""
OBJECT = "object:"
"""Begins the target of a module that a Python caller has as an object."""
SCALED = ", windows "
"""Stands in a cell's name, before the windows that timm has scaled with the image."""
STAGES = ("all", "stage1", "stage2", "stage3", "stage4")
"""Stages in which a backbone of ours may be given another mixer; a network that was built says which
it has."""
_AXES_NOT_PARAMS = ("dim", "kernel")
_NOT_PARAMS: Mapping[Subject, tuple[str, ...]] = {
    "mixer": _AXES_NOT_PARAMS,
    "block": _AXES_NOT_PARAMS,
    "backbone": ("kernel", "resolution"),
}
_MAX_VARIANTS = 1000
"""Combinations of `vary` whose labels are made out for messages."""
ANY_OTHER = "**"
"""Among the parameters of a mixer: it takes others, too, or nobody knows which it takes."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class Catalogue(Mapping[str, Sequence[str]]):
    """The mixers with their parameters, blocks among them, and beside them the blocks and the backbones."""

    @property
    @abstractmethod
    def blocks(self) -> Words:
        """Blocks that `subject: block` may name."""

    @property
    @abstractmethod
    def backbones(self) -> Words:
        """Networks that `subject: backbone` may name."""

    def absent(self, target: str) -> str | None:
        """Why there is no network of a library, or no "module:Name", of this name, with the nearest that
        there are; None if there is one, or nobody knows, as where the library is not installed."""
        return None

    def parameters(self, target: str) -> Sequence[str] | None:
        """Parameters of a "module:Name", with `ANY_OTHER` if it takes others, too; None if nobody knows."""
        return None


def named(known: Words, subject: Subject) -> Words:
    """Names that a scenario of this subject may use; a mapping that is no `Catalogue` holds mixers only."""
    if subject == "mixer":
        return known
    if not isinstance(known, Catalogue):
        return {}
    return known.backbones if subject == "backbone" else known.blocks


def subject_of(root: Node) -> Subject:
    """The subject of a document, "mixer" where it is absent or unknown."""
    node = root.child("subject")
    return next((word for word in get_args(Subject) if node and node.value == word), "mixer")


def axis_of(subject: Subject) -> Literal["mixer", "backbone"]:
    """The key of `sweep` that lists what is compared; a block is listed as a mixer is."""
    return "backbone" if subject == "backbone" else "mixer"


def misplaced(root: Node) -> Iterator[Problem]:
    """Axes that the subject does not have, and the one that it must have."""
    subject = subject_of(root)
    axis = axis_of(subject)
    other = "backbone" if axis == "mixer" else "mixer"
    sweep = root.child("sweep")
    both = axis == "mixer" and sweep is not None and {axis, other} <= sweep.entries.keys()
    rules = root.child("include")
    for section in (sweep, *(rules.items if rules else ())):
        for key, node in section.entries.items() if section else ():
            if key == other and not both:
                message = f'a scenario with "subject: {subject}" names a {axis}, not a {other}; write {axis}'
                yield problem_at(node, message, key=True)
            elif subject == "backbone" and key in OF_LAYERS:
                yield problem_at(node, f"{key} is no axis of a backbone, whose stages fix it", key=True)
    if sweep is None or not isinstance(sweep.value, Mapping) or (other in sweep.entries and not both):
        return
    listed = sweep.child(axis)
    if listed is None:
        yield problem_at(sweep, f"{axis} is missing", below=(axis,), key=True)
    elif listed.value is None:
        yield problem_at(listed, f"{axis} must be one value or a list of at least one, got nothing")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names and labels that filters and the report may use for a scenario's mixers, its profiles included.

    A profile may take a mixer away that a filter of the file speaks of; that is no mistake.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Names and labels, each once."""
        return tuple(dict.fromkeys((*self.names, *self.labels)))


def vocabulary(roots: Iterable[Node]) -> Vocabulary:
    """The mixers of several forms of one scenario."""
    names: dict[str, None] = {}
    labels: dict[str, None] = {}
    for _, entry in (one for root in roots for one in _entries(root)):
        name = _name(entry)
        if name is not None:
            names[name] = None
            labels.update(dict.fromkeys(_labels(entry, name)))
    return Vocabulary(tuple(names), tuple(labels))


def dangling(root: Node, known: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> Iterator[Problem]:
    """Every word that names nothing.

    Args:
        known: mixer → its parameters, with `ANY_OTHER` where more are taken than are known. A mixer written
            as "package.module:Class" is taken as it is.
    """
    for subject, entry in _entries(root):
        names = named(known, subject)
        yield from _unknown_name(entry, names, subject)
        yield from _absent(entry, known)
        yield from _unknown_params(entry, _with_own(entry, names, known), subject)
        if subject == "backbone":
            yield from _unknown_swaps(entry, names, known)
    subject = subject_of(root)
    yield from _unknown_in_filters(root, vocabulary, subject)
    for include in _section(root, "include"):
        nodes = [node for axis in ("mixer", "backbone") if (node := include.child(axis))]
        for word in (word for node in nodes for word in (node.items or (node,))):
            if isinstance(word.value, str) and word.value not in vocabulary.words:
                yield _nothing_called(word, word.value, vocabulary.words, subject)
    reference = root.at(("report", "reference"))
    if reference and isinstance(reference.value, str) and reference.value not in vocabulary.labels:
        yield _nothing_called(reference, reference.value, vocabulary.labels, subject)


def name_node(entry: Node) -> Node | None:
    """The value that names the mixer of an entry: the entry itself if it is a bare word."""
    return entry if isinstance(entry.value, str) else entry.child("name")


def _unknown_name(entry: Node, known: Mapping[str, Sequence[str]], subject: Subject) -> Iterator[Problem]:
    node, name = name_node(entry), _name(entry)
    if node is None or not is_label(name) or name in known:
        return
    if name.startswith(LIBRARIES):
        if subject != "backbone":
            yield problem_at(node, f'"{name}" is a network; write subject: backbone, and sweep.backbone')
        return
    if _DOTTED.fullmatch(name):
        return
    if ":" in name:
        what = "function" if subject == "backbone" else "Class"
        yield problem_at(node, f'"{name}" is not of the form package.module:{what}')
    else:
        hint = own_with_colon(name)
        yield problem_at(node, f'unknown {subject} "{name}"{hint}', nearest(name, known), tuple(known))


def own_with_colon(name: str) -> str:
    """The end of a message about "my_layers.MyAttention", which wants a colon; empty for other names."""
    module, _, last = name.rpartition(".")
    colon = f"{module}:{last}"
    return f'; for one of your own write "{colon}"' if _DOTTED.fullmatch(colon) else ""


def _absent(entry: Node, known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """A name with a colon that stands for nothing."""
    node, name = name_node(entry), _name(entry)
    if node is None or name is None or not isinstance(known, Catalogue):
        return
    named = _DOTTED.fullmatch(name) or name.startswith(LIBRARIES)
    if named and (why := known.absent(name)) is not None:
        yield problem_at(node, why)


def _unknown_params(
    entry: Node, known: Mapping[str, Sequence[str]], subject: Subject, *, swapped: bool = False
) -> Iterator[Problem]:
    """Args: swapped: it is a mixer that is put into a network, which gives it what elsewhere are axes."""
    name = _name(entry)
    taken = known.get(name or "", ())
    axes = _NOT_PARAMS[subject]
    allowed = tuple(sorted(set(taken) - set(axes)))
    for section in (entry.child("params"), entry.child("vary")):
        for key, node in section.entries.items() if section else ():
            if key in axes:
                what = "given by the network" if swapped else "an axis"
                hint = "" if swapped else f"; write sweep.{key}"
                yield problem_at(node, f"{key} is {what}, not a parameter{hint}", key=True)
            elif name in known and key not in allowed and ANY_OTHER not in taken:
                message = f'unknown parameter of {subject} "{name}"'
                yield problem_at(node, message, nearest(key, allowed), allowed, key=True)


def _unknown_swaps(
    entry: Node, backbones: Mapping[str, Sequence[str]], mixers: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    """Stages that no network of ours has, and mixers and parameters that there are not."""
    swaps = entry.child("mixer")
    for stage, choice in swaps.entries.items() if swaps else ():
        if _name(entry) in backbones and stage not in STAGES:
            yield problem_at(choice, f'unknown stage "{stage}"', nearest(stage, STAGES), STAGES, key=True)
        alternate = choice.child("alternate")
        for mixer in alternate.items if alternate else (choice,):
            yield from _unknown_name(mixer, mixers, "mixer")
            yield from _absent(mixer, mixers)
            yield from _unknown_params(mixer, _with_own(mixer, mixers, mixers), "mixer", swapped=True)


def _with_own(entry: Node, names: Words, known: Words) -> Words:
    """The names, and the entry's own if it is a "module:Name" whose parameters are known."""
    name = _name(entry) or ""
    if not _DOTTED.fullmatch(name) or not isinstance(known, Catalogue):
        return names
    own = known.parameters(name)
    return names if own is None else {name: own}


def _unknown_in_filters(root: Node, vocabulary: Vocabulary, subject: Subject) -> Iterator[Problem]:
    for node, words in _filters(root):
        for word in words:
            if word not in vocabulary.words:
                yield _nothing_called(node, word, vocabulary.words, subject)


def _filters(root: Node) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Every filter that parses and every label in place of one, with the mixers that it names."""
    for key in ("exclude", "expect", "claims"):
        for rule in _section(root, key):
            node = rule.child("where")
            if node and isinstance(node.value, str) and not filters.mistakes(node.value):
                yield node, filters.parse(node.value).mixers
    for claim in _section(root, "claims"):
        for node in (claim.child("subject"), claim.child("against")):
            if node is None or not isinstance(node.value, str):
                continue
            if not filters.is_filter(node.value) or not filters.mistakes(node.value):
                yield node, filters.side(node.value).mixers


def _nothing_called(node: Node, word: str, words: tuple[str, ...], subject: Subject) -> Problem:
    message = f'no {noun([subject]).single} of this scenario is called "{word}"'
    return problem_at(node, message, nearest(word, words), words)


def _entries(root: Node) -> Iterator[tuple[Subject, Node]]:
    """What is compared, each with its kind; networks may stand beside mixers."""
    subject = subject_of(root)
    kinds: dict[str, Subject] = {axis_of(subject): subject, "backbone": "backbone"}
    for axis, kind in kinds.items():
        node = root.at(("sweep", axis))
        yield from ((kind, entry) for entry in ((node.items or (node,)) if node else ()))


def _section(root: Node, key: str) -> tuple[Node, ...]:
    node = root.child(key)
    return node.items if node else ()


def _name(entry: Node) -> str | None:
    node = name_node(entry)
    return node.value if node and isinstance(node.value, str) else None


def _labels(entry: Node, name: str) -> Iterator[str]:
    label = entry.child("label")
    text = label.value if label and isinstance(label.value, str) else name.rpartition(":")[2] or name
    section = entry.child("vary")
    vary: dict[str, list[Any]] = {}
    for key, node in section.entries.items() if section else ():
        value = node.plain()
        vary[key] = value if isinstance(value, list) else [value]
    if prod(map(len, vary.values())) <= _MAX_VARIANTS:
        yield from (varied for varied, _ in labelled(text, vary))
