"""Meaning of the names in figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from benchsuite.format import joined
from benchsuite.labels import noun
from benchsuite.report.columns import AXES, SHAPE
from benchsuite.report.points import Point, grouped
from benchsuite.report.tables import Table, table

_SWAPS = "mixer"
"""The argument of a network that says what mixes in a stage in place of what its paper has."""


def names_table(cells: Sequence[Point]) -> Table:
    """Table with a row a name: what is behind it, its arguments, and the shape of layers."""
    columns: dict[str, Callable[[Point], Any]] = {"Implementation": lambda point: point.target}
    if any(_split(point)[0] for point in cells):
        columns["Mixers of its stages"] = _swapped
    columns["Arguments"] = lambda point: _arguments(_split(point)[1]) or "–"
    if not all(point.subject == "backbone" for point in cells):
        columns |= {AXES[axis]: partial(_shape, axis) for axis in SHAPE}
    heads = [noun(point.subject for point in cells).heading, *columns]
    rows = [
        (name, *(_all(map(value, part)) for value in columns.values()))
        for name, part in grouped(cells, lambda point: point.name).items()
    ]
    return table("What the names stand for.", heads, rows)


def _shape(axis: str, point: Point) -> Any:
    """Width, heads or stride; a network makes its own tokens, so its stride says nothing."""
    return None if point.settings["dim"] is None else point.settings[axis]


def _swapped(point: Point) -> str:
    return _stages(_split(point)[0]) or ("its own" if point.subject == "backbone" else "–")


def _split(point: Point) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The mixers that a network is given for its stages, and its other arguments."""
    arguments = dict(point.arguments)
    swaps = arguments.pop(_SWAPS, None) or {} if point.subject == "backbone" else {}
    return swaps if isinstance(swaps, dict) else {"all": swaps}, arguments


def _stages(swaps: Mapping[str, Any]) -> str:
    """The mixers that a network was given: "stage3 sra (sr_ratio=2), stage4 msa"."""
    return ", ".join(f"{stage} {_mixer(choice)}" for stage, choice in swaps.items())


def _mixer(choice: Any) -> str:
    """Mixer of a stage in words: "msa", "sra (sr_ratio=2)", "lsa and gsa in turn"."""
    if not isinstance(choice, dict):
        return str(choice)
    if "alternate" in choice:
        return f"{joined([_mixer(one) for one in choice['alternate']])} in turn"
    params = _arguments(choice.get("params") or {})
    return f"{choice.get('name')} ({params})" if params else str(choice.get("name"))


def _all(values: Iterable[Any]) -> str:
    """The distinct values of the cells of one name; "–" for missing ones."""
    return joined(["–" if value is None else str(value) for value in dict.fromkeys(values)])


def _arguments(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in config.items())
