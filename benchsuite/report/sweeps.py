"""Lines over an axis other than resolution: batch, width, heads, threads, or a parameter of a mixer.

A line joins cells that differ in nothing else. Groups keep batches and widths apart, so such an axis is
looked at over the whole run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchsuite.report.groups import split
from benchsuite.report.points import Point, points
from benchsuite.report.words import argument

LEAST = 3
"""Values that a line needs: with two there is a difference, but no course."""

LABELS: Mapping[str, str] = {
    "batch": "Batch", "dim": "Channels", "num_heads": "Heads", "threads": "Threads of torch",
}  # fmt: skip
"""Axes of a cell that a line may go over → the title of such an axis. Parameters go by their own name."""

_SHAPE = ("dim", "num_heads", "stride")
_VALUE, _LABEL, _OTHERS = "over value", "over label", "over others"


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell and where it stands on the axis."""

    at: float
    point: Point


@dataclass(frozen=True, slots=True)
class Line:
    """Cells that differ in one axis only, at least `LEAST` values of it, in rising order.

    Attributes:
        name: of the mixer; without the value of the parameter where it is one that varies.
    """

    name: str
    kernel: str
    resolution: int | str
    spots: tuple[Spot, ...]

    @property
    def known(self) -> list[Spot]:
        """Those that were timed."""
        return [spot for spot in self.spots if spot.point.throughput.known]


@dataclass(frozen=True, slots=True)
class Sweep:
    """All lines over one axis under the same conditions.

    Attributes:
        axis: a key of `LABELS`, or the name of a parameter.
        conditions: what all cells share, in words.
        apart: what tells it from other sweeps over the same axis; empty for the only one.
    """

    axis: str
    conditions: str
    apart: str
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """Title of the axis."""
        return LABELS.get(self.axis, argument(self.axis))

    @property
    def cells(self) -> list[Point]:
        """All cells, line by line."""
        return [spot.point for line in self.lines for spot in line.spots]

    @property
    def is_parameter(self) -> bool:
        """Whether the axis is an argument of the mixer."""
        return self.axis not in LABELS


def sweeps(frame: pd.DataFrame) -> list[Sweep]:
    """Every sweep of a run: axes of cells first, then parameters in alphabetical order."""
    found = []
    for axis in LABELS:
        if frame[axis].nunique() >= LEAST:
            wide = frame.assign(**{_VALUE: frame[axis].astype("Float64"), _LABEL: frame["name"]})
            found += _over(wide[wide[_VALUE].notna()], axis)
    for axis, wide in _parameters(frame):
        found += _over(wide, axis)
    return found


def _over(wide: pd.DataFrame, axis: str) -> list[Sweep]:
    found = []
    groups = split(wide, over=axis)
    for group in groups:
        rows = group.frame
        keys = zip(
            rows[_LABEL], rows["kernel"], rows["resolution"], *(rows[key] for key in _SHAPE if key != axis),
            strict=True,
        )  # fmt: skip
        lines: dict[tuple[Any, ...], list[Spot]] = {}
        for key, at, point in zip(keys, rows[_VALUE], points(rows), strict=True):
            lines.setdefault(tuple(map(str, key)), []).append(Spot(float(at), point))
        kept = tuple(
            Line(name, kernel, spots[0].point.resolution, tuple(sorted(spots, key=lambda spot: spot.at)))
            for (name, kernel, *_), spots in lines.items()
            if len({spot.at for spot in spots}) >= LEAST and any(s.point.throughput.known for s in spots)
        )
        if kept:
            found.append(Sweep(axis, group.conditions, group.title if len(groups) > 1 else "", kept))
    return found


def _parameters(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every numeric argument that varies while all others stay, with the rows of those who vary it."""
    flat = {config: dict(_flat(json.loads(config))) for config in frame["config"].unique()}
    values: dict[str, set[float]] = {}
    for arguments in flat.values():
        for path, value in arguments.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(path, set()).add(float(value))
    for path in sorted(path for path, found in values.items() if len(found) >= LEAST):
        rows = frame[[path in flat[config] for config in frame["config"]]]
        others = [
            json.dumps({key: value for key, value in flat[config].items() if key != path}, sort_keys=True)
            for config in rows["config"]
        ]
        ats = [float(flat[config][path]) for config in rows["config"]]
        rows = rows.copy()
        rows[_VALUE], rows[_OTHERS] = ats, others
        labels = _labels(rows, path.rpartition(".")[2])
        if labels:
            keys = list(zip(rows["target"], rows[_OTHERS], strict=True))
            rows[_LABEL] = [labels.get(key) for key in keys]
            yield path.rpartition(".")[2], rows[rows[_LABEL].notna()].reset_index(drop=True)


def _labels(rows: pd.DataFrame, leaf: str) -> dict[tuple[str, str], str]:
    """(implementation, other arguments) → what its line is called, for those with enough values.

    The name without the value if that is one name, "HiLo window_size=2"; else the implementation, which is
    told from itself by a number.
    """
    found: dict[tuple[str, str], str] = {}
    for (target, others), part in rows.groupby(["target", _OTHERS], sort=False):
        if part[_VALUE].nunique() < LEAST:
            continue
        bare = {
            " ".join(word for word in name.split() if not word.startswith(f"{leaf}="))
            for name in part["name"].unique()
        }
        label = next(iter(bare)) if len(bare) == 1 else str(target)
        number = sum(other.partition(" #")[0] == label for other in found.values()) + 1
        found[str(target), str(others)] = label if number == 1 else f"{label} #{number}"
    return found


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Arguments by dotted path, those of a network's stages as well."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
