"""A short, seeded part of the fault storm, and that it sees what it looks for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import storm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_runs_that_are_hit_anywhere_lose_and_leave_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert storm.main(["--times", "2", "--scripted", "--timeout", "10"]) == 0, capsys.readouterr().out
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if ", planning" in line]
    assert [row[3:] for row in rows] == [["1", *"000000"]] * 2


def test_what_is_lost_doubled_or_left_is_counted(tmp_path: Path) -> None:
    setting = storm.undisturbed(tmp_path, scripted=True, timeout_s=10)
    folder = tmp_path / "undisturbed"
    before = storm._records(folder)
    assert len(before) == storm.CELLS
    assert not storm._counted(setting, folder, before[:3], [], "").total()
    (folder / storm.RECORDS).write_text("\n".join([*before[1:], before[1], ""]))
    (folder / storm.LOCK).touch()
    (folder / "scenario.tmp").touch()
    (tmp_path / "tmp" / "left").touch()
    found = storm._counted(setting, folder, before[:1], [], "a traceback")
    assert +found == {"lost": 2, "duplicated": 1, "unclean ends": 1, "locks": 1, "files": 2}
