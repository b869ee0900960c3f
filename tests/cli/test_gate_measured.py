"""`benchsuite gate` and `benchsuite noise` as a user meets them; their processes pretend to measure."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import SideFailed
from benchsuite.gate import measure, request
from benchsuite.gate.processes import GateSide, interpreter, probe, run_process, set_up
from benchsuite.gate.result import read
from benchsuite.results.record import Cost
from benchsuite.results.store import Run
from benchsuite.scenario.expand import expand
from benchsuite.scenario.model import Scenario
from benchsuite_pytest.times import ScenarioGate
from tests.builders import make_record
from tests.commands import Cli
from tests.git import commit

SCENARIO = """
name: own
title: One's own
sweep: {mixer: ["mine:A", "mine:B"], resolution: 64, dim: 16, num_heads: 2}
"""
MACHINE = {"device": "cpu", "torch": "2.0", "cpu": {"model": "A", "threads": 1, "usable_cores": 2}}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits of a module `mine`, where the command runs."""
    root = tmp_path / "own"
    root.mkdir()
    for text in ("# before\n", "# after\n"):
        (root / "mine.py").write_text(text)
        (root / "own.yaml").write_text(SCENARIO)
        commit(root, "x")
    monkeypatch.chdir(root)
    return root


class Pretended:
    """Stands in for processes: candidates take `ratio` times 10 ms, and have so many MACs.

    Attributes:
        seconds: label → how many times as much the candidate takes.
        macs: label → MACs of the candidate; of the base always 1000.
        broken: labels that crash on the candidate.
        timed: how the candidate is timed, where that is not as the base: fields of `Timing`.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.macs: dict[str, int] = {}
        self.broken: set[str] = set()
        self.timed: dict[str, Any] = {}
        self.folders: list[str] = []
        self.environments: dict[str, Mapping[str, Any]] = {}

    def __call__(self, side: GateSide, document: Mapping[str, Any], folder: Path) -> Run:
        self.folders.append(folder.name)
        new = side.name == "candidate"
        jitter = 1 + 0.001 * (len(self.folders) % 3)
        records = []
        for cell in expand(Scenario.from_dict(document), device="cpu"):
            if new and cell.name in self.broken:
                records.append(make_record(cell, status="crash"))
                continue
            seconds = 0.010 * jitter * (self.seconds.get(cell.name, 1.0) if new else 1.0)
            macs = self.macs.get(cell.name, 1000) if new else 1000
            record = make_record(cell, (seconds,), cost=Cost(params=1, macs=macs, counter="test"))
            assert record.timing is not None
            records.append(replace(record, timing=replace(record.timing, **(self.timed if new else {}))))
        machine = dict(self.environments.get(side.name, MACHINE))
        return Run(path=folder, scenario={}, environment=machine, records=tuple(records))


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    found = Pretended()
    monkeypatch.setattr(measure, "run_process", found)
    monkeypatch.setattr(request, "_machine", lambda scenario: ("cpu", MACHINE))
    return found


def test_an_unchanged_package_passes_and_the_result_stays(cli: Cli, own: Path, pretended: Pretended) -> None:
    code, out, err = cli("gate", "own.yaml", "--base", "HEAD~1", "--candidate", "main", "--out", "g")
    assert (code, len(pretended.folders)) == (0, 6)
    assert "no regression: 2 not flagged of 2 cells" in out
    assert out.splitlines()[2] == "machine    A, torch 2.0"
    assert "again      benchsuite gate own.yaml --base 'HEAD~1' --candidate main\n" in out
    assert "measuring 2 cells in 3 pairs of processes, about " in err
    assert "the screen flags no cell" in err
    result = read(own / "g")
    assert [cell.verdict for cell in result.cells] == ["not flagged", "not flagged"]
    assert (result.rule is not None, result.differences, result.notes) == (True, (), ())


def test_a_dry_run_lists_the_cells_and_the_time_of_both_stages_and_measures_nothing(
    cli: Cli, own: Path, pretended: Pretended
) -> None:
    words = ("gate", "own.yaml", "--base", "HEAD~1", "--out", "g", "--dry-run")
    code, out, _ = cli(*words)
    assert (code, pretended.folders, (own / "g").exists()) == (0, [], False)
    *cells, screen, fresh = out.splitlines()
    assert [line.split()[0] for line in cells] == ["A", "B"]
    assert screen.startswith("2 cells in 3 pairs of processes: about ")
    assert fresh.startswith("cells that seem slower get 9 fresh pairs: about ")
    only = cli(*words, "--set", "gate.screen=0")[1].splitlines()[-1]
    assert only.startswith("2 cells in 9 pairs of processes: about ")
    assert cli("gate", "--baseline", "b.json", "--dry-run")[0] == 2


def test_a_slower_mixer_fails_and_is_named(cli: Cli, own: Path, pretended: Pretended) -> None:
    pretended.seconds["B"] = 1.15
    code, out, err = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g")
    assert code == 1
    assert len(pretended.folders) == 6 + 18
    row = next(line for line in out.splitlines() if line.startswith("slower"))
    assert "B" in row
    assert "+15.0 %" in row
    assert "which get fresh pairs: B; about " in err
    assert "regression: 1 slower, 1 not flagged of 2 cells" in out
    assert "1 was tested with fresh pairs. At most 0.5 % of such decisions wrongly call an" in out


@pytest.mark.parametrize(
    ("timed", "words"),
    [
        ({"threads": 4}, "1 thread and 4 threads"),
        ({"allocator": "retain"}, "the system's allocator and retained"),
    ],
)
def test_sides_of_other_threads_or_another_allocator_are_not_comparable(
    cli: Cli, own: Path, pretended: Pretended, timed: dict[str, Any], words: str
) -> None:
    pretended.timed = timed
    code, _, err = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g")
    assert code == 4
    assert words in err
    assert "(the base and the candidate)" in err
    assert len(pretended.folders) == 2  # known after the first pair


def test_more_multiply_adds_fail_without_any_timing_unless_accepted(
    cli: Cli, own: Path, pretended: Pretended
) -> None:
    pretended.macs["A"] = 1500
    code, out, err = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g")
    assert code == 1
    assert "macs 1,000 → 1,500 (+50 %)" in out
    assert "benchsuite gate … --accept A:macs\n" in err
    assert cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "h", "--accept", "A:macs")[0] == 0
    words = ("gate", "own.yaml", "--base", "HEAD~1", "--accept", "B:macs", "--accept", "macs")
    code, out, _ = cli(*words, "--out", "i")
    assert code == 0
    assert "note       --accept B:macs: nothing of it changed" in out
    assert cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "j", "--set", "gate.exact=ignore")[0] == 0


def test_a_broken_mixer_fails_with_its_reason(cli: Cli, own: Path, pretended: Pretended) -> None:
    pretended.broken.add("A")
    code, out, _ = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g")
    assert code == 1
    assert "crash: a planted crash" in out


def test_only_strict_fails_where_nothing_can_be_told(
    cli: Cli, own: Path, pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(side: GateSide, document: Mapping[str, Any], folder: Path) -> Run:
        wild = 1.0 if side.name == "base" else 1.5 if len(pretended.folders) % 4 < 2 else 0.9
        pretended.seconds = dict.fromkeys("AB", wild)
        return pretended(side, document, folder)

    monkeypatch.setattr(measure, "run_process", noisy)
    words = ("gate", "own.yaml", "--base", "HEAD~1", "--set", "gate.screen=0")
    assert cli(*words, "--out", "g")[0] == 0
    code, out, _ = cli(*words, "--strict", "--out", "h")
    assert code == 5
    assert "2 inconclusive of 2 cells" in out


def test_libraries_that_differ_between_interpreters_are_told(
    cli: Cli, own: Path, pretended: Pretended
) -> None:
    pretended.environments["candidate"] = {**MACHINE, "torch": "3.0"}
    code, out, _ = cli("gate", "own.yaml", "--base-python", sys.executable, "--out", "g")
    assert code == 0
    assert f"base       python {sys.executable}" in out
    assert "warn       PyTorch: 2.0 on the base, 3.0 on the candidate" in out


def test_the_files_as_they_are_can_be_the_candidate(cli: Cli, own: Path, pretended: Pretended) -> None:
    (own / "mine.py").write_text("# not committed\n")
    code, out, _ = cli("gate", "own.yaml", "--base", "HEAD", "--candidate", "WORKTREE", "--out", "g")
    assert code == 0
    assert "candidate  working tree (on " in out
    assert "note       measured with uncommitted changes: mine.py" in out
    assert "same code" not in out


def test_refusals_come_before_anything_slow(cli: Cli, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_machine", lambda scenario: pytest.fail("looked at the machine"))
    assert cli("gate", "own.yaml", "--base", "nowhere")[0] == 2
    (own / "mine.py").write_text("# changed\n")
    code, _, err = cli("gate", "own.yaml", "--base", "HEAD~1")
    assert code == 2
    assert "uncommitted changes in mine.py" in err


def test_uncommitted_changes_are_refused_unless_they_are_to_be_left_out(
    cli: Cli, own: Path, pretended: Pretended
) -> None:
    (own / "mine.py").write_text("# not committed\n")
    code, _, err = cli("gate", "own.yaml", "--base", "HEAD", "--out", "g")
    assert code == 2
    assert "uncommitted changes in mine.py: a gate of commits would not see them" in err
    assert "--candidate WORKTREE" in err
    code, out, _ = cli("gate", "own.yaml", "--base", "HEAD", "--allow-dirty", "--out", "g")
    assert code == 0
    assert "note       uncommitted changes were left out: mine.py" in out
    assert "note       both sides are the same code" in out


def test_a_scenario_that_is_not_committed_is_that_of_both_sides(
    cli: Cli, own: Path, pretended: Pretended
) -> None:
    with (own / "own.yaml").open("a") as file:
        file.write("# not committed\n")
    code, out, _ = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g")
    assert code == 0
    assert "own.yaml has uncommitted changes; both sides are measured with it as it is" in out
    (own / "mine.py").write_text("# not committed\n")
    code, _, err = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "h")
    assert code == 2
    assert "uncommitted changes in mine.py: a gate" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("own.yaml", "--base", "nowhere"), 'unknown revision "nowhere"'),
        (("own.yaml", "--base", "HEAD", "--pythonpath", "/abs"), "--pythonpath /abs: must be relative"),
        (("own.yaml", "--base", "HEAD", "--filter", "mixer=C"), "there are no cells to compare: --filter"),
        (("own.yaml", "--base", "HEAD", "--set", "gate.pairs=2"), "2 pairs of processes are too few"),
        (("own.yaml", "--base", "HEAD", "--set", "measure.metrics=[cost]"), "nothing is timed"),
        (("own.yaml", "--base", "HEAD", "--accept", "mac"), 'did you mean "macs"'),
        (("own.yaml", "--base", "HEAD", "--noise", "none.json"), "none.json: cannot be read"),
        (("own.yaml", "--base-python", "no-such-python"), "no interpreter 'no-such-python'"),
        (("own.yaml", "--base-python", "./no/python"), "no interpreter './no/python'"),
        (("hilo", "--base", "HEAD~1"), "nothing of this repository is measured"),
        (("own.yaml", "--base", "HEAD", "--set", "gate.max_s=0.01"), "set gate.warmup_s too"),
        (("own.yaml", "--base", "HEAD", "--set", "gate.exact=some"), "unknown"),
        (("own.yaml", "--base", "HEAD", "--missing", "wran"), '--missing: no "wran"; did you mean "warn"?'),
        (("owm.yaml", "--base", "HEAD"), 'is called "owm.yaml"; did you mean "own.yaml"?'),
    ],
)
def test_bad_input_exits_with_2_and_says_what_to_do(
    cli: Cli, own: Path, pretended: Pretended, words: tuple[str, ...], said: str
) -> None:
    code, _, err = cli("gate", *words, "--out", "g")
    assert (code, pretended.folders) == (2, [])
    assert said in err


def test_a_folder_without_a_repository_is_refused(
    cli: Cli, tmp_path: Path, pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("gate", "own.yaml", "--base", "HEAD")
    assert code == 2
    assert "is in no git repository" in err


def test_a_scenario_of_mixers_that_neither_side_has_has_nothing_in_common(
    cli: Cli, own: Path, pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "missing_targets", lambda cells, known: {cell.target for cell in cells})
    code, _, err = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g")
    assert code == 2
    assert "the two sides have no cell in common: the base lacks mine:A, mine:B; the candidate lacks" in err


@pytest.mark.parametrize(
    ("lacks", "words", "code"),
    [
        ("base", (), 0),
        ("base", ("--missing", "any"), 1),
        ("candidate", (), 1),
        ("candidate", ("--missing", "warn"), 0),
        ("candidate", ("--set", "gate.missing=warn"), 0),
    ],
)
def test_a_mixer_that_is_new_passes_and_one_that_was_removed_fails_unless_told_otherwise(
    cli: Cli,
    own: Path,
    pretended: Pretended,
    monkeypatch: pytest.MonkeyPatch,
    lacks: str,
    words: tuple[str, ...],
    code: int,
) -> None:
    sides = iter(("base", "candidate"))  # in the order in which they are asked
    monkeypatch.setattr(
        measure, "missing_targets", lambda cells, known: {"mine:A"} if next(sides) == lacks else set()
    )
    found, out, _ = cli("gate", "own.yaml", "--base", "HEAD~1", "--out", "g", *words)
    assert found == code
    (row,) = (line for line in out.splitlines() if "has it" in line)
    assert row.split()[:2] == ["new" if lacks == "base" else "removed", "A"]


def test_submodules_that_are_left_empty_are_told(cli: Cli, own: Path, pretended: Pretended) -> None:
    (own / ".gitmodules").touch()
    commit(own, "submodules")
    words = ("gate", "own.yaml", "--base", "HEAD~1", "--candidate", "main", "--out")
    assert "the submodules of main (" in cli(*words, "g")[1]
    assert "submodules" not in cli(*words, "h", "--submodules")[1].partition("again")[0]


def test_a_test_of_ones_own_may_compare_the_files_with_a_revision(
    own: Path, pretended: Pretended, tmp_path: Path
) -> None:
    gate = ScenarioGate(tmp_path, (), update=False)
    assert gate("own.yaml", base="HEAD").candidate.startswith("working tree (on ")
    pretended.macs["A"] = 1500
    with pytest.raises(pytest.fail.Exception, match=r"larger  A: macs 1,000 → 1,500 \(\+50 %\)"):
        gate("own.yaml", base="HEAD")
    with pytest.raises(pytest.fail.Exception, match='unknown revision "nowhere"'):
        gate("own.yaml", base="nowhere")


def test_a_side_that_cannot_start_exits_with_3_and_its_words(
    cli: Cli, own: Path, pretended: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = cli(
        "gate", "own.yaml", "--base", "HEAD~1", "--out", "g", "--setup", "echo no room; exit 4",
        "--junit", "j.xml", "--markdown", "m.md", "--html", "h.html", "--comment", "c.md",
    )  # fmt: skip
    assert code == 3
    for file in ("j.xml", "m.md", "h.html", "c.md"):
        assert "Not measured: the base" in Path(file).read_text(encoding="utf-8")
    assert '<error type="NotMeasured"' in Path("j.xml").read_text(encoding="utf-8")
    assert "the base, HEAD~1 (" in err
    assert "could not be measured: --setup 'echo no room; exit 4' exited with 4\n  no room" in err
    assert not list(own.glob(".git/worktrees/*"))


def test_noise_is_measured_written_and_read_by_the_gate(cli: Cli, own: Path, pretended: Pretended) -> None:
    pretended.seconds["B"] = 1.06  # "the same code", which takes longer whenever it is the second side
    code, out, _ = cli("noise", "own.yaml", "--pairs", "4", "--out", "noise.json")
    assert code == 0
    assert len(pretended.folders) == 8
    assert "B     ±5." in out
    assert "gate: {delta: 0.0" in out
    assert "A limit for each cell: benchsuite gate own.yaml --noise noise.json …" in out
    stored = json.loads((own / "noise.json").read_text())
    assert (stored["pairs"], len(stored["cells"][0]["log_ratios"])) == (9, 4)

    assert "So noisy a machine" not in out
    pretended.seconds["B"] = 1.04
    words = ("gate", "own.yaml", "--base", "HEAD~1", "--out")
    assert cli(*words, "g")[0] == 1
    assert cli(*words, "h", "--noise", "noise.json")[0] == 0  # no more than its noise
    code, _, err = cli(*words, "i", "--noise", "noise.json", "--set", "gate.pairs=8")
    assert code == 0
    assert "its noise is that of 9 pairs, and the gate decides with 8" in err


def test_noise_of_too_few_pairs_is_refused(cli: Cli, own: Path, pretended: Pretended) -> None:
    code, _, err = cli("noise", "own.yaml", "--pairs", "2")
    assert code == 2
    assert "--pairs must be 3 or more, not 2" in err


def test_noise_of_cells_that_cannot_be_timed_is_refused(cli: Cli, own: Path, pretended: Pretended) -> None:
    pretended.broken |= {"A", "B"}
    code, out, err = cli("noise", "own.yaml", "--pairs", "3")
    assert code == 2
    assert "no time    A: a planted crash" in out
    assert "no cell could be timed" in err


def a_side(folder: Path, **changes: Any) -> GateSide:
    fields: dict[str, Any] = {"name": "base", "words": "main", "folder": folder, "python": sys.executable}
    return GateSide(**(fields | changes))


def test_a_side_whose_scenario_does_not_load_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        SideFailed, match=r"the base, main, could not be measured: benchsuite run exited with 2"
    ):
        run_process(a_side(tmp_path), {"name": "x"}, tmp_path / "run")


def test_a_side_without_benchsuite_says_so(tmp_path: Path) -> None:
    (tmp_path / "benchsuite.py").write_text("raise ImportError('not this one')")
    with pytest.raises(SideFailed, match=r"cannot import benchsuite(.|\n)*not this one"):
        probe(a_side(tmp_path), ())


def test_a_side_finds_modules_in_its_own_folders_first(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mine.py").touch()
    found = probe(a_side(tmp_path, pythonpath=("src",)), ("mine", "nobodys"))
    assert found.places["mine"] == str(tmp_path / "src" / "mine.py")
    assert found.places["nobodys"] is None
    assert {"msa", "hilo"} <= found.known


def test_setup_runs_in_the_folder_of_the_side(tmp_path: Path) -> None:
    set_up(a_side(tmp_path), "pwd > here", tmp_path / "log")
    assert (tmp_path / "here").read_text().strip() == str(tmp_path.resolve())


def test_an_interpreter_is_one_on_path_or_a_path_from_the_side(tmp_path: Path) -> None:
    assert interpreter(None, tmp_path) == sys.executable
    python = tmp_path / "env" / "python"
    python.parent.mkdir()
    python.touch()
    assert interpreter("env/python", tmp_path) == str(python)
    assert interpreter("sh", tmp_path).endswith("/sh")
