"""The scenario that tests of runs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubles.scripted_workers import SCENARIO


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    """Path of two mixers, 7 cells, in 4 comparison groups: two resolutions and two batches, one excluded."""
    path = tmp_path / "tiny.yaml"
    path.write_text(SCENARIO)
    return str(path)
