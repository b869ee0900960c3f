"""How far a command is that prints nothing yet."""

from __future__ import annotations

import logging
import sys

import pytest

from benchsuite import progress
from benchsuite.runner.plan import logger
from tests.builders import make_cell
from tests.plans import plans_of


def test_where_stderr_is_no_terminal_a_short_wait_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counting("waiting") as show:
        show(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_long_wait_is_told_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    with progress.counting("waiting") as show:
        show(1, 2)
        show(2, 2)
    assert capsys.readouterr() == ("", "waiting: 1 of 2\nwaiting: 2 of 2\n")


def test_in_a_terminal_there_is_a_bar_on_stderr_and_it_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress.counting("waiting") as show:
        show(1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "waiting" in err
    assert "1/2" in err
    assert err.rstrip("\n").endswith("\x1b[2K")  # the line is erased


def test_the_planner_says_each_cell_and_its_log_is_as_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    with progress.planning():
        plans_of([make_cell(), make_cell(kernel="sdpa")])
    assert capsys.readouterr().err == "planning cells: 1 of 2\nplanning cells: 2 of 2\n"
    plans_of([make_cell()])
    assert capsys.readouterr().err == ""
    assert (logger.level, logger.handlers, logger.propagate) == (logging.NOTSET, [], True)
