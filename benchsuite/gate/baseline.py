"""A baseline: what cells were once, as data and as JSON, a line a cell, so that git shows what changed."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from benchsuite.errors import UsageError
from benchsuite.findings.count_changes import Counts, counts_of
from benchsuite.findings.fingerprint import PROPERTIES, over_sessions
from benchsuite.gate.decide import ENOUGH, log_median
from benchsuite.gate.versioned_file import VersionedFile, write_file
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record, Status
from benchsuite.results.store import Run
from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats.intervals import t_quantile

Kind = Literal["exact", "run"]
_LEFT_OUT = ("command", "started_at", "ceilings")
"""Of a machine's description: what says nothing of whether two may be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineCell:
    """One cell.

    Attributes:
        log_medians: of each process, the logarithm of the median of its samples in seconds.
        numbers, ways: exact numbers, as `findings.count_changes.Counts` says.
        reason: why there are no numbers; empty if there are. With status "ok" only counting failed.
    """

    id: str
    cell: Cell
    status: Status = "ok"
    log_medians: tuple[float, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def counts(self) -> Counts:
        """Its exact numbers, to be compared."""
        return Counts(self.numbers, self.ways)

    @property
    def outcome(self) -> str:
        """Its status, or "not counted" where nothing else is wrong with it."""
        return "not counted" if self.status == "ok" and self.reason else self.status

    @property
    def noise(self) -> float | None:
        """By how much two of its processes differ: a share that 95 % stay below; None if too few ran."""
        if len(self.log_medians) < ENOUGH:
            return None
        spread = math.sqrt(2) * statistics.stdev(self.log_medians)
        return math.expm1(t_quantile(0.95, len(self.log_medians) - 1) * spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A whole baseline.

    Attributes:
        name: of the scenario, or of what is counted.
        sources: scenarios that are counted anew to compare with it: names, or paths from the file's folder.
        machine: as `environment.json` has it; empty for kind "exact".
        measure: settings under which it was measured.
        noise: by how much two processes differ on the machine, as a share; None if nobody knows.
    """

    kind: Kind
    name: str
    cells: tuple[BaselineCell, ...]
    sources: tuple[str, ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    measure: Mapping[str, Any] = field(default_factory=dict)
    rule: Gate = field(default_factory=Gate)
    noise: float | None = None


def cell_of(records: Sequence[Record]) -> BaselineCell:
    """What several processes say of one cell; the exact numbers are of the first that has any.

    Raises:
        ValueError: there are no records.
    """
    if not records:
        raise ValueError("a cell of a baseline needs a record")
    timed = [one.timing.samples_s for one in records if one.status == "ok" and one.timing]
    best = next((one for one in records if one.status == "ok"), records[0])
    counts = counts_of(best)
    return BaselineCell(
        id=best.id,
        cell=best.cell,
        status=best.status,
        log_medians=tuple(round(log_median(samples), 6) for samples in timed if samples),
        numbers=counts.numbers,
        ways=counts.ways,
        reason=best.reason or ("" if timed else best.not_counted),
    )


def of_runs(runs: Sequence[Run], noise: float | None) -> Baseline:
    """A baseline of kind "run": each run is one process of every cell.

    Raises:
        ValueError: there are no runs.
        UsageError: the first one's scenario has no rule that can be read.
    """
    if not runs:
        raise ValueError("a baseline needs a run")
    by_cell: dict[str, list[Record]] = {}
    for run in runs:
        for record in run.records:
            if record.status != "skipped":
                by_cell.setdefault(record.id, []).append(record)
    first = runs[0]
    return Baseline(
        kind="run",
        name=str(first.scenario.get("name", first.path.name)),
        cells=tuple(cell_of(records) for _, records in sorted(by_cell.items())),
        machine={key: value for key, value in first.environment.items() if key not in _LEFT_OUT},
        measure=dict(first.scenario.get("measure") or {}),
        rule=_rule(first),
        noise=noise,
    )


def of_machine(runs: Sequence[Run]) -> Baseline:
    """A baseline of kind "run", of runs that must be of one scenario and one machine.

    Raises:
        UsageError: they are not, or have no records.
    """
    one_scenario(runs)
    machines = [machine for run in runs for machine in run.environments.values()]
    for one in over_sessions(machines[:1], machines[1:]):
        if one.level == "refuse":
            raise UsageError(
                f"these runs are of several machines, and a baseline is of one: {one.label} is {one.old} and "
                f"{one.new}"
            )
    noises = [noise for machine in machines if (noise := self_test_noise(machine)) is not None]
    baseline = of_runs(runs, max(noises, default=None))
    if not baseline.cells:
        raise UsageError(f"{runs[0].path}: has no records, so there is nothing to keep")
    return baseline


def one_scenario(runs: Sequence[Run]) -> str:
    """The name of the scenario that all runs are of.

    Raises:
        UsageError: they are of several.
    """
    names = dict.fromkeys(str(run.scenario.get("name", run.path.name)) for run in runs)
    if len(names) > 1:
        raise UsageError(f"these runs are of several scenarios: {', '.join(names)}; give runs of one")
    return next(iter(names))


def self_test_noise(machine: Mapping[str, Any]) -> float | None:
    """The noise that the machine's last self-test found, as a share; None if nobody knows."""
    percent = (machine.get("selftest") or {}).get("noise_percent")
    return None if percent is None else float(percent) / 100


def _rule(run: Run) -> Gate:
    try:
        return Gate.model_validate(run.scenario.get("gate") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("gate", *first["loc"])))
        raise UsageError(f"{run.path}: its scenario cannot be read: {where}: {first['msg']}") from error


def machine_digest(machine: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that two machines share if nothing differs for which a gate refuses."""
    gpu = bool(machine.get("gpu"))
    properties: dict[str, Any] = {"device": str(machine.get("device", "")).partition(":")[0]}
    for row in PROPERTIES:
        if (row.gpu if gpu else row.cpu) == "refuse" and row.path != "device":
            value: Any = machine
            for key in row.path.split("."):
                value = value.get(key) if isinstance(value, Mapping) else None
            properties[row.path] = value
    return hashlib.sha256(json.dumps(properties, sort_keys=True, default=str).encode()).hexdigest()[:8]


def file_name(name: str, machine: Mapping[str, Any]) -> str:
    """Name of the file for a scenario on a machine: "mine-1a2b3c4d.json"."""
    return f"{name}-{machine_digest(machine)}.json"


STORED = VersionedFile(
    holds=Baseline,
    version=1,
    noun="a baseline",
    made_by="`benchsuite baseline update RUN` or `benchsuite baseline exact SCENARIO`",
    machine=lambda baseline: baseline.machine,
)
load, read = STORED.load, STORED.read


def dump(baseline: Baseline) -> str:
    """The file's text. What is at its default is left out."""
    head = {
        "version": STORED.version,
        "kind": baseline.kind,
        "name": baseline.name,
        "sources": list(baseline.sources),
        "machine": dict(baseline.machine),
        "measure": dict(baseline.measure),
        "rule": baseline.rule.model_dump(mode="json", exclude_defaults=True),
        "noise": baseline.noise,
    }
    lines = [
        f"{json.dumps(key)}: {_line(value)}" for key, value in head.items() if value not in ([], {}, None)
    ]
    cells = ",\n".join(_line(_plain(cell)) for cell in sorted(baseline.cells, key=lambda one: one.id))
    return "{\n" + ",\n".join([*lines, f'"cells": [\n{cells}\n]']) + "\n}\n"


def write(baseline: Baseline, path: Path) -> None:
    """Write the file whole; raises UsageError if it cannot be written."""
    write_file(path, dump(baseline))


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _plain(cell: BaselineCell) -> dict[str, Any]:
    data = {key: value for key, value in asdict(cell).items() if value not in ("", {}, (), "ok")}
    defaults = {f.name: f.default for f in fields(Cell) if f.default is not MISSING}
    defaults |= {"config": {}, "forward": {}}
    data["cell"] = {key: value for key, value in asdict(cell.cell).items() if defaults.get(key, ...) != value}
    return data
