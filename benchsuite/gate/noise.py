"""Noise of cells: what comparisons of code with itself come to on a machine, in a file that a gate reads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchsuite.errors import UsageError
from benchsuite.findings.fingerprint import findings
from benchsuite.gate.verdicts import ProcessPair, log_ratios_of
from benchsuite.gate.versioned_file import VersionedFile, write_file
from benchsuite.results.cell import Cell
from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats.evidence import aa_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNoise:
    """One cell held against itself.

    Attributes:
        name: for a reader.
        noise: a share: 95 % of comparisons of the cell with itself, of as many pairs as the gate decides
            with, stay below.
        spread: root mean square of the log ratios of single pairs.
        log_ratios: of the pairs, in order of measurement.
    """

    id: str
    name: str
    noise: float
    spread: float
    log_ratios: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateNoise:
    """The cells of a scenario held against themselves.

    Attributes:
        scenario: as the command line named it.
        machine: in words.
        environment: as `environment.json` has it, so that another machine is told from this one.
        pairs: how many the gate decides with, which is what `CellNoise.noise` is for.
        floor: the scenario's own limit, below which noise does not matter.
        unmeasured: cells without a time, with the reason.
    """

    scenario: str
    machine: str
    environment: Mapping[str, Any]
    pairs: int
    floor: float
    cells: tuple[CellNoise, ...]
    unmeasured: tuple[tuple[str, str], ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """Cell id → its noise."""
        return {cell.id: cell.noise for cell in self.cells}

    @property
    def proposed(self) -> float:
        """A limit for all cells that every cell's noise stays below, rounded up to half a per cent."""
        return max([self.floor, *(math.ceil(cell.noise * 200 - 1e-9) / 200 for cell in self.cells)])


def noise_of(
    cells: Sequence[Cell],
    pairs: Sequence[ProcessPair],
    rule: Gate,
    *,
    scenario: str,
    machine: str,
    environment: Mapping[str, Any],
    names: Mapping[str, str],
) -> GateNoise:
    """The noise of each cell, from pairs in which both sides are the same code.

    Args:
        names: cell id → its name for a reader.
    """
    measured, unmeasured = [], []
    for cell in cells:
        ratios = log_ratios_of(cell.id, pairs)
        if len(ratios) < 2:
            records = [side.get(cell.id) for pair in pairs for side in (pair.base, pair.candidate)]
            reasons = [record.reason for record in records if record is not None and record.reason]
            unmeasured.append((names[cell.id], next(iter(reasons), "too few pairs")))
            continue
        spread = math.sqrt(math.fsum(ratio**2 for ratio in ratios) / len(ratios))
        noise = aa_noise(ratios, rule.pairs)
        measured.append(
            CellNoise(id=cell.id, name=names[cell.id], noise=noise, spread=spread, log_ratios=ratios)
        )
    return GateNoise(
        scenario=scenario,
        machine=machine,
        environment=environment,
        pairs=rule.pairs,
        floor=rule.delta,
        cells=tuple(measured),
        unmeasured=tuple(unmeasured),
    )


STORED = VersionedFile(
    holds=GateNoise,
    version=1,
    noun="a noise file",
    made_by="`benchsuite noise`",
    machine=lambda noise: noise.environment,
)
read_noise = STORED.read


def write_noise(noise: GateNoise, path: Path) -> None:
    """Write the file whole; raises UsageError if it cannot be written."""
    data = {"version": STORED.version} | asdict(noise)
    write_file(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def require_fitting(
    noise: GateNoise, path: Path, environment: Mapping[str, Any], cells: Sequence[Cell], pairs: int
) -> tuple[str, ...]:
    """Notes on noise that was measured elsewhere or of other cells.

    Raises:
        UsageError: it says nothing of this machine, or of none of the cells.
    """
    again = f"measure it here: benchsuite noise {noise.scenario} --out {path}"
    for one in findings(noise.environment, environment):
        if one.level == "refuse":
            was, now = one.old, one.new
            raise UsageError(f"{path}: noise of another machine: {one.label} {was}, here {now}; {again}")
    known = [cell for cell in cells if cell.id in noise.shares]
    if not known:
        raise UsageError(f"{path}: knows none of the scenario's cells; {again}")
    notes = []
    if len(known) < len(cells):
        notes.append(
            f"{path}: knows {len(known)} of {len(cells)} cells; the others keep the scenario's limit"
        )
    if noise.pairs != pairs:
        notes.append(f"{path}: its noise is that of {noise.pairs} pairs, and the gate decides with {pairs}")
    return tuple(notes)
