"""What `--setup` installs for one side, and a package that is built for each."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks._called import called
from benchsuite.gate.checkout import installed
from benchsuite.gate.interleave import SIDES, SideName
from benchsuite.gate.processes import GateSide
from benchsuite.gate.result import read
from tests.conftest import REPOSITORY
from tests.git import commit

EXAMPLE = REPOSITORY / "examples" / "built_package"


def sides_in(folder: Path) -> dict[SideName, GateSide]:
    found: dict[SideName, GateSide] = {}
    for name in SIDES:
        (folder / name).mkdir()
        found[name] = GateSide(name=name, words=name, folder=folder / name, python=sys.executable)
    return found


def test_each_side_is_set_up_in_an_environment_of_its_own_with_the_packages_of_its_interpreter(
    tmp_path: Path,
) -> None:
    command = 'python -c "import sys, numpy; print(sys.prefix)" > prefix && pip --version > pip'
    with installed(sides_in(tmp_path), command, tmp_path / "logs") as sides:
        for side in sides.values():
            assert side.env is not None
            assert (side.folder / "prefix").read_text().strip() == str(side.env)
            assert (side.folder / "pip").read_text().startswith("pip ")
            assert side.python == str(side.env / "bin" / "python")
            assert side.holds(str(side.env / "lib" / "mine.py"))
        homes = [side.env for side in sides.values()]
        assert len({len(str(home)) for home in homes}) == 1
    assert homes[0] != homes[1]
    assert not any(home.exists() for home in homes if home is not None)


def test_without_a_command_the_sides_are_as_they_were(tmp_path: Path) -> None:
    given = sides_in(tmp_path)
    with installed(given, None, tmp_path / "logs") as sides:
        assert sides is given


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="a package that is built takes a C++ compiler: c++")
def test_a_package_is_built_anew_for_each_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "package"
    shutil.copytree(
        EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", "build", "*.so", "*.egg-info")
    )
    commit(folder, "it works")
    source = folder / "src" / "built_mixers" / "_running_mean.cpp"
    text = source.read_text(encoding="utf-8")
    planted = 'PyErr_SetString(PyExc_RuntimeError, "planted");\n  return nullptr;'
    assert text.count("Py_RETURN_NONE;") == 1
    source.write_text(text.replace("Py_RETURN_NONE;", planted), encoding="utf-8")
    commit(folder, "it raises, in C++")
    monkeypatch.chdir(folder)
    done = called(
        "gate", "scenarios/built.yaml", "--base", "HEAD~1", "--pythonpath", "src", "--out", "g",
        "--setup", "pip install --quiet --no-index --no-build-isolation --no-deps --editable .",
        "--set", "gate.screen=1", "--set", "gate.max_s=0.01", "--set", "gate.warmup_s=0",
    )  # fmt: skip
    assert done.code == 1, done.out + done.err
    (cell,) = read(Path("g")).cells
    assert (cell.verdict, cell.base) == ("broken", "ok")
    assert "planted" in cell.reason
