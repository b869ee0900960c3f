"""Scenario of a run folder, as its scenario.json stores it: its cells, and the one scenario of several runs.
Pure.

Runs of one scenario may differ in what part of it they measured (a shard, a filter) and on which devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchsuite.errors import BenchsuiteError, RunFolderError
from benchsuite.results.cell import Cell
from benchsuite.scenario.expand import expand_detailed
from benchsuite.scenario.filters import parse
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.shards import Shard, only

_MAY_DIFFER = ("filter", "device", "shard", "pythonpath")
"""Keys that the command line adds under `run` and that say only what part was measured, and where."""
_PARTS = "parts"
"""Key under `run`, by merging alone: what each of several machines measured, with the name of the machine."""
_HISTORY = ("profiles", "applied", "overrides")
"""Keys on how a scenario came to say what it says."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """The scenario of one run folder.

    Attributes:
        where: the folder, for messages.
        run: what the command line added.
    """

    where: str
    scenario: Scenario
    run: Mapping[str, Any]

    @property
    def devices(self) -> tuple[str, ...]:
        """Those that its cells are on, "auto" resolved."""
        there = str(self.run.get("device", "auto"))
        return tuple(dict.fromkeys(there if word == "auto" else word for word in self.scenario.sweep.device))

    @property
    def shard(self) -> tuple[int, int] | None:
        """Number of the part and of all parts; None if all cells were to be measured."""
        shard = self.run.get("shard")
        return (int(shard["index"]), int(shard["count"])) if shard else None


def stored(where: str, document: Mapping[str, Any]) -> Stored:
    """The scenario of a run folder from its scenario.json.

    Raises:
        ScenarioError: it is none that this benchsuite reads; names what it does not know.
    """
    data = dict(document)
    run = data.pop("run", None) or {}
    return Stored(where, Scenario.from_dict(data, f"{where}/scenario.json"), run)


def joined(runs: Sequence[Stored], machines: Sequence[str] = ()) -> dict[str, Any]:
    """Scenario of all runs together: all of their devices, and no shard.

    A filter that all runs had stays; runs with different filters are parts of the whole scenario.

    Args:
        machines: that of each run, where their cells are to be told apart by it.

    Raises:
        RunFolderError: the runs are of different scenarios; names what differs.
    """
    first = runs[0]
    for other in runs[1:]:
        wrong = list(_differences(_compared(first), _compared(other)))
        if wrong:
            more = f"\n  … and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            raise RunFolderError(
                f"{other.where}: is of another scenario than {first.where}:\n"
                + "\n".join(f"  {line}" for line in wrong[:_NAMED])
                + more
            )
    document = first.scenario.to_dict()
    devices = dict.fromkeys(device for run in runs for device in run.devices)
    if any(run.devices != first.devices for run in runs):
        document["sweep"]["device"] = list(devices)
    filters = dict.fromkeys(str(run.run.get("filter", "")) for run in runs)
    settings = {key: value for key, value in first.run.items() if key not in _MAY_DIFFER}
    settings |= {
        "filter": next(iter(filters)) if len(filters) == 1 else "",
        "device": str(first.run.get("device", next(iter(devices)))),
    }
    folders = dict.fromkeys(folder for run in runs for folder in run.run.get("pythonpath", ()))
    if folders:
        settings["pythonpath"] = list(folders)
    if machines:
        settings[_PARTS] = [_part(run, machine) for run, machine in zip(runs, machines, strict=True)]
    return document | {"run": settings}


def cells(document: Mapping[str, Any]) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """The cells that a stored scenario measures with its filter and shard, and those that a rule excludes.

    Raises:
        ScenarioError: it is none that this benchsuite reads.
        SelectionError: its filter does not parse.
        UsageError: it has more cells than can be run, or fewer comparison groups than shards.
    """
    run = stored("", document)
    measured: dict[str, Cell] = {}
    excluded: dict[str, Cell] = {}
    for part in run.run.get(_PARTS) or (run.run,):
        wanted, dropped = _cells_of(run.scenario, part)
        measured |= {cell.id: cell for cell in wanted}
        excluded |= {cell.id: cell for cell in dropped}
    return tuple(measured.values()), tuple(excluded.values())


def _part(run: Stored, machine: str) -> dict[str, Any]:
    """What a run measured, as `_cells_of` reads it."""
    shard = {"shard": run.run["shard"]} if run.shard else {}
    return {
        "machine": machine,
        "device": str(run.run.get("device", "cpu")),
        "devices": list(run.devices),
        "filter": str(run.run.get("filter", "")),
        **shard,
    }


def _cells_of(scenario: Scenario, part: Mapping[str, Any]) -> tuple[list[Cell], list[Cell]]:
    """The cells of a run, or of a part of one, and those that a rule excludes."""
    if devices := part.get("devices"):
        sweep = scenario.sweep.model_copy(update={"device": tuple(devices)})
        scenario = scenario.model_copy(update={"sweep": sweep})
    expansion = expand_detailed(scenario, device=str(part.get("device", "cpu")))
    selection = parse(str(part.get("filter", "")))
    measured = tuple(cell for cell in expansion.cells if selection.matches(cell))
    excluded = tuple(pair for pair in expansion.excluded if selection.matches(pair[0]))
    if part.get("shard"):
        measured, excluded = only(Shard.from_dict(part["shard"]), measured, excluded)
    machine = part.get("machine", "")
    named = [replace(cell, machine=machine) for cell in measured] if machine else list(measured)
    return named, [cell for cell, _ in excluded]


def missing(document: Mapping[str, Any], measured: Mapping[str, bool]) -> list[Cell] | None:
    """Cells of a stored scenario that are still to be measured.

    Args:
        measured: id of every cell with a record but for those that a rule excludes → whether that stands, or
            was interrupted.

    Returns:
        None where this version cannot tell, since it makes other cells of the scenario than were measured.
    """
    try:
        wanted = {cell.id: cell for cell in cells(document)[0]}
    except (BenchsuiteError, KeyError, ValueError):
        return None
    if not measured.keys() <= wanted.keys():
        return None
    return [cell for id, cell in wanted.items() if not measured.get(id)]


def machines(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the machines of a merged run whose cells are told apart by machine; of all others none."""
    parts = (document.get("run") or {}).get(_PARTS) or ()
    return tuple(dict.fromkeys(str(part["machine"]) for part in parts))


def how_to_go_on(document: Mapping[str, Any], folder: object) -> str:
    """What measures the cells that a run lacks, as a command or in words."""
    if names := machines(document):
        return f"resume the run of each machine ({'; '.join(names)}) there, and merge them again"
    return f"benchsuite run --resume {folder}"


def _compared(run: Stored) -> dict[str, Any]:
    """Data that must be the same in all runs."""
    data = {key: value for key, value in run.scenario.to_dict().items() if key not in _HISTORY}
    data["sweep"] = {axis: values for axis, values in data["sweep"].items() if axis != "device"}
    return data | {"run": {key: value for key, value in run.run.items() if key not in _MAY_DIFFER}}


def _differences(first: Any, other: Any, path: str = "") -> Iterator[str]:
    """Lines that say where two documents part, as deep as they are alike."""
    if isinstance(first, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys((*first, *other)):
            yield from _differences(first.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(first, list) and isinstance(other, list) and len(first) == len(other):
        for i, (here, there) in enumerate(zip(first, other, strict=True)):
            yield from _differences(here, there, f"{path}[{i}]")
    elif first != other:
        yield f"{path}: {_short(first)} and {_short(other)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
