"""What a gate found, as data and as JSON: formats and exit code are made of this alone. No torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from benchsuite.errors import FAILED, FINE, INCONCLUSIVE, NOT_COMPARABLE, REGRESSION
from benchsuite.findings.count_changes import Change
from benchsuite.findings.fingerprint import Finding
from benchsuite.gate.decide import CellDecision, expected_by_chance
from benchsuite.gate.versioned_file import VersionedFile, write_file
from benchsuite.results.cell import Cell
from benchsuite.results.record import Status
from benchsuite.scenario.gate_settings import Gate, MissingPolicy

CellVerdict = Literal[
    "slower",
    "larger",
    "smaller",
    "broken",
    "no longer counted",
    "removed",
    "new",
    "failed",
    "inconclusive",
    "faster",
    "same",
    "not flagged",
    "not counted",
    "neither measured",
    "equal",
]
CELL_VERDICTS: tuple[CellVerdict, ...] = get_args(CellVerdict)
"""The worst first. `larger`: an exact number went the wrong way and nobody accepted it; `smaller`: all that
did so fell where none may, since a counter that misses operators looks like progress. `broken`: measured on
the base, failed on the candidate. `no longer counted`: only counting failed on the candidate, so that the two
cannot be compared; `not counted`: on both sides; `neither measured`: both sides fail alike, so that nothing
was compared. `removed`: only the base has the cell; `new`: only the candidate has it, and it works there.
`failed`: it could not be measured on the base, or only the candidate has it and fails, so nothing can be
said. `equal`: only exact numbers were compared, none went the wrong way."""

COUNTED: tuple[CellVerdict, ...] = ("larger", "smaller")
"""Verdicts on exact numbers, of which each change can be accepted by name."""
REGRESSIONS: tuple[CellVerdict, ...] = ("slower", *COUNTED, "broken")
"""Verdicts that fail a gate whatever its policy for cells of one side."""
_OF_ONE_SIDE: Mapping[MissingPolicy, tuple[CellVerdict, ...]] = {
    "fail": ("removed",),
    "any": ("removed", "new"),
    "warn": (),
}


def of_changes(wrong: Sequence[Change]) -> CellVerdict:
    """The verdict on exact numbers that changed and that nobody has accepted; "equal" if there are none."""
    if not wrong:
        return "equal"
    return "smaller" if all(change.new < change.old for change in wrong) else "larger"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCell:
    """One cell of a gate.

    Attributes:
        base, candidate: status on either side; None where that side does not have the cell.
        reason: why a side has no numbers, or why the verdict is inconclusive; empty otherwise.
        base_s, candidate_s: typical seconds per step, the geometric mean over processes of their medians;
            None where no times were compared; of a new cell the candidate's stands alone.
        decision: of the times; None where none were compared.
        changes: exact numbers that differ, each worded by `Change`; accepted ones included.
        accepted: those of `changes` that somebody has accepted by name.
        pairs_s: (base, candidate) seconds of each pair of processes, in order of measurement, the screen
            first.
        screen_pairs: how many of `pairs_s` are of the screen.
        counts: what was counted on the candidate ("macs", "params") where no times were compared.
    """

    id: str
    cell: Cell
    verdict: CellVerdict
    base: Status | None
    candidate: Status | None
    reason: str = ""
    base_s: float | None = None
    candidate_s: float | None = None
    decision: CellDecision | None = None
    changes: tuple[Change, ...] = ()
    accepted: tuple[Change, ...] = ()
    pairs_s: tuple[tuple[float, float], ...] = ()
    screen_pairs: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The whole gate.

    Attributes:
        scenario: its name.
        base, candidate: what was compared, in words a reader can act on: "main (a1b2c3d)".
        machine: in words: "NVIDIA H200, torch 2.11.0".
        rule: the numbers of the rule; None where only exact numbers were compared.
        differences: how the machines of the two sides differ; empty where both sides ran in one job.
        refused: why the two cannot be compared at all; empty if they can. No cell then has a verdict.
        unmeasured: why a side could not be measured at all; empty if both could. There are no cells then.
        command: what repeats it.
        accept: the command to which names are added that accept changes; empty where none stores them.
        seconds: wall time of the measurement.
        missing: which cells of one side fail the gate.
        unread: lines of run folders that are no records, each with its place and its reason.
    """

    scenario: str
    base: str
    candidate: str
    machine: str
    cells: tuple[GateCell, ...]
    rule: Gate | None = None
    differences: tuple[Finding, ...] = ()
    refused: str = ""
    unmeasured: str = ""
    notes: tuple[str, ...] = ()
    command: str = ""
    accept: str = ""
    seconds: float = 0.0
    missing: MissingPolicy = "fail"
    unread: tuple[str, ...] = ()

    def of(self, *verdicts: CellVerdict) -> tuple[GateCell, ...]:
        """The cells with one of these verdicts, in order."""
        return tuple(cell for cell in self.cells if cell.verdict in verdicts)

    @property
    def tested(self) -> int:
        """Cells that were decided by an interval of their own processes."""
        return sum(cell.decision is not None and not math.isnan(cell.decision.p) for cell in self.cells)

    @property
    def by_chance(self) -> float:
        """How many of them chance alone would call slower at most, on average."""
        return expected_by_chance(self.tested, self.rule.confidence) if self.rule else 0.0

    @property
    def failing(self) -> tuple[CellVerdict, ...]:
        """The verdicts that fail this gate with REGRESSION."""
        return (*REGRESSIONS, *_OF_ONE_SIDE[self.missing])

    @property
    def exit_code(self) -> int:
        """One of `errors.EXIT_CODES`; FAILED if a cell could not be measured, or a record not be read,
        NOT_COMPARABLE also where a cell is no longer counted.

        Inconclusive cells are no failure here; `--strict` makes them one, see `strict_exit_code`.
        """
        if self.refused:
            return NOT_COMPARABLE
        if self.unmeasured:
            return FAILED
        if self.of(*self.failing):
            return REGRESSION
        if self.of("no longer counted"):
            return NOT_COMPARABLE
        return FAILED if self.of("failed") or self.unread else FINE

    @property
    def strict_exit_code(self) -> int:
        """As `exit_code`, but INCONCLUSIVE where a cell is and nothing worse was found."""
        return self.exit_code or (INCONCLUSIVE if self.of("inconclusive") else FINE)


