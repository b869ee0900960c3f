"""Labels of what is shown: nouns of subjects, and short names of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchsuite.results.cell import OF_LAYERS, SUBJECTS, TOLD_APART, Cell, Subject

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
    told = _told_apart(cells, TOLD_APART)
    return {cell.id: ", ".join([cell.name, *told[cell.id]]) for cell in cells}


def _told_apart(cells: Sequence[Cell], axes: Iterable[str]) -> dict[str, list[str]]:
    """Cell id → the axes in which these cells differ; those of layers say nothing of a network."""

    def has(cell: Cell, axis: str) -> bool:
        return cell.subject != "backbone" or axis not in OF_LAYERS

    varying = [axis for axis in axes if len({getattr(cell, axis) for cell in cells if has(cell, axis)}) > 1]
    return {cell.id: [_axis(cell, axis) for axis in varying if has(cell, axis)] for cell in cells}


def _axis(cell: Cell, axis: str) -> str:
    value = getattr(cell, axis)
    if axis == "resolution":
        return f"{pixels(value)} px"
    return str(value) if isinstance(value, str) else f"{axis} {value}"


def pixels(resolution: tuple[int, int]) -> str:
    """A size in pixels, height first: "448", or "224×448" where the sides differ."""
    height, width = resolution
    return f"{height}" if height == width else f"{height}×{width}"


USUAL: Mapping[str, str] = {
    "format": "contiguous",
    "compile": "eager",
    "cache": "warm",
    "protocol": "adaptive",
}
"""Axis → the value that is named only where a cell departs from it."""


def unusual_axes(cell: Cell) -> dict[str, str]:
    """Axis → value where a cell departs from what is usual."""
    values = {
        "format": cell.memory_format,
        "compile": cell.compile,
        "cache": cell.cache,
        "protocol": cell.protocol,
        "threads": "" if cell.threads is None else str(cell.threads),
    }
    return {axis: word for axis, word in values.items() if word and word != USUAL.get(axis)}


def describe_cell(cell: Cell) -> str:
    """A cell in a line of progress, by itself: "HiLo  448 px  batch 2  fp32  sdpa  cpu"."""
    size = f"{pixels(cell.resolution)} px"
    words = [cell.name, size, f"batch {cell.batch}", cell.dtype, cell.kernel, cell.device]
    if cell.mode != "inference":
        words.append(cell.mode)
    unusual = unusual_axes(cell)
    if cell.threads is not None:
        unusual["threads"] = f"{cell.threads} thread{'s' if cell.threads > 1 else ''}"
    return "  ".join([*words, *unusual.values()])


def setting_names(cells: Sequence[Cell]) -> dict[str, str]:
    """Cell id → the axes, kernel aside, in which the settings of these cells differ: "448 px, batch 8"."""
    told = _told_apart(cells, [axis for axis in TOLD_APART if axis != "kernel"])
    return {id: ", ".join(words) for id, words in told.items()}
