"""The commands as a user meets them: what they print, write and return."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import benchsuite
from benchsuite.results.store import RECORDS, REPORT, read_run
from benchsuite.scenario.schema import json_schema
from benchsuite.zoo.catalogue import known_parameters
from tests.builders import make_cell
from tests.commands import Cli

TINY = """
name: tiny
title: A tiny sweep
sweep:
  mixer: [msa, {name: hilo, label: HiLo}]
  resolution: [32, 64]
  dim: 32
  num_heads: 4
  kernel: [math, sdpa]
  device: cpu
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 3, max_samples: 3, threads: 1, rounds: 1, ceilings:
false}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A run made by the real command in processes of its own."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    words = ("run", str(folder / "tiny.yaml"), "--out", str(folder / "run"))
    command = [sys.executable, "-m", "benchsuite", *words]
    subprocess.run(command, check=True, cwd=repository, capture_output=True)
    return folder / "run"


def test_a_run_leaves_records_environment_and_report(finished: Path) -> None:
    run = read_run(finished)
    assert [record.status for record in run.records] == ["ok"] * 8
    assert all(record.timing and record.cost and record.memory for record in run.records)
    assert run.environment["torch"]
    assert run.environment["command"][:2] == ["benchsuite", "run"]
    assert "<title>" in (finished / REPORT).read_text()
    assert sorted(path.name for path in finished.iterdir()) == [
        "environment.json",
        "records.jsonl",
        "report.html",
        "scenario.json",
    ]


def test_resuming_a_finished_run_measures_nothing(cli: Cli, finished: Path) -> None:
    before = (finished / RECORDS).read_bytes()
    answer = cli("run", "--resume", finished)
    assert answer.code == 0
    assert "nothing to measure: all 8 cells have a record" in answer.out
    assert (finished / RECORDS).read_bytes() == before


def test_every_cell_is_a_line_and_a_row_where_stdout_is_no_terminal(
    cli: Cli, tiny: Path, tmp_path: Path
) -> None:
    answer = cli("run", tiny, "--executor", "inline", "--out", tmp_path / "run", "--filter", "kernel=math")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "4 cells"
    assert lines[1] == "round 1: 4 cells"
    assert [line.split()[0] for line in lines[2:6]] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert "stopped by rounds" in lines[2]
    assert lines[6] == "batch 1 · dim 32 · heads 4 · dtype fp32 · mode inference · kernel math · device cpu"
    assert lines[7].split() == ["mixer", "px", "MACs/image", "latency", "95", "%", "images/s", "memory"]
    assert re.fullmatch(r"time     \d+ s: (\d+ % [a-z -]+(, )?)+", lines[-3])
    assert lines[-2:] == [f"records  {tmp_path}/run/records.jsonl", f"report   {tmp_path}/run/report.html"]


