"""The workflow that publishes a site: valid, and with least rights; `test_ci_files.py` runs its shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

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
