"""What the fixture `benchsuite_gate` does: a gate of times, whose processes are not those of the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchsuite import run
from benchsuite.errors import BenchsuiteError
from benchsuite.gate.against_baseline import against_baseline
from benchsuite.gate.baseline import file_name, of_machine, write
from benchsuite.gate.checkout import WORKTREE, require_revisions
from benchsuite.gate.formats.phrases import detail, headline, labels, notable, notes, ordered
from benchsuite.gate.interleave import GateProgress
from benchsuite.gate.measure import measure_gate
from benchsuite.gate.request import GateRequest, plan
from benchsuite.gate.result import GateResult
from benchsuite.results.store import read_run


class ScenarioGate:
    """Gates scenarios.

    Args:
        folder: where results and runs go.
        pythonpath: folders with the mixers' modules.
        say: takes a line on how far it is.
        update: write baselines anew in place of comparing with them.
    """

    def __init__(
        self, folder: Path, pythonpath: Sequence[str], say: Callable[[str], None] = print, *, update: bool
    ) -> None:
        self._folder = folder
        self._pythonpath = tuple(pythonpath)
        self._say = say
        self._update = update

    def __call__(
        self,
        scenario: str,
        *,
        base: str | None = None,
        profile: str | None = None,
        runs: int = 3,
        baselines: str = "baselines",
    ) -> GateResult:
        """Measure a scenario; the test fails unless its gate is fine, and is skipped if there is no baseline.

        Args:
            base: revision that the files as they are are compared with, in turns; it sees small changes.
            profile: of the scenario.
            runs: without a base, how often the scenario is run; three know how far they differ.
            baselines: without a base, folder of the baselines, one a scenario and machine.
        """
        request = GateRequest(
            reference=scenario,
            out=Path(tempfile.mkdtemp(prefix="gate-", dir=self._folder)),
            base=base,
            candidate=None if base is None else WORKTREE,
            profiles=() if profile is None else (profile,),
            pythonpath=self._pythonpath,
        )
        try:
            found = self._revisions(request) if base else self._stored(request, runs, Path(baselines))
        except BenchsuiteError as error:
            pytest.fail(str(error), pytrace=False)
        if found.exit_code:
            pytest.fail(_words(found), pytrace=False)
        return found

    def _stored(self, request: GateRequest, runs: int, baselines: Path) -> GateResult:
        """The result of comparing new runs with the baseline of this machine."""
        planned = plan(request)
        file = baselines / file_name(planned.scenario.name, planned.environment)
        if not self._update and not file.is_file():
            pytest.skip(
                f"{file} is not there: pytest --benchsuite-update writes the baseline of this machine"
            )
        folders = [request.out / str(number) for number in range(1, runs + 1)]
        for number, folder in enumerate(folders, 1):
            self._say(f"run {number} of {runs} of {planned.scenario.name}")
            run(request.reference, out=folder, profile=request.profiles, pythonpath=request.pythonpath)
        if self._update:
            write(of_machine([read_run(folder) for folder in folders]), file)
            pytest.skip(f"{file} was written anew")
        return against_baseline(file, [str(folder) for folder in folders])

    def _revisions(self, request: GateRequest) -> GateResult:
        """The result of measuring the base and the files as they are in turns."""
        require_revisions(request)
        planned = plan(request)
        progress = GateProgress(planned.cells, planned.scenario.gate, self._say)
        return measure_gate(request, planned, progress, {})


def _words(result: GateResult) -> str:
    """The result in a sentence, and a line for each cell to look at."""
    names = labels(result)
    cells = [f"{cell.verdict}  {names[cell.id]}: {detail(cell)}" for cell in ordered(result) if notable(cell)]
    return "\n".join([headline(result), *cells, *notes(result)])
