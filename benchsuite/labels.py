"""Labels of what is shown: nouns of subjects, and short names of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchsuite.results.cell import SETTINGS, SUBJECTS, Cell, Subject

_WORDS: Mapping[Subject, str] = {"mixer": "mixer", "block": "block", "backbone": "network"}


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun: one "network", several "networks"; one "mixer or network", several "mixers and networks"."""

    single: str
    plural: str

    @property
    def heading(self) -> str:
        """The noun above a column: "Network"."""
        return self.single[:1].upper() + self.single[1:]

    def counted(self, number: int) -> str:
        """1 network; 3 networks; 3 mixers and networks."""
        return f"{number} {self.single if number == 1 else self.plural}"


def noun(subjects: Iterable[str]) -> Noun:
    """The noun for cells of these subjects, each named once; "mixer" if there are no cells."""
    kinds = set(subjects)
    words = [_WORDS[subject] for subject in SUBJECTS if subject in kinds] or ["mixer"]
    plurals = [f"{word}s" for word in words]
    if len(words) == 1:
        return Noun(words[0], plurals[0])
    return Noun(f"{', '.join(words[:-1])} or {words[-1]}", f"{', '.join(plurals[:-1])} and {plurals[-1]}")


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
