"""What each part of benchsuite leaves unimported: a command that needs no torch starts in half a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.runs import on, written
from tests.report.synthetic import make_record

FORKS = """
import json, os, sys
folder, codes = sys.argv[1], json.loads(sys.argv[2])
for number, code in enumerate(codes):
    if not os.fork():
        try:
            exec(code, {})
        except SystemExit as end:
            assert not end.code, end.code
        with open(f"{folder}/{number}.json", "w") as file:
            json.dump(sorted(sys.modules), file)
        os._exit(0)
    os.wait()
"""
"""One interpreter for all: each piece of code begins where nothing is imported."""

SCENARIO = "{name: s, title: S, sweep: {mixer: hilo, resolution: 32, stride: 16, dim: 16, num_heads: 4}}"
HEAVY = "torch fvcore pandas matplotlib"


def command(*words: str) -> str:
    return f"import sys; from benchsuite.cli import main; sys.argv = {['benchsuite', *words]}; main()"


CASES = {
    "import benchsuite": HEAVY,
    "from benchsuite import compare, load, run": "torch",
    "import benchsuite.mixers; list(benchsuite.mixers.MIXERS)": "torch",
    "from benchsuite.zoo.catalogue import known_parameters; dict(known_parameters())": "torch",
    "import benchsuite.zoo.count  # it starts processes": "torch",
    "import benchsuite.results.frame, benchsuite.report.page": "torch",
    "from benchsuite.scenario import expand, filters, load; load.shipped()": "pydantic yaml",
    "from pathlib import Path\n"
    "from benchsuite.scenario import expand, load, schema, validate\n"
    "scenario = load.load(Path('s.yaml'), {'hilo': ()})\n"
    "assert len(expand.expand(scenario, device='cpu')) == 1\n"
    "schema.json_schema({'hilo': ()})": f"{HEAVY} numpy",
    command("--help"): HEAVY,
    command("--version"): HEAVY,
    command("check", "s.yaml"): HEAVY,
    command("list", "mixers"): HEAVY,
    command("report", "run", "--out", "x.html"): "torch",
    command("export", "run"): "torch",
}
"""Code → modules that it must not have imported."""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_nothing_is_imported_that_is_not_needed(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    written(on([make_record()]), tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path), json.dumps(list(CASES))],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for number, (code, unwanted) in enumerate(CASES.items()):
        file = tmp_path / f"{number}.json"
        assert file.is_file(), f"{code}\n{done.stderr}"
        assert set(unwanted.split()) & set(json.loads(file.read_text())) == set(), code
