"""`benchsuite baseline`, `gate --baseline` and `gate-report` as a user meets them."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.gate.noise import CellNoise, GateNoise, write_noise
from benchsuite.gate.result import write as write_result
from benchsuite.results.record import Cost, Record
from benchsuite.results.store import RunWriter
from tests.builders import make_cell, make_record
from tests.commands import Cli
from tests.gates import make_gate

MACHINE = {"device": "cpu", "cpu": {"model": "A", "threads": 2}, "torch": "2.13.0"}
TINY = """
name: tiny
title: Tiny
sweep: {mixer: [MIXERS], resolution: 64, dim: 32, num_heads: 2}
"""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands run in a folder of their own."""
    monkeypatch.chdir(tmp_path)


def folder(
    path: str, records: Sequence[Record], machine: dict[str, Any] = MACHINE, name: str = "tiny"
) -> str:
    """A run folder below the current one."""
    writer = RunWriter.create(Path(path), {"name": name, "title": name}, machine)
    for record in records:
        writer.append(record)
    writer.close()
    return path


def timed(seconds: float, macs: int = 1000, **cell: Any) -> Record:
    cost = Cost(params=10, macs=macs, counter="test")
    return make_record(make_cell(**cell), samples=(seconds,) * 5, cost=cost)


def runs(name: str, seconds: float, macs: int = 1000) -> list[str]:
    """Three run folders, hardly apart."""
    return [folder(f"{name}{i}", [timed(seconds * (1 + i / 1e4), macs)]) for i in range(3)]


@pytest.fixture
def baseline(cli: Cli) -> Path:
    """Of three runs of one cell that takes 10 ms."""
    code, out, err = cli("baseline", "update", *runs("old", 0.010))
    assert (code, err) == (0, "")
    (file,) = Path("baselines").iterdir()
    assert str(file) in out
    return file


def scenario(*mixers: str) -> Path:
    path = Path("tiny.yaml")
    path.write_text(TINY.replace("MIXERS", ", ".join(mixers)), encoding="utf-8")
    return path


def test_runs_as_fast_as_the_baseline_pass_and_slower_ones_fail(cli: Cli, baseline: Path) -> None:
    code, out, err = cli("gate", *runs("same", 0.010), "--baseline", baseline, "--strict")
    assert (code, err) == (0, "")
    assert "No regression found: 1 unchanged." in out
    code, out, _ = cli("gate", *runs("slow", 0.0115), "--baseline", baseline)
    assert code == 1
    assert "FAIL: 1 of 1 cell regressed. 1 slower (MSA)." in out


def test_one_run_on_a_machine_of_unknown_noise_is_inconclusive(cli: Cli) -> None:
    code, _, err = cli("baseline", "update", folder("old", [timed(0.01)]), "--out", "b")
    assert code == 0
    assert "nobody knows how far processes differ" in err
    (file,) = Path("b").iterdir()
    new = folder("new", [timed(0.02)])
    assert cli("gate", new, "--baseline", file)[0] == 0
    code, out, _ = cli("gate", new, "--baseline", file, "--strict")
    assert code == 5
    assert "1 inconclusive" in out


def test_the_self_test_of_the_machine_says_its_noise(cli: Cli) -> None:
    machine = MACHINE | {"selftest": {"noise_percent": 5.0, "passed": True}}
    cli("baseline", "update", folder("old", [timed(0.01)], machine))
    (file,) = Path("baselines").iterdir()
    code, out, _ = cli("gate", folder("new", [timed(0.02)], machine), "--baseline", file)
    assert code == 1
    assert "two processes are taken to differ by up to 5 %" in out
    assert "5 %, from the self-test" in cli("baseline", "show", file)[1]


def test_measured_noise_of_the_cells_decides_where_a_run_stands_alone(cli: Cli) -> None:
    cli("baseline", "update", folder("old", [timed(0.01)]))
    (file,) = Path("baselines").iterdir()
    new = folder("new", [timed(0.0125)])
    cell = make_cell()
    for spread, code in ((0.01, 1), (0.20, 0)):
        pairs = (spread, -spread, spread)
        noise = CellNoise(id=cell.id, name="MSA", noise=0.0, spread=spread, log_ratios=pairs)
        write_noise(
            GateNoise(scenario="tiny", machine="A", environment=MACHINE, pairs=9, floor=0.02, cells=(noise,)),
            Path("noise.json"),
        )
        found, out, _ = cli("gate", new, "--baseline", file, "--noise", "noise.json")
        assert found == code, out


def test_another_machine_is_refused_and_that_is_no_pass(cli: Cli, baseline: Path) -> None:
    other = folder("other", [timed(0.01)], MACHINE | {"cpu": {"model": "B", "threads": 2}})
    code, out, _ = cli("gate", other, "--baseline", baseline, "--junit", "j.xml")
    assert code == 4
    assert "Not comparable: CPU was A, now B" in out
    assert ET.parse("j.xml").getroot()[0].attrib["errors"] == "1"