def test_quiet_prints_nothing(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    answer = cli(
        "run", tiny, "--executor", "inline", "--out", tmp_path / "run", "--filter", "resolution=32", "-q"
    )
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_a_dry_run_lists_cells_and_writes_nothing(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    answer = cli("run", tiny, "--dry-run", "--executor", "inline", "--out", tmp_path / "run")
    assert answer.code == 0
    assert answer.out.count("HiLo") == 4
    assert answer.out.splitlines()[-1].startswith("8 cells, about ")
    assert not (tmp_path / "run").exists()


def test_unexpected_failures_exit_with_3_and_are_named(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    answer = cli(
        "run", tiny, "--executor", "inline", "--set", "sweep.kernel=cudnn", "--out", tmp_path / "run"
    )
    assert answer.code == 3
    assert "4 of 4 cells failed unexpectedly:" in answer.err
    assert answer.err.count("unsupported: ") == 4
    assert (tmp_path / "run" / REPORT).is_file()  # failures are findings, too


def test_expected_failures_exit_with_0(cli: Cli, tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY + "expect: [{where: kernel=cudnn, status: unsupported, reason: no GPU}]\n")
    answer = cli(
        "run", tiny, "--executor", "inline", "--set", "sweep.kernel=cudnn", "--out", tmp_path / "run"
    )
    assert answer.code == 0
    assert "unsupported (expected)" in answer.out


def test_what_a_mixer_refuses_is_a_record_of_its_cells_and_no_mistake_of_the_scenario(
    cli: Cli, tiny: Path, tmp_path: Path
) -> None:
    refused = "sweep.mixer=[{name: hilo, params: {alpha: 7}}]"
    answer = cli("run", tiny, "--set", refused, "--executor", "inline", "--out", tmp_path / "run")
    assert answer.code == 3
    assert "unsupported: alpha 7 is not between 0 and 1" in answer.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nowhere.yaml"], 'no file and no shipped scenario is called "nowhere.yaml"'),
        (["run"], "name a scenario"),
        (["run", "TINY", "--profile", "cpuu"], "cpuu"),
        (["run", "TINY", "--set", "sweep.batch=lots"], "--set sweep.batch=lots"),
        (["run", "TINY", "--set", "swep.batch=1"], 'did you mean "sweep"?'),
        (["run", "TINY", "--set", "sweep.mixer=[hillo]"], 'did you mean "hilo"?'),
        (["run", "TINY", "--set", "sweep.mixer=[]"], "sweep.mixer"),
        (["run", "TINY", "--set", "sweep.resolution=100"], "100"),
        (["run", "TINY", "--set", "sweep.num_heads=5"], "num_heads 5"),
        (["run", "TINY", "--set", "sweep.mixer=[{name: hilo, params: {alhpa: 1}}]"], 'did you mean "alpha"?'),
        (["run", "TINY", "--device", "cuda:99"], "device 'cuda:99' is not present; this machine has: cpu"),
        (["run", "TINY", "--filter", "resolution>9000"], "leaves no cell of 8"),
        (["run", "TINY", "--filter", "resolutoin=3"], 'did you mean "resolution"?'),
        (["run", "TINY", "--executor", "magic"], "no executor 'magic'; allowed: process, inline"),
        (["run", "TINY", "--out", "x", "--resume", "y"], "not both"),
        (["run", "--resume", "nowhere"], "nowhere: no such folder"),
        (["report", "nowhere"], "nowhere: no such folder"),
        (["export", "nowhere"], "nowhere: no such folder"),
        (["list", "mixer"], 'list: no "mixer"; did you mean "mixers"?'),
        (["parity", "nowhere"], "nowhere: no such folder"),
        (["check", "nowhere"], "no shipped scenario"),
    ],
)  # fmt: skip
def test_bad_input_exits_with_2_says_what_and_writes_nothing(
    cli: Cli, tiny: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tiny.parent)
    words = [str(tiny) if word == "TINY" else word for word in words]
    answer = cli(
        *words, *(["--executor", "inline"] if words[0] == "run" and "--executor" not in words else [])
    )
    assert answer.code == 2
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny.yaml"]


def test_a_folder_that_holds_a_run_is_refused_with_the_way_out(cli: Cli, tiny: Path, finished: Path) -> None:
    answer = cli("run", tiny, "--out", finished)
    assert answer.code == 2
    assert f"already holds a run; to go on with it use: --resume {finished}" in answer.err


def test_a_record_of_a_newer_version_is_refused(cli: Cli, finished: Path, tmp_path: Path) -> None:
    for name in ("scenario.json", "environment.json"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    record = json.loads((finished / RECORDS).read_text().splitlines()[0]) | {"version": 9}
    (tmp_path / RECORDS).write_text(json.dumps(record) + "\n")
    answer = cli("report", tmp_path)
    assert answer.code == 2
    assert "records.jsonl:1: record version 9 is newer than this benchsuite reads" in answer.err


def test_check_names_all_mistakes_with_their_places(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\ntitle: Bad\nsweep:\n  mixer: [{name: hilo, params: {window_sise: 2}}]\n  bach: 3\n"
    )
    answer = cli("check", path)
    assert answer.code == 2
    assert f"{path}:4:" in answer.out
    assert 'unknown parameter of mixer "hilo"; did you mean "window_size"?' in answer.out
    assert f"{path}:5:3" in answer.out
    assert 'did you mean "batch"?' in answer.out
    assert answer.out.splitlines()[-1] == "2 problems"


def test_check_of_a_good_file_says_so(cli: Cli, tiny: Path) -> None:
    answer = cli("check", tiny)
    assert (answer.code, answer.out) == (0, f"{tiny}: ok\n")


def test_check_build_builds_the_cells(cli: Cli, tiny: Path) -> None:
    assert cli("check", "--build", tiny).out == f"{tiny}: ok, 8 of 8 cells build\n"
    tiny.write_text(TINY.replace("resolution: [32, 64]", "resolution: [32, 48]"))
    answer = cli("check", "--build", tiny)
    assert answer.code == 0
    assert "ok, 6 of 8 cells build" in answer.out
    assert "unsupported: window_size 2 does not divide the 3 × 3 grid" in answer.out


def test_every_shipped_scenario_is_without_mistakes_in_every_profile(cli: Cli, repository: Path) -> None:
    shipped = sorted((repository / "scenarios").glob("*.yaml"))
    assert shipped
    for path in shipped:
        assert cli("check", path).code == 0
        for profile in ("cpu", "quick"):
            assert cli("check", path, "--profile", profile).code == 0


def test_a_shipped_scenario_is_found_by_its_name(cli: Cli) -> None:
    answer = cli("check", "hilo")
    assert answer.code == 0
    assert "hilo.yaml: ok" in answer.out


def test_the_schema_that_is_shipped_is_the_one_that_is_printed(cli: Cli, repository: Path) -> None:
    """But for what was added since `make schema` was last called: adding a mixer must not touch this file."""
    shipped = json.loads((repository / "scenarios" / "schema.json").read_text())
    printed = json.loads(cli("schema").out)
    assert printed["$schema"].startswith("https://json-schema.org/")
    mixers, networks = (shipped["$defs"][kind]["anyOf"][0]["enum"] for kind in ("MixerName", "BackboneName"))
    assert shipped == json_schema(known_parameters(installed=False).only(mixers, networks))
    assert set(mixers) <= set(printed["$defs"]["MixerName"]["anyOf"][0]["enum"])
    assert set(networks) <= set(printed["$defs"]["BackboneName"]["anyOf"][0]["enum"])


def test_lists_name_every_mixer_and_scenario(cli: Cli) -> None:
    assert [line.split()[0] for line in cli("list", "scenarios").out.splitlines()].count("hilo") == 1
    mixers = cli("list", "mixers").out.splitlines()
    assert any(line.startswith("hilo ") and "arXiv:2205.13213" in line for line in mixers)


@pytest.mark.parametrize(("format", "latency"), [("csv", "latency_s"), ("markdown", "Latency per step (")])
def test_export_prints_a_line_a_cell(cli: Cli, finished: Path, format: str, latency: str) -> None:
    answer = cli("export", finished, "--format", format)
    assert answer.code == 0
    assert latency in answer.out.splitlines()[0]
    assert len([line for line in answer.out.splitlines() if "HiLo" in line]) == 4


def test_export_writes_a_file(cli: Cli, finished: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    out = tmp_path / "run.parquet"
    assert cli("export", finished, "--format", "parquet", "--out", out).code == 0
    assert list(pandas.read_parquet(out)["status"]) == ["ok"] * 8


def test_export_refuses_an_unknown_format(cli: Cli, finished: Path) -> None:
    answer = cli("export", finished, "--format", "latx")
    assert answer.code == 2
    assert (
        answer.err == '--format: no "latx"; did you mean "latex"?\n  allowed: csv, parquet, markdown, latex\n'
    )
    answer = cli("export", finished, "--columns", "name")
    assert (answer.code, answer.err) == (
        2,
        "--columns: csv holds every column; it is for markdown and latex\n",
    )


def test_export_of_two_runs_to_latex_says_which_run_each_row_is_of(cli: Cli, finished: Path) -> None:
    answer = cli("export", finished, finished, "--format", "latex", "--columns", "run,name,latency_s")
    assert answer.code == 0
    assert answer.out.count(finished.name) == 2 + 16  # the caption, and rows
    assert "\\toprule" in answer.out


def test_load_gives_a_frame(finished: Path) -> None:
    frame = benchsuite.load(finished).frame()
    assert len(frame) == 8
    assert set(frame["kernel"]) == {"math", "sdpa"}


def test_report_writes_where_it_is_told_and_figures_beside(cli: Cli, finished: Path, tmp_path: Path) -> None:
    answer = cli("report", finished, "--out", tmp_path / "page.html", "--figures", tmp_path / "figures")
    assert answer.out == f"{tmp_path / 'page.html'}\n"
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".pdf", ".png", ".svg"}


def test_figures_of_a_style_are_written_and_an_unknown_style_is_refused(
    cli: Cli, finished: Path, tmp_path: Path
) -> None:
    out, folder = tmp_path / "page.html", tmp_path / "figures"
    assert cli("report", finished, "--out", out, "--figures", folder, "--style", "litv2").code == 0
    assert b"0 0 234" in (folder / "macs-vs-throughput-column.pdf").read_bytes()
    answer = cli("report", finished, "--out", out, "--figures", folder, "--style", "lit2")
    assert answer.code == 2
    assert 'did you mean "litv2"?' in answer.err
    assert cli("run", "hilo", "--out", tmp_path / "run", "--style", "litv2").code == 2
    assert not (tmp_path / "run").exists()


def test_one_figure_is_written_as_wide_as_it_is_asked_for(cli: Cli, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "fig.pdf"
    words = ("--kind", "scatter", "--width", "6.75in", "--style", "litv2", "--out", out)
    answer = cli("figure", finished, *words)
    assert (answer.code, answer.out) == (0, f"{out}\n")
    assert "Pareto front" in answer.err  # the caption
    assert b"0 0 486" in out.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "scater"), 'did you mean "scatter"?'),
        (("--kind", "energy"), "nothing to show in a figure of the kind energy; it has: scatter, "),
        ((), "--kind: say which figure; "),
        ((), " has: scatter, "),
        (("--kind", "scatter", "--width", "3"), "no width between"),
        (("--kind", "scatter", "--mixers", "nobody"), '--mixers: no "nobody"'),
        (("--kind", "scatter", "--metric", "speed"), "allowed: params, macs, latency_s"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_refused_with_what_can(
    cli: Cli, finished: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    answer = cli("figure", finished, *words, "--out", tmp_path / "fig.pdf")
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "fig.pdf").exists()


def test_a_figure_without_a_file_asks_for_its_name(cli: Cli, finished: Path) -> None:
    assert cli("figure", finished, "--kind", "scatter").err.startswith("--out: name the file")


def test_parity_passes_on_the_data_that_is_shipped(cli: Cli, repository: Path) -> None:
    answer = cli("parity", repository / "tests" / "data" / "golden", "--kernel", "math")
    assert answer.code == 0
    assert " 0 mismatch" in answer.out


def test_parity_names_what_it_cannot_map(cli: Cli, repository: Path, tmp_path: Path) -> None:
    source = repository / "tests" / "data" / "golden"
    case = json.loads((source / "msa.json").read_text()) | {"mixer": "no_such_mixer"}
    (tmp_path / "case.json").write_text(json.dumps(case))
    (tmp_path / "case.safetensors").write_bytes((source / "msa.safetensors").read_bytes())
    answer = cli("parity", tmp_path)
    assert answer.code == 2
    assert "1 cases cannot be mapped: msa" in answer.err
    assert cli("parity", tmp_path, "--allow-unknown").code == 0


def test_a_mismatch_exits_with_1(cli: Cli, repository: Path, tmp_path: Path) -> None:
    source = repository / "tests" / "data" / "golden"
    case = json.loads((source / "msa.json").read_text())
    case["kwargs"]["num_heads"] = 2
    (tmp_path / "msa.json").write_text(json.dumps(case))
    (tmp_path / "msa.safetensors").write_bytes((source / "msa.safetensors").read_bytes())
    answer = cli("parity", tmp_path, "--kernel", "math")
    assert answer.code == 1
    assert "mismatch" in answer.out


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").out == f"benchsuite {benchsuite.__version__}\n"


def test_cells_in_the_report_can_be_linked_to(finished: Path) -> None:
    page = (finished / REPORT).read_text()
    assert all(f'id="cell-{record.id}"' in page for record in read_run(finished).records)
    assert make_cell().id not in page
