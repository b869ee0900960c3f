"""The action and the example workflows: their YAML, their documentation, and their shell, which is run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from benchsuite.cli import app
from tests.conftest import REPOSITORY
from tests.gated_package import MORE_MACS, copy_of_example
from tests.report.runs import on, written
from tests.report.synthetic import make_record

ACTION = REPOSITORY / "action.yml"
CPU = REPOSITORY / "docs" / "ci" / "github-cpu.yml"
GPU = REPOSITORY / "docs" / "ci" / "github-gpu.yml"
GITLAB = REPOSITORY / "docs" / "ci" / "gitlab.yml"
PAGES = REPOSITORY / "docs" / "ci" / "publish-pages.yml"
EXAMPLE = REPOSITORY / "examples" / "gated_package" / "ci" / "gate.yml"
WORKFLOWS = (CPU, GPU, EXAMPLE)
NOT_RUN = {"gitlab.yml: times": "fetches from a remote, and takes a GPU"}
"""Shell that no test can run, and why: it is only parsed."""


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of a workflow or an action; of GitLab's jobs, each as a step."""
    data = read(path)
    if "runs" in data:
        return list(data["runs"]["steps"])
    if "jobs" in data:
        return [step for job in data["jobs"].values() for step in job["steps"]]
    jobs = {name: job for name, job in data.items() if isinstance(job, dict) and "script" in job}
    return [{"name": n, "run": "\n".join((*j["before_script"], *j["script"]))} for n, j in jobs.items()]


def blocks() -> Iterator[tuple[str, str]]:
    """Every piece of shell, with a name."""
    for path in (ACTION, GITLAB, PAGES, *WORKFLOWS):
        for step in steps(path):
            if "run" in step:
                yield f"{path.name}: {step['name']}", step["run"]


def shell(
    folder: Path, text: str, environment: Mapping[str, str], **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", text],
        cwd=folder, env={**environment, **more}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def fresh(tmp_path: Path) -> dict[str, str]:
    """The variables of a job whose `python3` has all that benchsuite needs, and not benchsuite itself."""
    python = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(python)], check=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    variables = kept | {
        "PATH": f"{python / 'bin'}:{os.environ['PATH']}",
        # A folder of PYTHONPATH shows its packages, but not what is installed there for development.
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # as pip has it: no isolation
        "BENCHSUITE": str(REPOSITORY),
        "GITHUB_ACTION_PATH": str(REPOSITORY),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "RUNNER_TEMP": str(tmp_path),
    }
    assert (
        "No module named 'benchsuite.cli'"
        in shell(tmp_path, "python3 -c 'import benchsuite.cli'", variables).stderr
    )
    return variables


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


def test_the_action_offers_every_option_of_the_command() -> None:
    command = typer.main.get_command(app).commands["gate"]  # type: ignore[attr-defined]
    options = {word[2:] for one in command.params for word in one.opts if word.startswith("--")}
    always = {"junit", "html", "markdown", "comment", "github-benchmark", "csv"}
    left_out = {"bencher", "simulate", "trials", "dry-run", "help"}  # `gate-report` makes the first
    own = {"scenario", "summary", "install", "cache", "python"}
    assert options - always - left_out == read(ACTION)["inputs"].keys() - own
    text = gate_step(ACTION)["run"]
    assert [word for word in options - left_out if f"--{word} " not in text] == []


def test_the_action_hands_every_input_on(tmp_path: Path) -> None:
    own = ("scenario", "summary", "install", "cache", "python", "out")
    options = [word for word in read(ACTION)["inputs"] if word not in own]
    flags, several = {"submodules", "allow-dirty", "strict"}, {"profile", "set", "pythonpath", "accept"}
    given = {word: "true" if word in flags else f"the {word}" for word in options}
    given |= {word: f"one {word}\nanother; $(false)\n" for word in several}
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" > words\n", encoding="utf-8")
    python.chmod(0o755)
    folder = tmp_path / "repository"
    folder.mkdir()
    known = {f"inputs.{word}": value for word, value in given.items()}
    known |= {"inputs.python": str(python), "inputs.scenario": "a b.yaml\nc.yaml", "inputs.out": "g"}
    done = run_step(gate_step(ACTION), folder, os.environ, known)
    assert done is not None
    assert done.returncode == 0, done.stderr
    words = (folder / "words").read_text(encoding="utf-8").splitlines()
    assert words[:5] == ["-m", "benchsuite", "gate", "a b.yaml", "c.yaml"]
    for option in options:
        places = [place for place, word in enumerate(words) if word == f"--{option}"]
        values = [words[place + 1] for place in places]
        assert option in flags or values == given[option].splitlines()
        assert len(places) == (2 if option in several else 1)


