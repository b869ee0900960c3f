from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.errors import ScenarioError
from benchsuite.scenario.find import MAX_BYTES
from benchsuite.scenario.load import load

from .documents import HEAD, KNOWN

GOOD = HEAD + "sweep: {mixer: [msa, hilo], batch: 8}\nprofiles: {one: {sweep: {batch: 1}}}\n"


def test_a_file_is_read_with_profiles_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())  # as a Windows editor leaves it
    assert load(path, KNOWN).sweep.batch == (8,)
    scenario = load(path, KNOWN, profiles=["one"], overrides=["sweep.dim=768"])
    assert (scenario.sweep.batch, scenario.sweep.dim) == ((1,), (768,))


def test_all_mistakes_are_raised_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + "measure: {max_s: fast}\nsweep: {mixer: hillo, batch: 0}\n")
    with pytest.raises(ScenarioError) as error:
        load(path, KNOWN)
    assert [(problem.line, problem.path) for problem in error.value.problems] == [
        (3, "measure.max_s"),
        (4, "sweep.mixer"),
        (4, "sweep.batch"),
    ]
    assert str(error.value).startswith(f"{path}:3:18  measure.max_s\n  max_s must be a positive number")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"name: \xff\n", "not UTF-8 text: byte 6 does not decode"),
        (b"#" * (MAX_BYTES + 1), "the file is larger than 1 MB"),
        ("é".encode() * MAX_BYTES, "the file is larger than 1 MB"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError) as error:
        load(path, KNOWN)
    assert str(error.value) == f"{path}\n  {expected}"


def test_checking_and_expanding_imports_neither_torch_nor_pandas_nor_matplotlib(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(GOOD)
    code = f"""
import sys
from pathlib import Path
from benchsuite.scenario import check, expand, find, load, schema
scenario = load.load(Path({str(path)!r}), {KNOWN!r})
assert len(expand.expand(scenario, device="cpu")) == 2
schema.json_schema({KNOWN!r})
print([name for name in ("torch", "fvcore", "pandas", "numpy", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_finding_and_filtering_need_neither_yaml_nor_pydantic() -> None:
    code = """
import sys
from benchsuite.scenario import expand, find, select, tree
find.shipped()
print([name for name in ("pydantic", "yaml") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
