"""Lines over an axis: resolution, batch, width, heads, threads, or a parameter of a mixer.

A line joins cells that differ in nothing else. Groups keep batches and widths apart, so such an axis is
looked at over the whole run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchsuite.labels import argument
from benchsuite.report.columns import AXES, SHAPE
from benchsuite.report.comparable_groups import split
from benchsuite.report.reported_cells import ReportedCell, grouped, resolutions_of

LEAST = 3
"""Values that a line needs: with two there is a difference, but no course."""

RESOLUTION = "resolution"
SWEPT = (RESOLUTION, "batch", "dim", "num_heads", "threads")
"""Axes of a cell that a line may go over. Parameters go by their own name."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell and where it stands on the axis."""

    at: float
    cell: ReportedCell


@dataclass(frozen=True, slots=True)
class AxisLine:
    """Cells that differ in one axis only, at least `LEAST` values of it, in rising order.

    Attributes:
        name: of the mixer; without the value of the parameter where it is one that varies.
        resolution: of the cells; of the first where the axis is the resolution.
    """

    name: str
    kernel: str
    resolution: int | str
    spots: tuple[Spot, ...]

    @property
    def known(self) -> list[Spot]:
        """Those that were timed."""
        return [spot for spot in self.spots if spot.cell.throughput.known]


@dataclass(frozen=True, slots=True)
class AxisSweep:
    """All lines over one axis under the same conditions.

    Attributes:
        axis: one of `SWEPT`, or the name of a parameter.
        conditions: what all cells share, in words.
        apart: what tells it from other sweeps over the same axis; empty for the only one.
    """

    axis: str
    conditions: str
    apart: str
    lines: tuple[AxisLine, ...]

    @property
    def title(self) -> str:
        """Title of the axis."""
        return argument(self.axis) if self.is_parameter else AXES[self.axis]

    @property
    def cells(self) -> list[ReportedCell]:
        """All cells, line by line."""
        return [spot.cell for line in self.lines for spot in line.spots]

    @property
    def is_parameter(self) -> bool:
        """True if the axis is an argument of the mixer."""
        return self.axis not in SWEPT


_Places = Mapping[str, tuple[str, float, object]]
"""Cell → its place on an axis: the name of its line, its value, and what else must be equal."""


def over_resolution(cells: Sequence[ReportedCell]) -> AxisSweep | None:
    """Cells that can be compared, over resolution, a line a name and kernel; None for one resolution."""
    if len(resolutions_of(cells)) < 2:
        return None
    spots = [Spot(_side(cell), cell) for cell in sorted(cells, key=lambda p: (math.prod(p.size), p.size))]
    lines = grouped(spots, lambda spot: (spot.cell.name, spot.cell.kernel))
    found = (AxisLine(name, kernel, "", tuple(spots)) for (name, kernel), spots in lines.items())
    return AxisSweep(RESOLUTION, "", "", tuple(found))


def _side(cell: ReportedCell) -> float:
    """Side of a square of as many pixels."""
    return math.sqrt(math.prod(cell.size))


def sweeps(cells: Sequence[ReportedCell]) -> list[AxisSweep]:
    """Every sweep of a run over another axis: those of cells first, then parameters in alphabetical order."""
    every: list[AxisSweep] = []
    for axis in SWEPT[1:]:
        values = ((cell, cell.settings[axis]) for cell in cells)
        placed = {p.id: (p.name, float(value), None) for p, value in values if value is not None}
        every += _over(cells, axis, placed)
    for axis, places in _parameters(cells):
        every += _over(cells, axis, places)
    return every


def _over(cells: Sequence[ReportedCell], axis: str, placed: _Places) -> list[AxisSweep]:
    if len({at for _, at, _ in placed.values()}) < LEAST:
        return []

    def line(cell: ReportedCell) -> tuple[Any, ...]:
        name, _, others = placed[cell.id]
        shape = (cell.settings[key] for key in SHAPE if key != axis)
        return name, cell.kernel, cell.resolution, others, *shape

    every: list[AxisSweep] = []
    groups = split([cell for cell in cells if cell.id in placed], over=axis)
    for group in groups:
        lines = []
        for (name, kernel, resolution, *_), alike in grouped(group.cells, line).items():
            spots = sorted((Spot(placed[p.id][1], p) for p in alike), key=lambda spot: spot.at)
            if len({spot.at for spot in spots}) >= LEAST and any(p.throughput.known for p in alike):
                lines.append(AxisLine(name, kernel, resolution, tuple(spots)))
        if lines:
            apart = group.title if len(groups) > 1 else ""
            every.append(AxisSweep(axis, group.conditions, apart, tuple(lines)))
    return every


def _parameters(cells: Sequence[ReportedCell]) -> Iterator[tuple[str, _Places]]:
    """Every numeric argument that varies while all others stay, with the places of cells on it."""
    flat = {cell.id: dict(_flat(cell.arguments)) for cell in cells}
    values: dict[str, set[float]] = {}
    for arguments in flat.values():
        for path, value in arguments.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(path, set()).add(float(value))
    for path in sorted(path for path, found in values.items() if len(found) >= LEAST):
        rows: dict[tuple[str, str], list[ReportedCell]] = {}
        for cell in cells:
            if path in flat[cell.id]:
                others = {key: value for key, value in flat[cell.id].items() if key != path}
                rows.setdefault((cell.target, json.dumps(others, sort_keys=True)), []).append(cell)
        leaf = path.rpartition(".")[2]
        courses = {
            key: part for key, part in rows.items() if len({flat[cell.id][path] for cell in part}) >= LEAST
        }
        labels = _labels(courses, leaf)
        yield (
            leaf,
            {
                cell.id: (labels[key], float(flat[cell.id][path]), key)
                for key, part in courses.items()
                for cell in part
            },
        )


def _labels(rows: Mapping[tuple[str, str], Sequence[ReportedCell]], leaf: str) -> dict[tuple[str, str], str]:
    """(implementation, other arguments) → what its line is called.

    The name without the value if that is one name, "HiLo window_size=2"; else the implementation, which is
    numbered where that repeats.
    """
    labels: dict[tuple[str, str], str] = {}
    for key, part in rows.items():
        bare = {
            " ".join(word for word in name.split() if not word.startswith(f"{leaf}="))
            for name in dict.fromkeys(cell.name for cell in part)
        }
        label = next(iter(bare)) if len(bare) == 1 else key[0]
        number = sum(other.partition(" #")[0] == label for other in labels.values()) + 1
        labels[key] = label if number == 1 else f"{label} #{number}"
    return labels


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Arguments by dotted path, those of a network's stages as well."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
