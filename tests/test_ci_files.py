"""The action and the example workflows: their YAML, their documentation, and their shell, which is run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.gated_package import MORE_MACS, copy_of_example

ACTION = REPOSITORY / "action.yml"
CPU = REPOSITORY / "docs" / "ci" / "github-cpu.yml"
GPU = REPOSITORY / "docs" / "ci" / "github-gpu.yml"
GITLAB = REPOSITORY / "docs" / "ci" / "gitlab.yml"
EXAMPLE = REPOSITORY / "examples" / "gated_package" / "ci" / "gate.yml"
WORKFLOWS = (CPU, GPU, EXAMPLE)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    data = read(path)
    if "runs" in data:
        return list(data["runs"]["steps"])
    return [step for job in data["jobs"].values() for step in job["steps"]]


def blocks() -> Iterator[tuple[str, str]]:
    """Every piece of shell, with a name."""
    for path in (ACTION, *WORKFLOWS):
        for step in steps(path):
            if "run" in step:
                yield f"{path.name}: {step['name']}", step["run"]
    for name, job in read(GITLAB).items():
        if isinstance(job, dict) and "script" in job:
            yield f"{GITLAB.name}: {name}", "\n".join((*job["before_script"], *job["script"]))


def shell(folder: Path, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a block as a runner would, with `python3` being this interpreter."""
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (tools / "python3").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", **variables}
    return subprocess.run(
        ["bash", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def gate_step(path: Path) -> dict[str, Any]:
    (step,) = (step for step in steps(path) if step.get("name") == "Gate")
    return step


@pytest.mark.parametrize(("name", "text"), list(blocks()))
def test_every_piece_of_shell_parses_and_takes_no_text_from_outside(name: str, text: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    assert "${{" not in text, "an expression in a script is run as a part of it; give it as a variable"


def test_the_action_documents_every_input_and_output_and_knows_no_other() -> None:
    action = read(ACTION)
    inputs, outputs = action["inputs"], action["outputs"]
    assert all(one["description"] for one in (*inputs.values(), *outputs.values()))
    text = ACTION.read_text(encoding="utf-8")
    assert {word for word in inputs if f"inputs.{word} " not in text} == set()
    assert all(f'echo "{word}=' in text for word in outputs)
    used = {key for path in WORKFLOWS for step in steps(path) for key in _given_to_the_action(step)}
    assert used <= inputs.keys()


def _given_to_the_action(step: dict[str, Any]) -> set[str]:
    return set(step.get("with", {})) if "benchsuite" in step.get("uses", "") else set()


def test_workflows_name_events_rights_and_a_limit() -> None:
    for path in WORKFLOWS:
        data = read(path)
        assert data[True] == "pull_request"  # YAML 1.1 reads the key `on` so
        assert data["permissions"] == {"contents": "read"}
        assert all(job["timeout-minutes"] for job in data["jobs"].values())
    assert GPU.read_text(encoding="utf-8").count("fetch-depth: 0")


def test_the_example_has_the_workflow_of_the_documentation() -> None:
    first, second = (path.read_text(encoding="utf-8").splitlines() for path in (CPU, EXAMPLE))
    assert [line for line in first if line not in second] == ["name: benchsuite gate (counts)"]


def test_the_action_gates_counts_and_hands_on_what_it_found(tmp_path: Path) -> None:
    folder = copy_of_example(tmp_path / "package")
    step = gate_step(ACTION)
    inputs = read(ACTION)["inputs"]
    given = {"python": sys.executable, "baseline": "baselines/exact.json", "pythonpath": "."}
    variables = {}
    for variable, expression in step["env"].items():
        word = expression.removeprefix("${{ inputs.").removesuffix(" }}")
        variables[variable] = given.get(word, inputs[word].get("default", ""))
    variables |= {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    done = shell(folder, step["run"], **variables)
    assert done.returncode == 0, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert outputs.keys() == read(ACTION)["outputs"].keys()
    assert outputs.pop("exit-code") == "0"
    assert all((folder / path).is_file() for path in outputs.values())
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("## ✅ benchsuite gate: mine")

    again = shell(folder, step["run"], **variables)  # the folder is there
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_the_workflow_for_any_runner_fails_on_planted_macs_and_shows_them(tmp_path: Path) -> None:
    folder = copy_of_example(tmp_path / "package", MORE_MACS)
    done = shell(folder, gate_step(CPU)["run"], GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    assert done.returncode == 1, done.stderr
    assert "macs 3,211,264 → 6,422,528" in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (folder / "gate.xml").is_file()


def test_the_job_of_gitlab_gates_counts(tmp_path: Path) -> None:
    folder = copy_of_example(tmp_path / "package")
    job = read(GITLAB)["counts"]
    done = shell(folder, "\n".join(job["script"]))
    assert done.returncode == 0, done.stderr
    assert (folder / job["artifacts"]["reports"]["junit"]).is_file()
