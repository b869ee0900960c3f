"""A run in comparable parts.

Cells that differ in more than mixer, resolution and kernel never share a panel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.report.columns import CONDITIONS, SHAPE
from benchsuite.report.reported_cells import ReportedCell, grouped
from benchsuite.report.words import pixels

_DTYPES = ("fp64", "fp32", "tf32", "bf16", "fp16", "autocast_bf16", "autocast_fp16")
_ALWAYS = ("device", "dtype", "mode", "batch")


@dataclass(frozen=True)
class ComparableGroup:
    """Cells that can be compared.

    Attributes:
        title: what tells it from the other groups of the run, "fp16, batch 64"; all conditions if it is
            the only one.
        conditions: everything that its cells share.
    """

    title: str
    conditions: str
    cells: tuple[ReportedCell, ...]


def split(cells: Sequence[ReportedCell], *, over: str = "") -> list[ComparableGroup]:
    """The groups of a run, by device, dtype, mode, batch, and by shape where one mixer has several shapes.

    Mixers may differ in heads or width among themselves, that is a choice of the scenario; one mixer swept
    over widths is several comparisons.

    Args:
        over: a condition that may differ within a group, because it is looked at over its values.
    """
    keys = [*_stated(cells), *(key for key in SHAPE if _varies_within_a_mixer(cells, key))]
    keys = [key for key in keys if key != over]
    varying = [key for key in keys if len(values(cells, key)) > 1]
    stated = [*keys, *(key for key in _shape(cells) if key not in keys)]
    parts = grouped(cells, lambda cell: tuple(cell.settings[key] for key in keys))
    groups = []
    for part in parts.values():
        first = {key: part[0].settings[key] for key in stated if len(values(part, key)) == 1}
        conditions = describe(first)
        title = describe({key: first[key] for key in varying}) or conditions
        groups.append((_rank(part[0].settings, keys), ComparableGroup(title, conditions, tuple(part))))
    return [group for _, group in sorted(groups, key=lambda item: item[0])]


def values(cells: Iterable[ReportedCell], key: str) -> list[Any]:
    """The distinct values of a condition, in order of appearance."""
    return list(dict.fromkeys(cell.settings[key] for cell in cells))


def varying(cells: Sequence[ReportedCell]) -> list[str]:
    """The conditions that differ among these cells; threads that are torch's own do not count as a value."""
    return [
        key
        for key in CONDITIONS
        if len([value for value in values(cells, key) if value is not None or key == "threads"]) > 1
    ]


def describe(setting: Mapping[str, Any]) -> str:
    """Conditions in words: "cuda, fp16, inference, batch 64"."""
    return ", ".join(CONDITIONS[key].phrase(value) for key, value in setting.items())


def setting_words(setting: Mapping[str, Any], varying: Sequence[str]) -> str:
    """A setting in words: resolution, kernel, and what else differs within the run."""
    others = {axis: setting[axis] for axis in varying if axis in setting}
    parts = [
        pixels(setting["resolution"]) if "resolution" in setting else "",
        str(setting.get("kernel", "")),
        describe(others) if others else "",
    ]
    return ", ".join(part for part in parts if part)


def settings_of(cells: Sequence[ReportedCell], besides: Collection[str] = ()) -> list[str]:
    """The setting of each cell in words: "224 px, math", and the conditions in which they differ.

    Args:
        besides: conditions that are not said.
    """
    keys = [key for key in varying(cells) if key not in besides]
    return [
        setting_words({"resolution": p.resolution, "kernel": p.kernel, **p.settings}, keys) for p in cells
    ]


def shared(cells: Sequence[ReportedCell]) -> dict[str, Any]:
    """The conditions that all cells have in common."""
    keys = (*_stated(cells), *_shape(cells))
    return {key: cells[0].settings[key] for key in keys if len(values(cells, key)) == 1}


def _stated(cells: Sequence[ReportedCell]) -> tuple[str, ...]:
    """The conditions that every run states, and those of the others that this one makes use of."""
    seldom = [key for key, row in CONDITIONS.items() if row.usual and values(cells, key) != [row.usual]]
    threads = ["threads"] if values(cells, "threads") != [None] else []
    several = [key for key in ("allocator", "machine") if len(values(cells, key)) > 1]
    return (*_ALWAYS, *seldom, *threads, *several)


def _shape(cells: Sequence[ReportedCell]) -> tuple[str, ...]:
    """Conditions of shape to state; none for networks, which make their own tokens."""
    return () if all(cell.subject == "backbone" for cell in cells) else SHAPE


def _varies_within_a_mixer(cells: Sequence[ReportedCell], key: str) -> bool:
    of_name = grouped(cells, lambda cell: cell.name).values()
    return any(len({cell.settings[key] for cell in part} - {None}) > 1 for part in of_name)


def _rank(setting: Mapping[str, Any], keys: Sequence[str]) -> tuple[tuple[int, Any], ...]:
    """Order of groups: numbers as numbers, dtypes from wide to narrow."""
    return tuple(
        (_DTYPES.index(setting[key]), "")
        if key == "dtype" and setting[key] in _DTYPES
        else (0, setting[key] or ("" if CONDITIONS[key].worded else 0))
        for key in keys
    )
