"""What a scenario may measure, and what each kind of subject is called, takes and sweeps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

from benchsuite.errors import Problem
from benchsuite.results.record import Subject
from benchsuite.scenario.messages import problem_at
from benchsuite.scenario.yaml_tree import Node

Words = Mapping[str, Sequence[str]]
"""Name → the words that its `params` may use."""

OF_LAYERS = ("stride", "dim", "num_heads")
"""Axes of a mixer and of a block that the stages of a backbone fix."""
TIMM = "timm:"
"""Begins the name of a network of timm."""
SCALED = ", windows "
"""Stands in a cell's name, before the windows that timm has scaled with the image."""
STAGES = ("all", "stage1", "stage2", "stage3", "stage4")
"""Where a backbone of ours may be given another mixer; which of them it has, it says itself when built."""


class Catalogue(Mapping[str, Sequence[str]]):
    """The mixers with their parameters, blocks among them, and beside them the blocks and the backbones."""

    @property
    @abstractmethod
    def blocks(self) -> Words:
        """Only what `subject: block` may name."""

    @property
    @abstractmethod
    def backbones(self) -> Words:
        """What `subject: backbone` may name."""

    def like_timms(self, name: str) -> tuple[str, ...] | None:
        """The names of timm's networks that are most like `name`; None if there is such a network, or nobody
        knows which there are, as where timm is not installed."""
        return None


def named(known: Words, subject: Subject) -> Words:
    """What a scenario of this subject may name; a mapping that is no `Catalogue` holds mixers only."""
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
    rules = root.child("include")
    for section in (root.child("sweep"), *(rules.items if rules else ())):
        for key, node in section.entries.items() if section else ():
            if key == other:
                message = f'a scenario with "subject: {subject}" names a {axis}, not a {other}; write {axis}'
                yield problem_at(node, message, key=True)
            elif subject == "backbone" and key in OF_LAYERS:
                yield problem_at(node, f"{key} is no axis of a backbone, whose stages fix it", key=True)
    sweep = root.child("sweep")
    if sweep is None or not isinstance(sweep.value, Mapping) or other in sweep.entries:
        return
    listed = sweep.child(axis)
    if listed is None:
        yield problem_at(sweep, f"{axis} is missing", below=(axis,), key=True)
    elif listed.value is None:
        yield problem_at(listed, f"{axis} must be one value or a list of at least one, got nothing")
