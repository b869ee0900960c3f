"""Short names of cells that are shown together: what tells them apart, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.results.record import SETTINGS, Cell


def cell_names(cells: Sequence[Cell]) -> dict[str, str]:
    """Cell id → its label and the axes in which it differs from others: "HiLo, 448 px, sdpa"."""
    varying = [axis for axis in SETTINGS if len({getattr(cell, axis) for cell in cells}) > 1]
    return {cell.id: ", ".join([cell.name, *(_axis(cell, axis) for axis in varying)]) for cell in cells}


def _axis(cell: Cell, axis: str) -> str:
    value = getattr(cell, axis)
    if axis == "resolution":
        return f"{value[0]} px" if value[0] == value[1] else f"{value[0]}×{value[1]} px"
    return str(value) if isinstance(value, str) else f"{axis} {value}"


def setting_names(cells: Sequence[Cell]) -> dict[str, str]:
    """Cell id → the axes, kernel aside, in which the settings of these cells differ: "448 px, batch 8"."""
    varying = [axis for axis in SETTINGS if axis != "kernel" and len({getattr(c, axis) for c in cells}) > 1]
    return {cell.id: ", ".join(_axis(cell, axis) for axis in varying) for cell in cells}
