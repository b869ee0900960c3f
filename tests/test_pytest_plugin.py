"""The plugin in other people's test runs: it costs nothing unless asked, and says what is wrong if it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks._called import called
from benchsuite.gate.baseline import Baseline, write
from benchsuite_pytest.counts import counted

pytest_plugins = ("pytester",)

WATCH = """
import sys

def test_nothing_was_imported_for_it():
    assert "benchsuite_pytest" in sys.modules
    assert not {"torch", "benchsuite", "numpy", "yaml"} & sys.modules.keys()
"""


@pytest.fixture(autouse=True)
def _unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What coverage imports in a process is not what is asked for here."""
    for key in [key for key in os.environ if key.startswith("COV")]:
        monkeypatch.delenv(key)


def test_a_run_that_does_not_ask_for_it_imports_neither_torch_nor_benchsuite(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_watch=WATCH)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("run", "is a baseline of a run, and a test run is one process"), ("none", "cannot be read")],
)
def test_a_file_that_is_no_baseline_of_counts_is_refused(
    pytester: pytest.Pytester, kind: str, said: str
) -> None:
    if kind == "run":
        write(Baseline(kind="run", name="tiny", cells=()), pytester.path / "b.json")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("--benchsuite-gate", "b.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = str(result.stdout) + str(result.stderr)
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
TWICE = OWN.replace("return self.p(x)", "return self.p(self.p(x))", 1)
GATED = ("--benchsuite-gate", "b.json", "--benchsuite-pythonpath", ".")


def scenario(mixers: str) -> str:
    return (
        f"name: mine\ntitle: Mine\nsweep: {{mixer: [{mixers}], resolution: 32, dim: 8}}\n"
        "measure: {metrics: [cost, latency], threads: 1, rounds: 1, max_s: 0.01, warmup_s: 0, "
        "ceilings: false, check: false}\n"
    )


def test_the_mixer_of_bench_cell_is_looked_for_where_the_option_says(pytester: pytest.Pytester) -> None:
    (pytester.mkdir("src") / "plugin_far.py").write_text(OWN)
    pytester.makepyfile(
        "def test_it(bench_cell):\n"
        "    assert bench_cell('plugin_far:Once', dim=8, resolution=32).macs == 4 * 8 * 8\n"
    )
    words = ("-p", "no:xdist", "--benchsuite-pythonpath", "src")
    pytester.runpytest_subprocess(*words).assert_outcomes(passed=1)


@pytest.fixture
def counted_once(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with a baseline of its two mixers."""
    pytester.makepyfile(plugin_own=OWN)
    (pytester.path / "mine.yaml").write_text(scenario("'plugin_own:Once', 'plugin_own:Never'"))
    made = called("baseline", "exact", "mine.yaml", "--pythonpath", ".", "--out", "b.json")
    assert made.code == 0, made.err
    return pytester


@pytest.mark.slow
def test_a_cell_that_is_no_longer_counted_fails_and_one_that_never_was_is_skipped_with_the_reason(
    counted_once: pytest.Pytester,
) -> None:
    broken = "refuse_to_be_counted(x, 'nor here'); return self.p(x)"
    counted_once.makepyfile(plugin_own=OWN.replace("return self.p(x)", broken, 1))
    result = counted_once.runpytest_subprocess("-rs", *GATED)
    result.assert_outcomes(failed=1, passed=1, skipped=1)
    said = str(result.stdout)
    assert 'Once: not counted: on "meta" RuntimeError: nor here' in said
    assert "if that is meant: benchsuite baseline accept" in said
    assert "b.json --cells --pythonpath ." in said
    (skipped,) = (line for line in said.splitlines() if line.startswith("SKIPPED"))
    assert 'on both sides: on "meta" RuntimeError: only as it is' in skipped


@pytest.mark.slow
def test_an_update_takes_over_numbers_and_cells_that_are_new(counted_once: pytest.Pytester) -> None:
    text = scenario("'plugin_own:Once', 'plugin_own:Never', 'plugin_own:New'")
    (counted_once.path / "mine.yaml").write_text(text)
    counted_once.makepyfile(plugin_own=f"{TWICE}\nclass New(Once): pass\n")
    result = counted_once.runpytest_subprocess("-rs", *GATED)
    result.assert_outcomes(failed=1, skipped=2)
    result.stdout.fnmatch_lines(["*Once: macs 256 → 512 (+100 %)*", "*new, and not in the baseline: New*"])
    update = counted_once.runpytest_subprocess("--benchsuite-update", *GATED)
    update.assert_outcomes(passed=1)
    update.stdout.fnmatch_lines(["benchsuite: written anew: b.json: 1 changed, 1 new"])
    counted_once.runpytest_subprocess(*GATED).assert_outcomes(passed=3, skipped=1)


@pytest.mark.slow
@pytest.mark.timeout(900)  # four test runs, with a run of the scenario in each but the first
def test_a_test_of_times_takes_a_baseline_of_the_machine_which_an_update_writes(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        plugin_own=OWN, test_speed="def test_speed(benchsuite_gate): benchsuite_gate('mine.yaml', runs=1)"
    )
    (pytester.path / "mine.yaml").write_text(scenario("'plugin_own:Once'"))
    words = ("-rs", "--benchsuite-pythonpath", ".")
    result = pytester.runpytest_subprocess(*words)
    result.assert_outcomes(skipped=1)
    assert "is not there: pytest --benchsuite-update writes the baseline of this machine" in str(
        result.stdout
    )
    pytester.runpytest_subprocess(*words, "--benchsuite-update").assert_outcomes(skipped=1)
    assert len(list(Path("baselines").glob("mine-*.json"))) == 1
    pytester.runpytest_subprocess(*words).assert_outcomes(passed=1)  # one process says nothing of times
    pytester.makepyfile(plugin_own=TWICE)
    result = pytester.runpytest_subprocess(*words)
    result.assert_outcomes(failed=1)
    assert "larger  Once: macs 256 → 512 (+100 %)" in str(result.stdout)
