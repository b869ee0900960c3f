"""The tests that a baseline stands for: one a cell, all decided by one count."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.gate.baseline import Baseline, read, write
from benchsuite.gate.result import COUNTED, GateCell, GateResult
from benchsuite.plugins import importable_from
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost
from benchsuite_pytest import REWRITTEN

_AXES = ("dim", "num_heads", "stride", "kernel")
_FAILING = ("failed", "no longer counted")
"""Verdicts that fail the test of their cell, beside those that fail a gate."""
NO_NEW_CELLS = "no cell is missing in the baseline"


class Changed(Exception):  # noqa: N818  a finding, not a fault
    """A number of a cell is not what the baseline says."""


class BaselineFile(pytest.File):
    """The file, and what is counted to compare with it, once for all tests."""

    pythonpath: Sequence[str] = ()
    update = False

    def collect(self) -> Iterable[pytest.Item]:
        from benchsuite.gate.formats.phrases import labels_of

        if self.update:
            return [Update.from_parent(self, name="written anew")]
        names = labels_of({cell.id: cell.cell for cell in read(self.path).cells})
        new = NewCells.from_parent(self, name=NO_NEW_CELLS)
        return [*(CellTest.from_parent(self, name=name, key=key) for key, name in names.items()), new]

    @cached_property
    def result(self) -> GateResult:
        from benchsuite.gate.against_baseline import against_baseline

        return against_baseline(self.path, (), pythonpath=self.pythonpath)


class BaselineTest(pytest.Item):
    """A test of a baseline."""

    @property
    def baseline(self) -> BaselineFile:
        assert isinstance(self.parent, BaselineFile)
        return self.parent

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        if isinstance(excinfo.value, Changed | UsageError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"benchsuite gate: {self.name}"

    def accept(self, what: str) -> str:
        """How to take over what changed."""
        search = "".join(f" --pythonpath {folder}" for folder in self.baseline.pythonpath)
        return f"\nif that is meant: benchsuite baseline accept {self.path} {what}{search}"


class CellTest(BaselineTest):
    """One cell of the baseline, which `key` is the id of; its name is the cell's label."""

    def __init__(self, *, key: str, **options: Any) -> None:
        super().__init__(**options)
        self._key = key

    def runtest(self) -> None:
        result = self.baseline.result
        cell = next(cell for cell in result.cells if cell.id == self._key)
        if cell.verdict in (*result.failing, *_FAILING):
            raise Changed(self._words(cell))
        if cell.candidate != "ok" or cell.verdict == "not counted":
            pytest.skip(cell.reason)

    def _words(self, cell: GateCell) -> str:
        from benchsuite.gate.formats.phrases import change_words, detail

        if cell.verdict not in COUNTED:
            return f"{self.name}: {detail(cell)}{self.accept('--cells')}"
        names = " ".join(shlex.quote(f"{self.name}:{change.metric}") for change in cell.changes)
        return f"{self.name}: {change_words(cell.changes, len(cell.changes))}{self.accept(names)}"


class NewCells(BaselineTest):
    """The cells that the baseline does not have: they are named, and fail only if they cannot be counted."""

    def runtest(self) -> None:
        from benchsuite.gate.formats.phrases import labels

        result = self.baseline.result
        names = labels(result)
        broken = [f"{names[cell.id]}: {cell.reason}" for cell in result.of("failed") if cell.base is None]
        if broken:
            raise Changed("\n".join(broken))
        if new := result.of("new"):
            listed = ", ".join(names[cell.id] for cell in new)
            pytest.skip(f"new, and not in the baseline: {listed}{self.accept('--cells')}")


class Update(BaselineTest):
    """No test: it writes the baseline anew."""

    def runtest(self) -> None:
        from benchsuite.gate.exact_baseline import count_scenarios

        old = read(self.path)
        new = count_scenarios(old.sources, beside=self.path.parent, pythonpath=self.baseline.pythonpath)
        write(replace(old, cells=new.cells), self.path)
        self.user_properties.append((REWRITTEN, f"{os.path.relpath(self.path)}: {rewritten(old, new)}"))


def rewritten(old: Baseline, new: Baseline) -> str:
    """How the cells of two baselines differ: "1 changed, 2 new"."""
    before, now = ({cell.id: cell for cell in one.cells} for one in (old, new))
    numbers = {
        "changed": sum(before[key] != now[key] for key in before.keys() & now.keys()),
        "new": len(now.keys() - before.keys()),
        "removed": len(before.keys() - now.keys()),
    }
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number) or "nothing changed"


def tests_of(
    session: pytest.Session, file: Path, pythonpath: Sequence[str], *, update: bool
) -> list[pytest.Item]:
    """The tests of a baseline; with `update` a single one, which writes it anew.

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
            "evidence about times; give it one of `benchsuite baseline exact`, and times to the fixture "
            "benchsuite_gate"
        )
    collector = BaselineFile.from_parent(session, path=file.resolve())
    collector.pythonpath, collector.update = tuple(pythonpath), update
    return list(collector.collect())


def counted(target: str, arguments: Mapping[str, Any], pythonpath: Sequence[str] = ()) -> Cost:
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
        with importable_from(pythonpath):
            answer = calls.count(cell)
    except UsageError as error:
        pytest.fail(str(error), pytrace=False)
    if answer.value is None:
        pytest.fail(f"{target}: {answer.failure.message if answer.failure else answer.status}", pytrace=False)
    return answer.value
