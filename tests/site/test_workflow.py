"""The example workflow that publishes a site: valid, least rights, and shell that does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.report.runs import on, written
from tests.report.synthetic import make_record

FILE = Path(__file__).parents[2] / "docs" / "ci" / "publish-pages.yml"


@pytest.fixture
def workflow() -> dict[Any, Any]:
    loaded = yaml.safe_load(FILE.read_text())
    assert isinstance(loaded, dict)
    return loaded


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow["jobs"]["publish"]["steps"]
    return found


def test_it_is_a_workflow_with_the_rights_of_pages_and_no_more(workflow: dict[Any, Any]) -> None:
    assert set(workflow[True]) == {"push", "workflow_dispatch"}  # YAML 1.1 reads "on" as true
    assert workflow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    assert all(("uses" in step) != ("run" in step) for step in steps(workflow))
    assert all("@" in step["uses"] for step in steps(workflow) if "uses" in step)


def test_what_is_uploaded_is_what_is_built(workflow: dict[Any, Any]) -> None:
    (upload,) = (step for step in steps(workflow) if "upload-pages" in step.get("uses", ""))
    (build,) = (step for step in steps(workflow) if step.get("name") == "Build the site")
    assert build["run"].endswith(f"--site {upload['with']['path']}")


def test_its_shell_builds_a_site_and_a_summary(workflow: dict[Any, Any], tmp_path: Path) -> None:
    for day in (1, 2):
        written(on([make_record(latency=None)], day=day), tmp_path / "reports" / f"run{day}")
    (tmp_path / "reports" / "README.md").write_text("# Reports\n")
    command = tmp_path / "bin" / "benchsuite"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m benchsuite "$@"\n')
    command.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(FILE.parents[2]),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    for step in steps(workflow):
        if "run" in step and "pip install" not in step["run"]:
            subprocess.run(
                ["bash", "-eo", "pipefail", "-c", step["run"]],
                cwd=tmp_path,
                env=environment,
                check=True,
                capture_output=True,
            )
    assert (tmp_path / "site" / "runs" / "run2" / "report.html").is_file()
    assert "from 2 runs on 1 machine" in (tmp_path / "summary.md").read_text()