def test_another_torch_warns(cli: Cli, baseline: Path) -> None:
    code, out, _ = cli("gate", folder("n", [timed(0.01)], MACHINE | {"torch": "9"}), "--baseline", baseline)
    assert code == 0
    assert "warn       PyTorch: 2.13.0 in the baseline, 9 now" in out


def test_a_number_that_grew_fails_until_it_is_accepted(cli: Cli, baseline: Path) -> None:
    grown = runs("grown", 0.010, macs=1200)
    code, out, err = cli("gate", *grown, "--baseline", baseline)
    assert code == 1
    assert "macs 1,000 → 1,200 (+20 %)" in out
    assert "benchsuite gate … --accept MSA:macs\n" in err
    code, out, _ = cli("gate", *grown, "--baseline", baseline, "--accept", "MSA:macs", "--accept", "params")
    assert code == 0
    assert "--accept params: nothing of it changed" in out


def test_cells_of_one_side_are_named_and_the_policy_decides(cli: Cli, baseline: Path) -> None:
    more = folder("more", [timed(0.01), timed(0.01, name="other")])
    code, out, _ = cli("gate", more, "--baseline", baseline)
    assert code == 0
    assert "the baseline does not have it" in out
    assert cli("gate", more, "--baseline", baseline, "--missing", "any")[0] == 1
    cli("baseline", "update", more, "--out", "of_two")
    (of_two,) = Path("of_two").iterdir()
    code, out, _ = cli("gate", "old0", "--baseline", of_two)
    assert code == 1
    assert "only the baseline has it" in out
    assert cli("gate", "old0", "--baseline", of_two, "--missing", "warn")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gate", "--baseline", "B"], "name the run folders to compare with it"),
        (["gate", "none", "--baseline", "B"], "none: no such folder"),
        (["gate", "p.yaml", "--baseline", "B"], "is a baseline of a run, which takes run folders"),
        (["gate", "hilo", "--baseline", "B"], "hilo is a scenario"),
        (["gate", "old0", "--baseline", "none.json"], "none.json: cannot be read"),
        (["gate", "old0", "--baseline", "B", "--base", "HEAD"], "give --baseline or --base, not both"),
        (
            ["gate", "old0", "--baseline", "B", "--missing", "wran"],
            '--missing: no "wran"; did you mean "warn"?',
        ),
        (["gate", "old0", "--baseline", "B", "--filter", "mixer=A"], "give --baseline or --filter, not both"),
        (["gate", "old0", "--baseline", "B", "--set", "batch=2"], "give --baseline or --set, not both"),
        (["gate", "old0", "--baseline", "B", "--setup", "make"], "give --baseline or --setup, not both"),
        (["gate", "old0", "--baseline", "B", "--accept", "mac"], 'did you mean "macs"'),
        (["gate", "a", "b"], "one scenario at a time"),
        (["baseline", "update", "old0", "another"], "of several scenarios: tiny, another"),
        (["gate", "old0", "another", "--baseline", "B"], "of several scenarios: tiny, another"),
        (["gate", "another", "--baseline", "B"], "has no cell in common"),
        (["baseline", "update", "old0", "elsewhere"], "of several machines"),
        (["baseline", "update", "empty"], "has no records"),
        (["baseline", "accept", "B", "macs"], "is a baseline of a run: write it anew"),
        (["baseline", "exact", "none"], 'is called "none"'),
        (["gate-report", "none.json"], "none.json: cannot be read"),
    ],
)
def test_bad_input_is_named_and_exits_with_2(cli: Cli, baseline: Path, words: list[str], said: str) -> None:
    folder("another", [timed(0.01, name="other")], name="another")
    folder("elsewhere", [timed(0.01)], MACHINE | {"cpu": {"model": "B", "threads": 2}})
    folder("empty", [])
    Path("p.yaml").write_text(TINY)
    code, _, err = cli(*(str(baseline) if word == "B" else word for word in words))
    assert code == 2
    assert said in err


@pytest.mark.slow
def test_counts_are_held_against_a_file_and_changes_are_accepted_by_name(cli: Cli) -> None:
    path = scenario("msa", "pooling")
    assert cli("baseline", "exact", path)[0] == 0
    file = Path("baselines/exact.json")
    assert cli("gate", "--baseline", file)[:2][0] == 0  # it knows its scenario, from its own folder
    assert "MACs" in cli("baseline", "show", file)[1]

    original = file.read_text(encoding="utf-8")
    (line,) = (json.loads(text.rstrip(",")) for text in original.splitlines() if '"name":"msa"' in text)
    macs = line["numbers"]["macs"]
    file.write_text(original.replace(f'"macs":{macs}', f'"macs":{macs + 1}'), encoding="utf-8")
    code, _, err = cli("gate", "--baseline", file)
    assert code == 1  # it became smaller, which is a change, too
    assert f"benchsuite baseline accept {file} msa:macs\n" in err

    code, _, err = cli("baseline", "accept", file, "msa:params")
    assert code == 2
    assert "msa:params: nothing of it changed" in err
    assert cli("baseline", "accept", file)[0] == 2
    code, out, _ = cli("baseline", "accept", file, "msa:macs")
    assert code == 0
    assert f"{macs + 1:,} → {macs:,}" in out
    assert file.read_text(encoding="utf-8") == original


