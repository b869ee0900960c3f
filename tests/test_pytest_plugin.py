"""The plugin in other people's test runs: it costs nothing unless asked, and says what is wrong if it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._called import called
from benchsuite.gate.baseline import Baseline, write
from benchsuite_pytest.gate import counted

WATCH = """
import sys

def test_nothing_was_imported_for_it():
    assert "benchsuite_pytest" in sys.modules
    assert not {"torch", "benchsuite", "numpy", "yaml"} & sys.modules.keys()
"""


def run_pytest(folder: Path, *words: str) -> tuple[int, str]:
    # Without COVERAGE_PROCESS_START and the like: what coverage imports is not what is asked for here.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_run_that_does_not_ask_for_it_imports_neither_torch_nor_benchsuite(tmp_path: Path) -> None:
    (tmp_path / "test_watch.py").write_text(WATCH, encoding="utf-8")
    code, said = run_pytest(tmp_path)
    assert code == 0, said


@pytest.mark.parametrize(
    ("kind", "said"),
    [("run", "is a baseline of a run, and a test run is one process"), ("none", "cannot be read")],
)
def test_a_file_that_is_no_baseline_of_counts_is_refused(tmp_path: Path, kind: str, said: str) -> None:
    if kind == "run":
        write(Baseline(kind="run", name="tiny", cells=()), tmp_path / "b.json")
    (tmp_path / "test_watch.py").write_text("def test_it(): pass\n", encoding="utf-8")
    code, text = run_pytest(tmp_path, "--benchsuite-gate", "b.json")
    assert code == int(pytest.ExitCode.USAGE_ERROR), text
    assert said in text
    assert "Traceback" not in text


def test_one_mixer_is_counted_with_its_own_options() -> None:
    cost = counted("window", {"dim": 32, "num_heads": 2, "resolution": (64, 128), "window_size": 2})
    # 4 × 8 tokens, 4C² each for qkv and projection, and 2 · 4 keys · C
    assert cost.macs == 32 * (4 * 32 * 32 + 2 * 4 * 32)


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("window", {"dim": 32, "num_heads": 2, "window_sise": 2}),
        ("window", {"dim": 33, "num_heads": 2}),
        ("no.such:A", {"dim": 8}),
    ],
)
def test_a_mixer_that_cannot_be_built_fails_the_test_that_asks(
    target: str, arguments: dict[str, int]
) -> None:
    with pytest.raises(pytest.fail.Exception):
        counted(target, arguments)


OWN = """
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode
def refuse_to_be_counted(x, why):
    if x.is_meta or torch.jit.is_tracing() or _get_current_dispatch_mode() is not None:
        raise RuntimeError(why)
class Once(nn.Module):
    def __init__(self, dim): super().__init__(); self.p = nn.Linear(dim, dim)
    def forward(self, x, size): return self.p(x)
class Never(Once):
    def forward(self, x, size):
        refuse_to_be_counted(x, "only as it is")
        return self.p(x)
"""


@pytest.mark.slow
def test_a_cell_that_is_no_longer_counted_fails_and_one_that_never_was_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugin_own.py").write_text(OWN)
    (tmp_path / "mine.yaml").write_text(
        "name: mine\ntitle: Mine\n"
        "sweep: {mixer: ['plugin_own:Once', 'plugin_own:Never'], resolution: 32, dim: 8}\n"
    )
    made = called("baseline", "exact", "mine.yaml", "--pythonpath", ".", "--out", "b.json")
    assert made.code == 0, made.err
    broken = "refuse_to_be_counted(x, 'nor here'); return self.p(x)"
    (tmp_path / "plugin_own.py").write_text(OWN.replace("return self.p(x)", broken, 1))
    code, said = run_pytest(tmp_path, "-rs", "--benchsuite-gate", "b.json", "--benchsuite-pythonpath", ".")
    assert code == 1, said
    assert "1 failed, 1 passed, 1 skipped" in said
    assert 'not counted: on "meta" RuntimeError: nor here' in said
    assert "if that is meant: benchsuite baseline accept" in said
    assert "b.json --cells --pythonpath ." in said
    (skipped,) = (line for line in said.splitlines() if line.startswith("SKIPPED"))
    assert 'on both sides: on "meta" RuntimeError: only as it is' in skipped
