"""What is kept of a self-test, and when it is not believed."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from benchsuite.measurement.machine_cache import (
    SELFTEST_FORM,
    keep_selftest,
    latest_selftest,
    selftest_file,
    selftest_log_means,
)

MACHINE = {"device": "cpu", "cpu": "Fast CPU", "threads": 2, "driver": None}
DATE = "2026-11-21T12:00:00+00:00"
DAY_S = 24 * 3600.0


def now() -> float:
    """A day and a half after the self-test."""
    return datetime(2026, 11, 21, 12, tzinfo=timezone.utc).timestamp() + 1.5 * DAY_S


def document(**fields: Any) -> dict[str, Any]:
    fine = {
        "form": SELFTEST_FORM,
        "fingerprint": MACHINE,
        "date": DATE,
        "noise_percent": 2.4,
        "drift_percent": 3.1,
        "log_means": [-6.2, -6.1],
        "passed": True,
    }
    return fine | fields


def test_the_last_self_test_of_a_machine_is_told_in_a_line(tmp_path: Path) -> None:
    keep_selftest(document(noise_percent=9.0), tmp_path)
    keep_selftest(document(verdicts=[]), tmp_path)
    found = latest_selftest(MACHINE, folder=tmp_path, now=now)
    assert found == {
        "date": DATE,
        "noise_percent": 2.4,
        "drift_percent": 3.1,
        "passed": True,
        "age_days": 1.5,
    }
    assert len(list(tmp_path.iterdir())) == 1


def test_runs_of_former_self_tests_are_there_for_the_next(tmp_path: Path) -> None:
    assert selftest_log_means(MACHINE, folder=tmp_path) == ()
    keep_selftest(document(), tmp_path)
    assert selftest_log_means(MACHINE, folder=tmp_path) == (-6.2, -6.1)
    keep_selftest(document(form=SELFTEST_FORM - 1), tmp_path)
    assert selftest_log_means(MACHINE, folder=tmp_path) == ()


def test_another_machine_has_had_none(tmp_path: Path) -> None:
    keep_selftest(document(), tmp_path)
    assert latest_selftest(MACHINE | {"threads": 1}, folder=tmp_path, now=now) is None
    assert latest_selftest(MACHINE, folder=tmp_path / "elsewhere", now=now) is None


def test_each_machine_has_its_own(tmp_path: Path) -> None:
    other = MACHINE | {"device": "GPU-1"}
    keep_selftest(document(), tmp_path)
    keep_selftest(document(fingerprint=other, passed=False, noise_percent=None), tmp_path)
    found = latest_selftest(other, folder=tmp_path, now=now)
    assert found is not None
    assert (found["passed"], found["noise_percent"]) == (False, None)
    assert latest_selftest(MACHINE, folder=tmp_path, now=now) is not None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"form": 1}', '{"form": 9, "date": "2026-11-21T12:00:00+00:00"}']
)
def test_a_file_that_is_torn_or_of_another_form_counts_as_none(tmp_path: Path, text: str) -> None:
    selftest_file(MACHINE, tmp_path).write_text(text)
    assert latest_selftest(MACHINE, folder=tmp_path, now=now) is None


def test_a_folder_that_cannot_be_written_to_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keep_selftest(document(), tmp_path / "file" / "folder")
    assert latest_selftest(MACHINE, folder=tmp_path / "file" / "folder", now=now) is None
