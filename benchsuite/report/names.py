"""Meaning of the names in figures and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchsuite.labels import noun
from benchsuite.report.columns import AXES, SHAPE
from benchsuite.report.points import Point, grouped
from benchsuite.report.tables import Table, table
from benchsuite.report.words import joined

_SWAPS = "mixer"
"""The argument of a network that says what mixes in a stage in place of what its paper has."""


def names_table(cells: Sequence[Point]) -> Table:
    """Table with a row a name.

    Width, heads and stride are those of a layer; a network may have been given mixers.
    """
    swapped = any(_split(point)[0] for point in cells)
    layers = not all(point.subject == "backbone" for point in cells)
    heads = [noun(point.subject for point in cells).heading, "Implementation"]
    heads += [*(["Mixers of its stages"] if swapped else []), "Arguments"]
    heads += [AXES[key] for key in SHAPE] if layers else []
    rows = []
    for name, part in grouped(cells, lambda point: point.name).items():
        texts = [_all(point.target for point in part)]
        if swapped:
            own = "its own" if part[0].subject == "backbone" else "–"
            texts.append(_all(_stages(_split(point)[0]) or own for point in part))
        texts.append(_all(_arguments(_split(point)[1]) or "–" for point in part))
        if layers:
            # A network makes its own tokens, so its stride says nothing.
            texts += [
                _all(None if p.settings["dim"] is None else p.settings[axis] for p in part) for axis in SHAPE
            ]
        rows.append((name, *texts))
    return table("What the names stand for.", heads, rows)


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
