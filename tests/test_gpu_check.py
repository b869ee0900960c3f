"""`make gpu-check`: what it runs with and without a GPU, and that a failure neither stops nor escapes it."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from benchsuite.scenario import find


@pytest.fixture(scope="module")
def gpu_check(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", repository / "benchmarks" / "gpu_check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module
    spec.loader.exec_module(module)
    return module


class Commands:
    """Runs nothing: a command ends as the script says of the word it contains, else with 0."""

    def __init__(self, **codes: int | None) -> None:
        self.codes = codes
        self.ran: list[str] = []
        self.limits: list[float] = []

    def __call__(self, command: Sequence[str], log: Path, limit_s: float) -> int | None:
        words = " ".join(command)
        self.ran.append(words)
        self.limits.append(limit_s)
        log.write_text("first\nlast line of it\n")
        return next((code for word, code in self.codes.items() if word in words), 0)


def test_with_a_gpu_everything_is_run_and_nothing_is_installed(
    gpu_check: ModuleType, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = Commands()
    todo = gpu_check.steps(repository, tmp_path, cuda=True, pytest=True)
    assert gpu_check.check(todo, tmp_path, commands)
    assert len(commands.ran) == 5
    assert "-m pytest" in commands.ran[0]
    assert "tests/measure/test_device.py" in commands.ran[0]
    assert "tests/test_units.py" not in commands.ran[0]
    assert "selftest --device auto" in commands.ran[1]
    assert not [words for words in commands.ran if "pip" in words]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * 5
    assert all(line.endswith("last line of it") for line in lines)


def test_its_scenarios_are_there_and_have_the_profile(gpu_check: ModuleType) -> None:
    for name in gpu_check.SCENARIOS:
        assert "\n  quick:\n" in find.read(find.resolve(name))


def test_without_a_gpu_it_says_what_it_leaves_out_and_runs_the_rest(
    gpu_check: ModuleType, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = Commands()
    todo = gpu_check.steps(repository, tmp_path, cuda=False, pytest=True)
    assert gpu_check.check(todo, tmp_path, commands)
    assert len(commands.ran) == 4
    assert capsys.readouterr().out.splitlines()[0].startswith("skip  gpu tests")


def test_with_a_gpu_tests_that_cannot_run_are_a_failure(
    gpu_check: ModuleType, repository: Path, tmp_path: Path
) -> None:
    for root, pytest_there in ((repository, False), (tmp_path, True)):
        todo = gpu_check.steps(root, tmp_path, cuda=True, pytest=pytest_there)
        assert not gpu_check.check(todo, tmp_path, Commands())


@pytest.mark.parametrize("code", [1, 3, None])
def test_a_step_that_fails_or_takes_too_long_stops_no_other_and_shows_its_log(
    gpu_check: ModuleType,
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    code: int | None,
) -> None:
    commands = Commands(litv2_table4=code)
    todo = gpu_check.steps(repository, tmp_path, cuda=True, pytest=True)
    assert not gpu_check.check(todo, tmp_path, commands)
    assert len(commands.ran) == 5
    out = capsys.readouterr().out
    assert ("took longer than" if code is None else f"exit code {code}") in out
    assert "      first" in out
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")].count("FAIL") == 1


def test_all_steps_share_one_budget(gpu_check: ModuleType, repository: Path, tmp_path: Path) -> None:
    """A clock that advances by 100 s whenever it is looked at."""
    commands = Commands()
    clock = itertools.count(0.0, 100.0)
    todo = gpu_check.steps(repository, tmp_path, cuda=True, pytest=True)
    assert not gpu_check.check(todo, tmp_path, commands, now=lambda: next(clock))
    assert len(commands.ran) < len(todo)
    assert commands.limits[-1] <= gpu_check.BUDGET_S - 400


def test_a_command_that_hangs_is_ended_and_one_that_ends_tells_its_code(
    gpu_check: ModuleType, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    hangs = [sys.executable, "-c", "import signal; signal.pause()"]
    assert gpu_check.run_step(hangs, log, 0.5) is None
    ends = [sys.executable, "-c", "print('said'); raise SystemExit(7)"]
    assert gpu_check.run_step(ends, log, 60.0) == 7
    assert log.read_text() == "said\n"


def test_make_takes_the_python_that_is_named_and_installs_nothing(repository: Path) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "gpu-check", "PYTHON=/opt/brought/python"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["/opt/brought/python", "benchmarks/gpu_check.py"]
