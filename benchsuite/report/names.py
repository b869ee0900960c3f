"""What the names in figures and tables stand for, and what tells them apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from benchsuite.report.tables import Header, Row, Table, TableCell
from benchsuite.report.words import joined
from benchsuite.results.nouns import noun

_SHAPE: Mapping[str, str] = {"dim": "Channels", "num_heads": "Heads", "stride": "Stride (px)"}
_SWAPS = "mixer"
"""The argument of a network that says what mixes in a stage in place of what its paper has."""


def names(frame: pd.DataFrame) -> Table:
    """A row a name. Width, heads and stride are those of a layer; a network may have been given mixers."""
    swapped = any(swaps for swaps, _ in map(_split, frame["config"], frame["subject"]))
    layers = not (frame["subject"] == "backbone").all()
    heads = [noun(frame["subject"]).heading, "Implementation"]
    heads += [*(["Mixers of its stages"] if swapped else []), "Arguments"]
    heads += list(_SHAPE.values()) if layers else []
    rows = []
    for name, part in frame.groupby("name", sort=False):
        split = list(map(_split, part["config"], part["subject"]))
        texts = [_all(part["target"])]
        if swapped:
            own = "its own" if part["subject"].iloc[0] == "backbone" else "–"
            texts.append(_all(_stages(swaps) or own for swaps, _ in split))
        texts.append(_all(_arguments(others) or "–" for _, others in split))
        if layers:
            # A network makes its own tokens, so its stride says nothing.
            texts += [_all(part[axis].where(part["dim"].notna())) for axis in _SHAPE]
        rows.append(Row((TableCell(str(name)), *(TableCell(text) for text in texts))))
    return Table("What the names stand for.", tuple(Header(text) for text in heads), tuple(rows))


def apart(frame: pd.DataFrame) -> str:
    """What tells variants of one implementation apart, in a sentence; empty where there are several.

    For example "All 5 networks are litv2_s; they differ in the mixers of stage3 and stage4."
    """
    if frame["name"].nunique() < 2 or frame["target"].nunique() > 1:
        return ""
    split = list(map(_split, frame["config"], frame["subject"]))
    stages = list(_differing([swaps for swaps, _ in split]))
    differing = [f"the mixers of {joined(stages)}"] if stages else []
    differing += _differing([others for _, others in split])
    by_name = frame.groupby("name", sort=False)
    for axis, word in (("dim", "channels"), ("num_heads", "heads")):
        if by_name[axis].unique().map(lambda values: str(sorted(map(str, values)))).nunique() > 1:
            differing.append(word)
    if not differing:
        return ""
    what = noun(frame["subject"]).counted(frame["name"].nunique())
    return f"All {what} are {frame['target'].iloc[0]}; they differ in {joined(differing)}."


def _split(config: str, subject: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The mixers that a network is given for its stages, and its other arguments."""
    arguments: dict[str, Any] = json.loads(config)
    swaps = arguments.pop(_SWAPS, None) or {} if subject == "backbone" else {}
    return swaps if isinstance(swaps, dict) else {"all": swaps}, arguments


def _differing(mappings: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """The keys whose values are not the same everywhere, in alphabetical order."""
    for key in sorted({key for mapping in mappings for key in mapping}):
        if len({json.dumps(mapping.get(key), sort_keys=True) for mapping in mappings}) > 1:
            yield key


def _stages(swaps: Mapping[str, Any]) -> str:
    """The mixers that a network was given: "stage3 sra (sr_ratio=2), stage4 msa"."""
    return ", ".join(f"{stage} {_mixer(choice)}" for stage, choice in swaps.items())


def _mixer(choice: Any) -> str:
    """What mixes in a stage: "msa", "sra (sr_ratio=2)", "lsa and gsa in turn"."""
    if not isinstance(choice, dict):
        return str(choice)
    if "alternate" in choice:
        return f"{joined([_mixer(one) for one in choice['alternate']])} in turn"
    params = _arguments(choice.get("params") or {})
    return f"{choice.get('name')} ({params})" if params else str(choice.get("name"))


def _all(values: Iterable[Any]) -> str:
    """The distinct values of the cells of one name; "–" for missing ones."""
    return joined(["–" if pd.isna(value) else str(value) for value in dict.fromkeys(values)])


def _arguments(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in config.items())