def gate_step(path: Path) -> dict[str, Any]:
    (step,) = (step for step in steps(path) if step.get("name") == "Gate")
    return step


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


def package(folder: Path) -> None:
    copy_of_example(folder)


def reports(folder: Path) -> None:
    """A repository with two runs."""
    for day in (1, 2):
        written(on([make_record(latency=None)], day=day), folder / "reports" / f"run{day}")
    (folder / "reports" / "README.md").write_text("# Reports\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "repository", "leaves", "summary"),
    [
        (CPU, package, "gate.xml", "## ✅ benchsuite gate: mine"),
        (EXAMPLE, package, "gate.xml", "## ✅ benchsuite gate: mine"),
        (GITLAB, package, "gate.xml", ""),
        (PAGES, reports, "site/runs/run2/report.html", "from 2 runs on 1 machine"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else None,
)
def test_a_recipe_works_when_copied(
    tmp_path: Path,
    fresh: dict[str, str],
    recipe: Path,
    repository: Callable[[Path], None],
    leaves: str,
    summary: str,
) -> None:
    data = read(recipe)
    assert (data.get("env") or data["variables"])["BENCHSUITE"].startswith("git+https://")
    folder = tmp_path / "repository"
    repository(folder)
    for step in steps(recipe):
        if "run" in step and f"{recipe.name}: {step['name']}" not in NOT_RUN:
            done = shell(folder, step["run"], fresh)
            assert done.returncode == 0, f"{step['name']}: {done.stdout}{done.stderr}"
    assert (folder / leaves).is_file()
    assert not summary or summary in (tmp_path / "summary").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_action_installs_itself_gates_counts_and_hands_on_what_it_found(
    tmp_path: Path, fresh: dict[str, str]
) -> None:
    folder = tmp_path / "package"
    package(folder)
    defaults = {word: one.get("default", "") for word, one in read(ACTION)["inputs"].items()}
    known = {f"inputs.{word}": value for word, value in defaults.items()}
    known |= {"inputs.baseline": "baselines/exact.json", "inputs.pythonpath": "."}
    done = [one for step in steps(ACTION) if (one := run_step(step, folder, fresh, known)) is not None]
    assert [one.returncode for one in done] == [0, 0, 0], done[-1].stderr
    outputs = {key: known[f"steps.gate.outputs.{key}"] for key in read(ACTION)["outputs"]}
    assert outputs.pop("exit-code") == "0"
    assert all((folder / path).is_file() for path in outputs.values())
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("## ✅ benchsuite gate: mine")
    assert (tmp_path / "benchsuite-environment" / "bin" / "benchsuite").is_file()

    again = run_step(gate_step(ACTION), folder, fresh, known)
    assert again is not None
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def run_step(
    step: dict[str, Any], folder: Path, environment: Mapping[str, str], known: dict[str, str]
) -> subprocess.CompletedProcess[str] | None:
    """Run a step of the action with its variables, and learn its outputs; None if it is another action."""
    if "run" not in step:
        return None
    output = folder.parent / f"output-{step['name']}"
    variables = {"GITHUB_OUTPUT": str(output)}
    for name, expression in step.get("env", {}).items():
        words = expression.removeprefix("${{ ").removesuffix(" }}").split(" || ")
        variables[name] = next((known[word] for word in words if known.get(word)), "")
    done = shell(folder, step["run"], environment, **variables)
    for line in output.read_text(encoding="utf-8").splitlines() if output.is_file() else ():
        key, _, value = line.partition("=")
        known[f"steps.{step['id']}.outputs.{key}"] = value
    return done


def test_what_is_not_run_is_there() -> None:
    assert NOT_RUN.keys() <= {name for name, _ in blocks()}


@pytest.mark.slow
def test_the_workflow_for_any_runner_fails_on_planted_macs_and_shows_them(tmp_path: Path) -> None:
    folder = copy_of_example(tmp_path / "package", MORE_MACS)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (tools / "python3").chmod(0o755)
    variables = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = shell(folder, gate_step(CPU)["run"], variables, GITHUB_STEP_SUMMARY=str(tmp_path / "summary"))
    assert done.returncode == 1, done.stderr
    assert "macs 3,211,264 → 6,422,528" in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (folder / "gate.xml").is_file()