RESULT = "result.json"
"""Name of the file in the folder of a gate."""
_MAY_BE_NAN = ("ratio", "lo", "hi", "p")
"""Numbers of a decision that may be unknown: null in the file, NaN here."""


def dump(result: GateResult) -> str:
    """The file's text: the fields of `GateResult` and a `version`, indented.

    A number that is not known is null. A change does not repeat the cell that it belongs to.
    """
    data = asdict(result) | {
        "rule": result.rule.model_dump(mode="json") if result.rule else None,
        "tested": result.tested,
        "by_chance": result.by_chance,
    }
    for cell in data["cells"]:
        for change in (*cell["changes"], *cell["accepted"]):
            del change["cell"]
        if cell["decision"] is not None:
            for key in _MAY_BE_NAN:
                if math.isnan(cell["decision"][key]):
                    cell["decision"][key] = None
    whole = {"version": STORED.version} | data
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _restore(data: dict[str, Any]) -> None:
    """Give changes their cell again, and numbers that are not known NaN."""
    for cell in data["cells"]:
        for change in (*cell["changes"], *cell["accepted"]):
            change["cell"] = cell["cell"]
        if cell["decision"] is not None:
            cell["decision"] |= {k: math.nan for k in _MAY_BE_NAN if cell["decision"][k] is None}


STORED = VersionedFile(
    holds=GateResult, version=2, noun="the result of a gate", made_by="`benchsuite gate`", restore=_restore
)
load = STORED.load


def write(result: GateResult, path: Path) -> None:
    """Write the file whole; raises UsageError if it cannot be written."""
    write_file(path, dump(result))


def read(path: Path) -> GateResult:
    """The result in a file, or in the folder of a gate.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    return STORED.read(path / RESULT if path.is_dir() else path)
