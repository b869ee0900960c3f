"""The tests that a baseline stands for: one a cell, all decided by one count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.gate.baseline import read
from benchsuite.gate.result import COUNTED, GateCell, GateResult
from benchsuite.results.record import Cell, Cost

_AXES = ("dim", "num_heads", "stride", "kernel")
_FAILING = (*COUNTED, "broken", "failed", "missing", "no longer counted")
NO_NEW_CELLS = "no cell is missing in the baseline"


class Changed(Exception):  # noqa: N818  a finding, not a fault
    """A number of a cell is not what the baseline says."""


class BaselineFile(pytest.File):
    """The file, and what is counted to compare with it, once for all tests."""

    pythonpath: Sequence[str] = ()

    def collect(self) -> Iterable[pytest.Item]:
        names = [cell.id for cell in read(self.path).cells]
        return [Test.from_parent(self, name=name) for name in (*names, NO_NEW_CELLS)]

    @cached_property
    def result(self) -> GateResult:
        from benchsuite.gate.against_baseline import against_baseline

        return against_baseline(self.path, (), pythonpath=self.pythonpath)


class Test(pytest.Item):
    """One cell, or all that the baseline does not have."""

    __test__ = False

    @property
    def baseline(self) -> BaselineFile:
        assert isinstance(self.parent, BaselineFile)
        return self.parent

    def runtest(self) -> None:
        cells = self.baseline.result.cells
        if self.name == NO_NEW_CELLS:
            new = [cell.id for cell in cells if cell.base is None]
            if new:
                raise Changed(f"not in the baseline: {', '.join(new)}{self._accept('--cells')}")
            return
        cell = next(cell for cell in cells if cell.id == self.name)
        if cell.verdict in _FAILING:
            raise Changed(self._words(cell))
        if cell.candidate != "ok" or cell.verdict == "not counted":
            pytest.skip(cell.reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        if isinstance(excinfo.value, Changed | UsageError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"benchsuite gate: {self.name}"

    def _words(self, cell: GateCell) -> str:
        from benchsuite.gate.formats.phrases import change_words, detail

        if cell.verdict not in COUNTED:
            return f"{cell.id}: {detail(cell)}{self._accept('--cells')}"
        names = " ".join(f"{cell.id}:{change.metric}" for change in cell.changes)
        return f"{cell.id}: {change_words(cell.changes, len(cell.changes))}{self._accept(names)}"

    def _accept(self, what: str) -> str:
        search = "".join(f" --pythonpath {folder}" for folder in self.baseline.pythonpath)
        return f"\nif that is meant: benchsuite baseline accept {self.path} {what}{search}"


def tests_of(session: pytest.Session, file: Path, pythonpath: Sequence[str]) -> list[pytest.Item]:
    """The tests of a baseline.

    Raises:
        pytest.UsageError: it cannot be read, or is of a run.
    """
    try:
        kind = read(file).kind
    except UsageError as error:
        raise pytest.UsageError(f"--benchsuite-gate: {error}") from error
    if kind != "exact":
        raise pytest.UsageError(
            f"--benchsuite-gate: {file} is a baseline of a run, and a test run is one process, which is no "
            "evidence about times; give it one of `benchsuite baseline exact`, and times to `benchsuite gate`"
        )
    collector = BaselineFile.from_parent(session, path=file.resolve())
    collector.pythonpath = tuple(pythonpath)
    return list(collector.collect())


def counted(target: str, arguments: Mapping[str, Any]) -> Cost:
    """What a mixer costs; fails the test that asks if it cannot be counted."""
    from benchsuite.worker import calls

    given = dict(arguments)
    size = given.pop("resolution", 224)
    axes = {"stride": 16} | {name: given.pop(name) for name in _AXES if name in given}
    cell = Cell(
        name=target,
        target=target,
        config=given,
        resolution=(size, size) if isinstance(size, int) else tuple(size),
        batch=1,
        **axes,
    )
    try:
        answer = calls.count(cell)
    except UsageError as error:
        pytest.fail(str(error), pytrace=False)
    if answer.value is None:
        pytest.fail(f"{target}: {answer.failure.message if answer.failure else answer.status}", pytrace=False)
    return answer.value
