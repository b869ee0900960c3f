"""What a gate found, as data: every format and the exit code are made of this and of nothing else. Pure.

Two kinds of evidence meet here. Times come as `Decision`s of `analyse/gate.py`; numbers without noise as
`Change`s of `analyse/exact.py`. A gate may have both, or either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from benchsuite.analyse.exact import Change
from benchsuite.analyse.fingerprint import Finding
from benchsuite.analyse.gate import Decision
from benchsuite.results.record import Cell, Status
from benchsuite.scenario.gate import Gate

CellVerdict = Literal[
    "slower",
    "larger",
    "broken",
    "no longer counted",
    "missing",
    "failed",
    "inconclusive",
    "faster",
    "same",
    "not flagged",
    "not counted",
    "equal",
]
CELL_VERDICTS: tuple[CellVerdict, ...] = get_args(CellVerdict)
"""The worst first. `larger`: an exact number went the wrong way and nobody accepted it. `broken`: measured on
the base, failed on the candidate. `no longer counted`: only counting failed on the candidate, so that the two
cannot be compared; `not counted`: on both sides. `missing`: only one side has the cell. `failed`: it could
not be measured on the base, so nothing can be said. `equal`: exact numbers alone were compared, and none went
the wrong way."""

REGRESSIONS: tuple[CellVerdict, ...] = ("slower", "larger", "broken")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCell:
    """One cell of a gate.

    Attributes:
        base, candidate: status on either side; None where that side does not have the cell.
        reason: why a side has no numbers, or why the verdict is inconclusive; empty otherwise.
        base_s, candidate_s: typical seconds per step, the geometric mean over processes of their medians;
            None where no times were compared.
        decision: of the times; None where none were compared.
        changes: exact numbers that differ, each worded by `Change`; accepted ones included.
        accepted: those of `changes` that somebody has accepted by name.
        pairs_s: (base, candidate) seconds of each pair of processes, in order of measurement, the screen
            first.
        screen_pairs: how many of `pairs_s` are of the screen.
    """

    id: str
    cell: Cell
    verdict: CellVerdict
    base: Status | None
    candidate: Status | None
    reason: str = ""
    base_s: float | None = None
    candidate_s: float | None = None
    decision: Decision | None = None
    changes: tuple[Change, ...] = ()
    accepted: tuple[Change, ...] = ()
    pairs_s: tuple[tuple[float, float], ...] = ()
    screen_pairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The whole gate.

    Attributes:
        scenario: its name.
        base, candidate: what was compared, in words a reader can act on: "main (a1b2c3d)".
        machine: in words: "NVIDIA H200, torch 2.11.0".
        rule: the numbers of the rule; None where only exact numbers were compared.
        tested, by_chance: as in `analyse.gate.Outcome`.
        differences: how the machines of the two sides differ; empty where both sides ran in one job.
        refused: why the two cannot be compared at all; empty if they can. No cell then has a verdict.
        command: what repeats it.
        seconds: wall time of the measurement.
        missing_fails: whether a cell that only one side has is a failure, or only named.
    """

    scenario: str
    base: str
    candidate: str
    machine: str
    cells: tuple[GateCell, ...]
    rule: Gate | None = None
    tested: int = 0
    by_chance: float = 0.0
    differences: tuple[Finding, ...] = ()
    refused: str = ""
    notes: tuple[str, ...] = ()
    command: str = ""
    seconds: float = 0.0
    missing_fails: bool = True

    def of(self, *verdicts: CellVerdict) -> tuple[GateCell, ...]:
        """The cells with one of these verdicts, in order."""
        return tuple(cell for cell in self.cells if cell.verdict in verdicts)

    @property
    def exit_code(self) -> int:
        """0 no regression, 1 regression, 3 a cell could not be measured, 4 not comparable, as a whole or a
        cell that is no longer counted.

        Inconclusive cells are no failure here; `--strict` makes them exit 5, see `strict_exit_code`.
        """
        if self.refused:
            return 4
        if self.of(*REGRESSIONS):
            return 1
        if self.of("no longer counted"):
            return 4
        unmeasured = self.of("failed", "missing") if self.missing_fails else self.of("failed")
        return 3 if unmeasured else 0

    @property
    def strict_exit_code(self) -> int:
        """As `exit_code`, but 5 where a cell is inconclusive and nothing worse was found."""
        return self.exit_code or (5 if self.of("inconclusive") else 0)
