"""Labels of what is shown: nouns of subjects, and short names of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchsuite.format import counted, joined
from benchsuite.results.cell import OF_LAYERS, SUBJECTS, TOLD_APART, Cell, Subject

_WORDS: Mapping[Subject, str] = {"mixer": "mixer", "block": "block", "backbone": "network"}
_SHORT = {"window_size": "window", "sr_ratio": "ratio"}
"""Arguments whose names short names shorten."""


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
        return counted(number, self.single, self.plural)


def noun(subjects: Iterable[str]) -> Noun:
    """The noun for cells of these subjects, each named once; "mixer" if there are no cells."""
    kinds = set(subjects)
    words = [_WORDS[subject] for subject in SUBJECTS if subject in kinds] or ["mixer"]
    return Noun(joined(words, "or"), joined([f"{word}s" for word in words]))


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
        unusual["threads"] = counted(cell.threads, "thread")
    return "  ".join([*words, *unusual.values()])


def setting_names(cells: Sequence[Cell]) -> dict[str, str]:
    """Cell id → the axes, kernel aside, in which the settings of these cells differ: "448 px, batch 8"."""
    told = _told_apart(cells, [axis for axis in TOLD_APART if axis != "kernel"])
    return {id: ", ".join(words) for id, words in told.items()}


def common_start(names: Sequence[str]) -> str:
    """The words that all of several names begin with, if a word follows them everywhere: "HiLo".

    A number or a sign says nothing alone, so "α = 0.5" and "α = 0.9" have no common start.
    """
    words = [name.split() for name in dict.fromkeys(names)]
    if len(words) < 2:
        return ""
    shared = 0
    while all(len(one) > shared + 1 and one[shared] == words[0][shared] for one in words):
        shared += 1
    while shared and not all(one[shared][:1].isalpha() for one in words):
        shared -= 1
    return " ".join(words[0][:shared])


def common_start_note(names: Iterable[str]) -> str:
    """A sentence for a caption, with a space before it, if figures leave out how all names begin."""
    start = common_start(list(names))
    return f" All names begin with “{start}”, which is left out." if start else ""


def short_names(names: Sequence[str], limit: int = 32) -> dict[str, str]:
    """Names on one line of at most `limit` characters, without their common start, and still distinct.

    Names that are too long are cut in the middle. Arguments become equations, "alpha=0.5" is "α = 0.5".
    Control characters, which SVG cannot hold, become spaces.
    """
    start = len(common_start(names).split())
    result: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        text = " ".join(
            _equation(word) if start else word
            for word in "".join(c if c.isprintable() else " " for c in name).split()[start:]
        )
        if len(text) > limit:
            tail = (limit - 1) // 2
            text = f"{text[: limit - 1 - tail]}…{text[-tail:]}"
        plain, number = text, 2
        while text in taken:
            suffix = f" ({number})"
            text, number = f"{plain[: limit - len(suffix)]}{suffix}", number + 1
        taken.add(text)
        result[name] = text
    return result


def equations(name: str) -> str:
    """A name in a sentence, its arguments as figures write them: "HiLo α = 0.9 window = 2"."""
    return " ".join(map(_equation, name.split()))


def _equation(word: str) -> str:
    key, equals, value = word.partition("=")
    return f"{_SHORT.get(key) or argument(key)} = {value}" if equals and key and value else word


def argument(key: str) -> str:
    """Name of an argument in figures and sentences: α as the papers print it."""
    return "α" if key == "alpha" else key
