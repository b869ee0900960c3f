"""What several tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def idle_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy host would be told is tested elsewhere."""
    monkeypatch.setattr("benchsuite.runner.prepare.busy", lambda _: ())


@pytest.fixture
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The scenario TINY of the test's module, as a file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(request.module.TINY)
    return path
