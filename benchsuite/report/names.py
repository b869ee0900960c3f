"""Meaning of the names in figures and tables, and what tells them apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchsuite.labels import noun
from benchsuite.report.points import Point, grouped, names_of
from benchsuite.report.tables import Table, table
from benchsuite.report.words import joined

_SHAPE: Mapping[str, str] = {"dim": "Channels", "num_heads": "Heads", "stride": "Stride (px)"}
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
    heads += list(_SHAPE.values()) if layers else []
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
                _all(None if p.settings["dim"] is None else p.settings[axis] for p in part) for axis in _SHAPE
            ]
        rows.append((name, *texts))
    return table("What the names stand for.", heads, rows)


def apart(cells: Sequence[Point]) -> str:
    """Sentence on what tells variants of one implementation apart; empty where there are several.

    For example "All 5 networks are litv2_s; they differ in the mixers of stage3 and stage4."
    """
    names = names_of(cells)
    if len(names) < 2 or len({point.target for point in cells}) > 1:
        return ""
    stages = _differing([_split(point)[0] for point in cells])
    differing = [f"the mixers of {joined(stages)}"] if stages else []
    differing += _differing([_split(point)[1] for point in cells])
    for axis, word in (("dim", "channels"), ("num_heads", "heads")):
        of_name = grouped(cells, lambda point: point.name).values()
        values = {frozenset(point.settings[axis] for point in part) for part in of_name}
        differing += [word] if len(values) > 1 else []
    if not differing:
        return ""
    what = noun(point.subject for point in cells).counted(len(names))
    return f"All {what} are {cells[0].target}; they differ in {joined(differing)}."


def _split(point: Point) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The mixers that a network is given for its stages, and its other arguments."""
    arguments = dict(point.arguments)
    swaps = arguments.pop(_SWAPS, None) or {} if point.subject == "backbone" else {}
    return swaps if isinstance(swaps, dict) else {"all": swaps}, arguments


def _differing(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same everywhere, in alphabetical order."""
    keys = sorted({key for mapping in mappings for key in mapping})
    return [key for key in keys if len({json.dumps(one.get(key), sort_keys=True) for one in mappings}) > 1]


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
