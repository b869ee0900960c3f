"""What is kept of a self-test, and when it is not believed."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchsuite.measurement import machine_cache
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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the cache, which is empty, a day and a half after the self-test."""
    now = datetime(2026, 11, 21, 12, tzinfo=timezone.utc).timestamp() + 1.5 * DAY_S
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine_cache, "time", SimpleNamespace(time=lambda: now))
    return tmp_path / "benchsuite"


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


def test_the_last_self_test_of_a_machine_is_told_in_a_line(folder: Path) -> None:
    keep_selftest(document(noise_percent=9.0))
    keep_selftest(document(verdicts=[]))
    found = latest_selftest(MACHINE)
    assert found == {
        "date": DATE,
        "noise_percent": 2.4,
        "drift_percent": 3.1,
        "passed": True,
        "age_days": 1.5,
    }
    assert len(list(folder.iterdir())) == 1


def test_runs_of_former_self_tests_are_there_for_the_next() -> None:
    assert selftest_log_means(MACHINE) == ()
    keep_selftest(document())
    assert selftest_log_means(MACHINE) == (-6.2, -6.1)
    keep_selftest(document(form=SELFTEST_FORM - 1))
    assert selftest_log_means(MACHINE) == ()


def test_another_machine_has_had_none() -> None:
    keep_selftest(document())
    assert latest_selftest(MACHINE | {"threads": 1}) is None


def test_each_machine_has_its_own() -> None:
    other = MACHINE | {"device": "GPU-1"}
    keep_selftest(document())
    keep_selftest(document(fingerprint=other, passed=False, noise_percent=None))
    found = latest_selftest(other)
    assert found is not None
    assert (found["passed"], found["noise_percent"]) == (False, None)
    assert latest_selftest(MACHINE) is not None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"form": 1}', '{"form": 9, "date": "2026-11-21T12:00:00+00:00"}']
)
def test_a_file_that_is_torn_or_of_another_form_counts_as_none(folder: Path, text: str) -> None:
    folder.mkdir()
    selftest_file(MACHINE).write_text(text)
    assert latest_selftest(MACHINE) is None


def test_a_folder_that_cannot_be_written_to_keeps_nothing(folder: Path) -> None:
    folder.write_text("")
    keep_selftest(document())
    assert latest_selftest(MACHINE) is None
