"""Meaning of the names in figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from benchsuite.format import joined
from benchsuite.labels import noun
from benchsuite.report.columns import AXES, SHAPE
from benchsuite.report.reported_cells import ReportedCell, grouped
from benchsuite.report.tables import Table, table

_SWAPS = "mixer"
"""The argument of a network that says what mixes in a stage in place of what its paper has."""


def names_table(cells: Sequence[ReportedCell]) -> Table:
    """Table with a row a name: what is behind it, its arguments, and the shape of layers."""
    columns: dict[str, Callable[[ReportedCell], Any]] = {"Implementation": lambda cell: cell.target}
    if any(_split(cell)[0] for cell in cells):
        columns["Mixers of its stages"] = _swapped
    columns["Arguments"] = lambda cell: _arguments(_split(cell)[1]) or "–"
    if not all(cell.subject == "backbone" for cell in cells):
        columns |= {AXES[axis]: partial(_shape, axis) for axis in SHAPE}
    heads = [noun(cell.subject for cell in cells).heading, *columns]
    rows = [
        (name, *(_all(map(value, part)) for value in columns.values()))
        for name, part in grouped(cells, lambda cell: cell.name).items()
    ]
    return table("What the names stand for.", heads, rows)


def _shape(axis: str, cell: ReportedCell) -> Any:
    """Width, heads or stride; a network makes its own tokens, so its stride says nothing."""
    return None if cell.settings["dim"] is None else cell.settings[axis]


def _swapped(cell: ReportedCell) -> str:
    return _stages(_split(cell)[0]) or ("its own" if cell.subject == "backbone" else "–")


def _split(cell: ReportedCell) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The mixers that a network is given for its stages, and its other arguments."""
    arguments = dict(cell.arguments)
    swaps = arguments.pop(_SWAPS, None) or {} if cell.subject == "backbone" else {}
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
