"""What an installed benchsuite carries."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchsuite.scenario.load import shipped


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=repository)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_every_scenario_and_template(wheel: Path, repository: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"benchsuite/_shipped/{name}.yaml" for name in shipped()} <= names
    templates = repository / "benchsuite" / "report" / "templates"
    assert {f"benchsuite/report/templates/{path.name}" for path in templates.iterdir()} <= names
    explore = repository / "benchsuite" / "report" / "explore"
    for folder in ("static", "vendor"):
        wanted = {f"benchsuite/report/explore/{folder}/{path.name}" for path in (explore / folder).iterdir()}
        assert len(wanted) >= 5
        assert wanted <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "reports/"))]


def test_an_installed_copy_finds_its_scenarios_by_name(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "sys.argv = ['benchsuite', 'check', 'hilo']\n"
        "from benchsuite.cli import main; main()"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout == f"{tmp_path}/site/benchsuite/_shipped/hilo.yaml: ok\n"
