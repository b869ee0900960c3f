"""Whether a gate of two revisions measures what differs between them: a gate of nothing must not pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchsuite.errors import UsageError
from benchsuite.gate.interleave import SIDES, SideName
from benchsuite.gate.processes import Probe, Side
from benchsuite.plugins import plugins, search_path
from benchsuite.results.record import Cell
from benchsuite.scenario.subjects import TIMM


def modules_of(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The top-level modules that the cells' own subjects come from, the zoo's left out."""
    found = plugins(search_path()).mixers
    targets = dict.fromkeys(
        found[cell.target].target if cell.target in found else cell.target
        for cell in cells
        if not cell.target.startswith(TIMM)
    )
    return tuple(
        dict.fromkeys(target.partition(":")[0].partition(".")[0] for target in targets if ":" in target)
    )


def missing_targets(cells: Sequence[Cell], known: Collection[str]) -> frozenset[str]:
    """The names that a zoo does not have; what a "module:Class" stands for, its own process finds out."""
    return frozenset(cell.target for cell in cells if ":" not in cell.target and cell.target not in known)


def require_ours(
    sides: Mapping[SideName, Side], probes: Mapping[SideName, Probe], cells: Sequence[Cell], root: Path
) -> tuple[str, ...]:
    """Notes on modules that are not of the two revisions.

    Args:
        root: of the repository.

    Raises:
        UsageError: one side would import the other side's files, or files that belong to neither; or nothing
            that is measured is of the repository.
    """
    modules = modules_of(cells)
    notes = []
    for module in modules:
        inside = {name: sides[name].holds(probes[name].places.get(module)) for name in SIDES}
        outside = {
            name: place for name in SIDES if not inside[name] and (place := probes[name].places.get(module))
        }
        if outside and (any(inside.values()) or _is_source(next(iter(outside.values())), root)):
            raise UsageError(_elsewhere(module, *next(iter(outside.items()))))
        if outside:
            notes.append(f"{module} is not of this repository: {next(iter(outside.values()))}")
    if any(sides[n].holds(probes[n].places.get(m)) for n in SIDES for m in ("benchsuite", *modules)):
        return tuple(notes)
    if modules:
        places = probes["candidate"].places
        raise UsageError(_elsewhere(modules[0], "candidate", places.get(modules[0])))
    raise UsageError(
        "nothing of this repository is measured: the scenario names mixers of benchsuite only, which both "
        "sides take from the same place\n  name your own in it (mixer: my_package.mixers:MyMixer), or "
        "compare two interpreters: --base-python P --candidate-python P"
    )


def _is_source(place: str, root: Path) -> bool:
    """Whether a file is of the repository's own checkout, and not of an environment that stands in it."""
    path = Path(place).resolve()
    return path.is_relative_to(root) and not {"site-packages", "dist-packages"} & set(path.parts)


def _elsewhere(module: str, side: str, place: str | None) -> str:
    what = f"comes from {place}, which is not of that revision" if place else "is not to be found there"
    return (
        f"the {side} would not measure its own code: the module {module} {what}\n"
        "  name the folder that holds it, relative to here: --pythonpath src"
    )
