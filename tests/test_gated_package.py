"""The example package: installed, gated by its own tests, and with something planted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gated_package import EXAMPLE, MORE_MACS, SLOWER, copy_of_example, plant
from tests.git import commit


def call(folder: Path, *words: str, pythonpath: str = "") -> tuple[int, str]:
    """Exit code and output of a Python module, in a folder."""
    environment = {**os.environ, "PYTHONPATH": pythonpath, "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_installed_as_it_is_the_package_passes_its_own_tests_and_its_gate(tmp_path: Path) -> None:
    source, site = copy_of_example(tmp_path / "source"), tmp_path / "site"
    pip = ("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    code, said = call(tmp_path, *pip, "--target", str(site), str(source))
    assert code == 0, said
    shutil.rmtree(source / "gated_mixers")  # what is installed is tested
    code, said = call(source, "pytest", "-q", pythonpath=str(site))
    assert code == 0, said
    assert "5 passed" in said  # two of its own, two cells, and that no cell is new


@pytest.mark.slow
def test_planted_macs_fail_its_tests_by_name_and_without_any_timing(tmp_path: Path) -> None:
    folder = copy_of_example(tmp_path / "planted", MORE_MACS)
    code, said = call(folder, "pytest", "-q", "-k", "not constant", pythonpath=str(folder))
    assert code == 1, said
    # 196 tokens, 128 channels: another 128² multiply–adds for each, and another 128² + 128 parameters
    assert "macs 3,211,264 → 6,422,528 (+100 %)" in said
    assert "params 16,512 → 33,024 (+100 %)" in said
    assert "Diffusion:macs Diffusion:params --pythonpath ." in said  # how to accept both
    assert "2 failed, 2 passed" in said  # its cell and its closed form; attention beside it is as it was


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not os.environ.get("BENCHSUITE_TIMED_TESTS"),
    reason="takes minutes of an idle machine: BENCHSUITE_TIMED_TESTS=1 asks for it",
)
def test_a_planted_slowdown_of_15_per_cent_is_caught_between_two_commits(tmp_path: Path) -> None:
    folder = copy_of_example(tmp_path / "package")
    (folder / ".gitignore").write_text("__pycache__/\nunchanged/\nslower/\n", encoding="utf-8")
    commit(folder, "as it is")
    (folder / "note.txt").write_text("nothing of the mixer changed\n", encoding="utf-8")
    commit(folder, "no change of code")
    plant(folder, SLOWER)
    commit(folder, "slower")
    words = ("benchsuite", "gate", "scenarios/mine.yaml", "--pythonpath", ".", "--set", "gate.exact=ignore")
    code, said = call(folder, *words, "--base", "HEAD~2", "--candidate", "HEAD~1", "--out", "unchanged")
    assert code == 0, said
    code, said = call(folder, *words, "--base", "HEAD~1", "--candidate", "HEAD", "--out", "slower")
    assert code == 1, said
    assert "slower" in said


def test_the_example_holds_its_workflow_and_nothing_that_a_run_left() -> None:
    assert (EXAMPLE / "ci" / "gate.yml").is_file()
    assert not list(EXAMPLE.glob("runs*"))
