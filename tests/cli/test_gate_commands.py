"""`benchsuite compare` and `benchsuite gate` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchsuite.results.record import Record
from benchsuite.results.store import RunWriter
from tests.builders import make_cell, make_record
from tests.commands import Cli


def folder(path: Path, records: Sequence[Record], threads: int = 2) -> Path:
    """A run folder with these records."""
    selftest = {"date": "2026-11-29", "passed": True, "noise_percent": 2.0, "drift_percent": 3.0}
    environment = {"device": "cpu", "cpu": {"threads": threads}, "selftest": selftest}
    writer = RunWriter.create(path, {"name": "tiny", "title": "Tiny"}, environment)
    for record in records:
        writer.append(record)
    writer.close()
    return path


def times(centre: float) -> list[float]:
    return [centre * (1 + i / 1000) for i in range(-10, 11)]


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs with a common cell that takes twice as long in the second, and one cell more in the first."""
    more = make_record(make_cell(resolution=(128, 128)))
    return (
        folder(tmp_path / "a", [make_record(samples=times(0.01), rounds=[3] * 7), more]),
        folder(tmp_path / "b", [make_record(samples=times(0.02), rounds=[3] * 7)]),
    )


def test_a_slower_run_is_told_and_the_exit_code_is_zero(cli: Cli, runs: tuple[Path, Path]) -> None:
    code, out, err = cli("compare", *runs)
    assert (code, err) == (0, "")
    (row,) = (line for line in out.splitlines() if line.startswith("MSA, 64 px, math"))
    assert "  slower  2.00 [" in row
    told = " ".join(out.split())
    assert "To test whether code became slower, use benchsuite gate" in told
    assert "MSA, 128 px, math" in out.partition("Cells in one run only")[2]


def test_machines_that_differ_are_told_before_the_times_and_do_not_fail(cli: Cli, tmp_path: Path) -> None:
    a, b = (folder(tmp_path / str(n), [make_record()], threads=n) for n in (1, 2))
    code, out, _ = cli("compare", a, b)
    assert code == 0
    assert "Times of B are not comparable with those of A" in out.partition("\nTimes\n")[0]


def test_cells_of_other_threads_or_allocator_are_not_set_side_by_side(cli: Cli, tmp_path: Path) -> None:
    def run(name: str, **changes: Any) -> Path:
        record = make_record()
        assert record.timing is not None
        return folder(tmp_path / name, [replace(record, timing=replace(record.timing, **changes))])

    one = run("one", threads=1, allocator="retain")
    code, out, err = cli("compare", one, run("two", threads=2, allocator="retain"))
    assert (code, out) == (4, "")
    assert "not comparable: 1 cell timed with other threads or another allocator" in err
    assert "1 thread and 2 threads" in err
    code, _, err = cli("compare", one, run("same", threads=1, allocator="retain"), run("old", threads=1))
    assert code == 4
    assert "retained memory and the system's allocator" in err
    assert cli("compare", one, tmp_path / "same")[0] == 0


def test_markdown_has_headings_and_tables(cli: Cli, runs: tuple[Path, Path]) -> None:
    code, out, _ = cli("compare", *runs, "--format", "markdown")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("## ")] == [
        "## Comparability",
        "## Times",
        "## Exact numbers",
        "## Cells in one run only",
    ]
    assert "| MSA, 64 px, math |" in out


def test_json_is_data(cli: Cli, runs: tuple[Path, Path]) -> None:
    code, out, _ = cli("compare", *runs, "--format", "json")
    data = json.loads(out)
    assert code == 0
    assert data["cells"][0]["compared_with_a"]["B"]["median"] == pytest.approx(2.0)
    assert [len(run["only_here"]) for run in data["runs"]] == [1, 0]


def test_a_report_is_written_where_it_is_wanted(cli: Cli, runs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "new" / "compared.html"
    code, text, err = cli("compare", *runs, "--format", "json", "--out", out)
    assert code == 0
    assert json.loads(text)  # stdout is the data alone
    assert err == f"report   {out}\n"
    assert "MSA, 64 px, math" in out.read_text(encoding="utf-8")


def test_bad_input_exits_with_2(cli: Cli, runs: tuple[Path, Path], tmp_path: Path) -> None:
    for words, message in (
        ((runs[0], tmp_path / "none"), "no such folder"),
        ((tmp_path, runs[1]), "not a run folder"),
        ((*runs, "--format", "pdf"), '--format: no "pdf"\n  allowed: text, markdown, json'),
        ((*runs, "--out", runs[0] / "records.jsonl" / "x.html"), "cannot be written"),
    ):
        code, _, err = cli("compare", *words)
        assert code == 2
        assert message in err


def test_a_simulation_prints_a_row_for_every_machine(cli: Cli) -> None:
    code, out, _ = cli("gate", "--simulate", "--trials", 20)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("slower: the 99 % interval of the ratio lies above 1.02; only a cell whose")
    (heading,) = (i for i, line in enumerate(lines) if line.startswith("machine"))
    rows = lines[heading + 1 : lines.index("", heading)]
    assert len(rows) == 6
    assert [row.split("  ")[0] for row in rows][:2] == [
        "processes differ by 0.3 %",
        "processes differ by 1 %",
    ]
    assert all("0.0 % (at most 13.9 %)" in row for row in rows[:5])  # 1 − 0.05^(1/20)
    assert "Of 200 cells exactly at the limit, 1 would be called slower" in out


def test_the_rule_is_that_of_the_scenario(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: s\ntitle: S\nsweep: {mixer: msa}\ngate: {delta: 0.08, pairs: 4, screen: 0}\n")
    code, out, _ = cli("gate", path, "--simulate", "--trials", 10)
    assert code == 0
    assert out.splitlines()[0] == (
        "slower: the 99 % interval of the ratio lies above 1.08; every cell gets 4 pairs of processes"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a scenario"),
        (("ci_gate",), "gate compares two things: name revisions"),
        (("ci_gate", "--candidate", "HEAD"), "--candidate HEAD needs a base to compare with"),
        (("--simulate", "--trials", "0"), "--trials must be 1 or more"),
        (("nowhere.yaml", "--simulate"), "nowhere.yaml"),
        ((".",), "a run is compared with a baseline (--baseline FILE"),
        ((".", "--base", "HEAD"), "a run is compared with a baseline (--baseline FILE"),
    ],
)
def test_what_the_gate_cannot_do_exits_with_2(cli: Cli, words: tuple[str, ...], message: str) -> None:
    code, _, err = cli("gate", *words)
    assert code == 2
    assert message in err