@pytest.mark.slow
def test_a_cell_that_came_is_named_until_it_is_taken_over(cli: Cli) -> None:
    cli("baseline", "exact", scenario("pooling"))
    scenario("pooling", "fnet")
    code, _, err = cli("gate", "--baseline", "baselines/exact.json")
    assert code == 0
    assert "benchsuite baseline accept baselines/exact.json --cells" in err
    assert cli("baseline", "accept", "baselines/exact.json", "--cells")[0] == 0
    assert cli("gate", "--baseline", "baselines/exact.json")[0] == 0


COUNTED = """
import torch
from torch import nn
class Own(nn.Module):
    def __init__(self, dim): super().__init__(); self.p = nn.Linear(dim, dim)
    def forward(self, x, size): return self.p(x)
"""
UNCOUNTED = COUNTED.replace(
    "return self.p(x)",
    """
        if torch.utils._python_dispatch._get_current_dispatch_mode() is not None or x.is_meta:
            raise RuntimeError('only on its own device')
        return self.p(x)""",
)
"""As a module that needs a GPU: it fails wherever it is counted."""


@pytest.mark.slow
def test_a_class_that_can_no_longer_be_counted_is_not_comparable_and_one_that_never_could_is_named(
    cli: Cli,
) -> None:
    def own(text: str) -> None:
        Path("own.py").write_text(text)
        shutil.rmtree("__pycache__", ignore_errors=True)

    path = scenario('"own:Own"')
    own(COUNTED)
    assert cli("baseline", "exact", path, "--pythonpath", ".")[0] == 0
    own(UNCOUNTED)
    code, out, _ = cli("gate", "--baseline", "baselines/exact.json", "--pythonpath", ".")
    assert code == 4
    assert "1 no longer counted" in out
    assert 'not counted: on "meta" RuntimeError: only on its own device' in out

    command = ["baseline", "accept", "baselines/exact.json", "--cells", "--pythonpath", "."]
    code, out, _ = cli(*command)
    assert code == 0
    assert "ok → not counted" in out
    junit = Path("junit.xml")
    code, out, _ = cli("gate", "--baseline", "baselines/exact.json", "--pythonpath", ".", "--junit", junit)
    assert code == 0
    assert "1 not counted" in out
    assert ET.parse(junit).getroot().find(".//skipped") is not None

    own("import nothing_such\n")
    assert cli("gate", "--baseline", "baselines/exact.json", "--pythonpath", ".")[0] == 1


def test_every_format_is_written_by_the_gate_and_again_from_its_result(cli: Cli, baseline: Path) -> None:
    names = ("junit", "html", "markdown", "comment", "github-benchmark", "bencher", "csv")
    words = [word for name in names for word in (f"--{name}", f"{name}.out")]
    new = folder("new", [timed(0.010)])
    assert cli("gate", new, "--baseline", baseline, "--out", "found", *words)[0] == 0
    first = {name: Path(f"{name}.out").read_text(encoding="utf-8") for name in names}
    assert all(first.values())
    assert cli("gate-report", "found", *words)[0] == 0
    assert {name: Path(f"{name}.out").read_text(encoding="utf-8") for name in names} == first


def test_a_stored_result_is_printed_and_exits_as_the_gate_did(cli: Cli) -> None:
    for verdict, code, strict in (("slower", 1, 1), ("inconclusive", 0, 5), ("same", 0, 0)):
        write_result(make_gate(verdict), Path("r.json"))  # type: ignore[arg-type]
        found, out, _ = cli("gate-report", "r.json")
        assert found == code
        assert out.startswith("## ")
        assert cli("gate-report", "r.json", "--strict")[0] == strict
        assert cli("gate-report", "r.json", "--exit-zero")[0] == 0


def test_a_format_that_cannot_be_written_is_named(cli: Cli) -> None:
    write_result(make_gate("same"), Path("r.json"))
    code, _, err = cli("gate-report", "r.json", "--csv", "no/such/folder.csv")
    assert code == 2
    assert "no/such/folder.csv: cannot be written" in err


def test_a_cell_whose_line_cannot_be_read_is_not_called_removed(cli: Cli) -> None:
    both = [timed(0.010), timed(0.010, name="other")]
    cli("baseline", "update", *(folder(f"old{i}", both) for i in range(3)))
    (file,) = Path("baselines").iterdir()
    records = Path(folder("new", both)) / "records.jsonl"
    lines = records.read_text(encoding="utf-8").splitlines()
    torn = lines[-1].replace("0.01", "NaN")
    records.write_text("\n".join([*lines[:-1], torn]) + "\n", encoding="utf-8")
    code, out, _ = cli("gate", "new", "--baseline", str(file))
    assert code == 3
    assert "its record may be on a line that is no record" in out
    assert "removed" not in out
