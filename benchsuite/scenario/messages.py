"""pydantic's errors as `Problem`s: plain words, and the place where the mistake was written.

Which keys a mapping may have is asked of `parts`: path of a mapping, list positions left out → its model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from benchsuite.errors import Problem, nearest
from benchsuite.scenario import filters
from benchsuite.scenario.types import Part
from benchsuite.scenario.yaml_tree import Node, Path, dotted

Parts = Mapping[tuple[str, ...], type[Part]]
"""Path of a mapping, list positions left out → its model; says which keys are allowed there."""

_MAPPINGS = ("model_type", "dict_type")
"""pydantic's own error types that can occur, besides a missing and an unknown key; `types.py` raises the
rest."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of pydantic in one tree.

    Attributes:
        path: where in the merged tree; ends at the deepest value that is there, except for a missing key.
        kind: pydantic's name of the error, or one of ours (`types.py`).
    """

    path: Path
    kind: str
    problem: Problem


def problems_of(error: ValidationError, root: Node, parts: Parts) -> list[Problem]:
    """Every mistake in plain words, in pydantic's order."""
    return [fault.problem for fault in faults(error, root, parts)]


def faults(error: ValidationError, root: Node, parts: Parts) -> list[Fault]:
    """Every mistake, with what is needed to leave it out and look at the rest."""
    details = error.errors(include_url=False)
    return [fault for detail in details for fault in _faults(dict(detail), root, parts)]


def _faults(detail: dict[str, Any], root: Node, parts: Parts) -> Iterator[Fault]:
    context = detail.get("ctx", {})
    location = _as_written((*detail["loc"], *context.get("below", ())), root)
    node, depth = root.deepest(location)
    kind, path = str(detail["type"]), location[:depth]
    key = _key(location)
    if kind == "missing":
        yield Fault(location, kind, problem_at(node, f"{key} is missing", below=location[depth:], key=True))
    elif kind == "extra_forbidden":
        mapping = tuple(part for part in path[:-1] if isinstance(part, str))
        # Profiles stand at the top of the file; not in each other, and not in a --set.
        more = ("profiles",) if len(node.path) == 1 and node.place[0] else ()
        yield Fault(path, kind, unknown_key(node, key, (*parts[mapping].model_fields, *more)))
    elif kind == "word":
        allowed = context["allowed"]
        value = node.value if isinstance(node.value, str) else ""
        message = f"unknown {_singular(key)} {shown(node.plain())}"
        yield Fault(
            path, kind, problem_at(node, message, suggestion=nearest(value, allowed), allowed=allowed)
        )
    elif kind == "where":
        for mistake in filters.mistakes(str(node.value)):
            yield Fault(path, kind, problem_at(node, mistake.message, mistake.suggestion, mistake.allowed))
    else:
        what = "a mapping" if kind in _MAPPINGS else context["what"]
        subject = f"an entry of {key}" if kind in _MAPPINGS and _ends_in_list(location) else key
        yield Fault(path, kind, problem_at(node, f"{subject} must be {what}, got {shown(node.plain())}"))


def _as_written(location: Path, root: Node) -> Path:
    """The location in the tree, where one mapping may stand for a list of one: without its [0]."""
    written: list[str | int] = []
    node: Node | None = root
    for part in location:
        if part == 0 and node is not None and isinstance(node.value, Mapping):
            continue
        written.append(part)
        node = node.child(part) if node else None
    return tuple(written)


def problem_at(
    node: Node,
    message: str,
    suggestion: str | None = None,
    allowed: tuple[str, ...] = (),
    *,
    below: Path = (),
    key: bool = False,
) -> Problem:
    """A problem with a value, or with its key; `below` names something under it that is not there."""
    line, column = node.key_place if key else node.place
    return Problem(node.file, line, column, dotted((*node.path, *below)), message, suggestion, allowed)


def unknown_key(node: Node, key: str, allowed: tuple[str, ...]) -> Problem:
    """A key that its mapping does not have."""
    return problem_at(node, f'unknown key "{key}"', nearest(key, allowed), allowed, key=True)


def shown(value: Any) -> str:
    """A value as it is quoted in a message: JSON, shortened; "nothing" for null."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=repr)  # of Python, anything may come
    return text if len(text) <= 60 else f"{text[:57]}…"


def _key(location: Path) -> str:
    """The last key on the way: "batch" for `sweep.batch[1]`."""
    return next((part for part in reversed(location) if isinstance(part, str)), "the scenario")


def _ends_in_list(location: Path) -> bool:
    return bool(location) and isinstance(location[-1], int)


def _singular(key: str) -> str:
    """`metrics` holds metrics; the word that is wrong is a metric. `expect` holds an expectation."""
    return {"metrics": "metric", "sections": "section", "expect": "expectation"}.get(key, key)
