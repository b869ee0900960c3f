"""Scenarios run from Python: what comes back, and that wrong input is refused as on the command line."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

import benchsuite
from benchmarks._called import called
from benchsuite.api.wording import reworded
from benchsuite.results.store import Run, write_run
from tests.builders import make_cell, make_record

DOCUMENT: dict[str, Any] = {
    "name": "tiny",
    "title": "Two <b>mixers</b>",
    "sweep": {"mixer": ["msa", "pooling"], "resolution": 64, "dim": 32, "num_heads": 2, "device": "cpu"},
    "measure": {
        "rounds": 1, "min_samples": 3, "max_samples": 3, "max_s": 0.1, "warmup_s": 0, "ceilings": False
    },
}  # fmt: skip


def ran(scenario: Any, out: Path, **options: Any) -> Any:
    """In this process, which takes a second."""
    return benchsuite.run(scenario, out=out, executor="inline", **options)


def test_a_document_is_run_into_a_folder(tmp_path: Path) -> None:
    run = ran(DOCUMENT, tmp_path / "run", overrides={"sweep.batch": [1, 2]}, filter="mixer=msa")
    assert run.frame()["batch"].tolist() == [1, 2]
    assert set(run.frame()["status"]) == {"ok"}
    assert benchsuite.load(tmp_path / "run").records == run.records
    assert [line.partition(" ")[0] for line in str(run).splitlines()[1:]] == ["msa", "msa"]
    assert "stopped by" in str(run)
    assert run.report() == tmp_path / "run" / "report.html"
    html = run._repr_html_()
    assert "Two &lt;b&gt;mixers" in html
    assert "MACs" in html


def test_a_file_and_the_name_of_a_shipped_scenario_are_run_too(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(DOCUMENT))
    assert len(ran(tmp_path / "tiny.yaml", tmp_path / "a").records) == 2
    brief = [f"measure.{key}={value}" for key, value in DOCUMENT["measure"].items()]
    small = [*brief, "sweep.dim=24", "sweep.num_heads=4", "sweep.resolution=224", "sweep.batch=1"]
    run = ran("hilo", tmp_path / "b", overrides=small, filter="mixer=HiLo kernel=math", profile="cpu")
    assert run.frame()["name"].tolist() == ["HiLo"]
    assert "L1-msa" in run.claims()["id"].tolist()


def test_cells_that_fail_are_records_and_nothing_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ran(DOCUMENT, tmp_path / "run", filter="mixer=msa", overrides="sweep.kernel=cudnn")
    assert [record.status for record in run.records] == ["unsupported"]
    assert capsys.readouterr().out == ""


def test_progress_is_printed_where_it_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran(DOCUMENT, tmp_path / "run", progress=True)
    assert "[2/2]" in capsys.readouterr().out


def test_a_resumed_run_measures_what_is_missing(tmp_path: Path) -> None:
    ran(DOCUMENT, tmp_path / "run", filter="mixer=msa")
    again = benchsuite.run(resume=tmp_path / "run", executor="inline")
    assert len(again.records) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scenario": "hillo"}, ["hillo"]),
        ({"profile": "quik"}, ["FILE", "--profile", "quik"]),
        ({"filter": "mixr=msa"}, ["FILE", "--filter", "mixr=msa"]),
        ({"overrides": {"sweep.bach": 8}}, ["FILE", "--set", "sweep.bach=8"]),
        ({"device": "cuda:99"}, ["FILE", "--device", "cuda:99"]),
        ({"shard": "9/8"}, ["FILE", "--shard", "9/8"]),
        ({"retry": "ooom"}, ["FILE", "--retry", "ooom"]),
        ({"out": "taken"}, ["FILE", "--out", "taken"]),
        ({"scenario": None, "resume": "none"}, ["--resume", "none"]),
        ({"pythonpath": "nowhere"}, ["FILE", "--pythonpath", "nowhere"]),
        ({"executor": "slrm"}, ["FILE", "--executor", "slrm"]),
        ({"timeout": -1}, ["FILE", "--timeout", "-1"]),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_wrong_input_is_refused_as_on_the_command_line_in_the_words_of_python(
    options: dict[str, Any], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(DOCUMENT))
    Path("taken").mkdir()
    Path("taken/file").touch()
    given = {"scenario": "tiny.yaml", "executor": "inline"} | options
    answer = called("run", "--executor", "inline", *[word.replace("FILE", "tiny.yaml") for word in words])
    assert answer.code == 2
    with pytest.raises(benchsuite.UsageError) as raised:
        benchsuite.run(given.pop("scenario"), **given)
    assert str(raised.value) == reworded(answer.err.strip(), inspect.signature(benchsuite.run).parameters)
    assert "--" not in str(raised.value)


def test_a_folder_that_holds_a_run_is_gone_on_with_by_resume(tmp_path: Path) -> None:
    ran(DOCUMENT, tmp_path / "run", filter="mixer=msa")
    with pytest.raises(benchsuite.UsageError) as raised:
        ran(DOCUMENT, tmp_path / "run")
    assert str(raised.value).endswith(f'use: resume="{tmp_path / "run"}"')


def test_a_mistake_in_a_document_names_its_path_and_the_nearest_word(tmp_path: Path) -> None:
    wrong = DOCUMENT | {"measure": {"round": object()}}
    with pytest.raises(
        benchsuite.UsageError, match=r"the scenario  measure\.round\n.*did you mean \"rounds\""
    ):
        ran(wrong, tmp_path / "run")


class TestStoredRuns:
    @pytest.fixture
    def folders(self, tmp_path: Path) -> list[Path]:
        """Two runs of two mixers, three rounds each."""
        folders = [tmp_path / "one", tmp_path / "two"]
        for number, folder in enumerate(folders):
            records = tuple(
                make_record(make_cell(name=name, target=name), [0.01 + number / 100] * 9, rounds=[3, 3, 3])
                for name in ("<i>msa", "hilo")
            )
            write_run(Run(path=folder, scenario=DOCUMENT, environment={}, records=records), folder)
        return folders

    def test_a_comparison_says_what_differs(self, folders: list[Path], tmp_path: Path) -> None:
        found = benchsuite.compare(benchsuite.load(folders[0]), folders[1])
        assert "Run B (/two) against A (/one)" in repr(found).replace(str(tmp_path), "")
        assert [line.split(maxsplit=1)[0] for line in str(found).splitlines()[-2:]] == ["<i>msa,", "hilo,"]
        assert "Undecided: " in str(found) or "called slower" in str(found)
        html = found._repr_html_()
        assert "&lt;i&gt;msa" in html
        assert "<i>msa" not in html
        assert found.report(tmp_path / "page.html").is_file()
        assert found.to_dict()

    def test_a_figure_is_shown_and_saved(self, folders: list[Path], tmp_path: Path) -> None:
        figure = benchsuite.load(folders[0]).figure("scatter")
        assert "data:image/svg+xml" in figure._repr_html_()
        assert figure.save(tmp_path / "figure.png").stat().st_size > 1000
        with pytest.raises(benchsuite.UsageError, match='no "jpg"'):
            figure.save(tmp_path / "figure.jpg")

    @pytest.mark.parametrize("option", ["kind", "metric", "reference", "kernel", "style"])
    def test_a_wrong_word_for_a_figure_is_refused_as_on_the_command_line(
        self, option: str, folders: list[Path], tmp_path: Path
    ) -> None:
        kind = [] if option == "kind" else ["--kind", "scatter"]
        answer = called("figure", folders[0], *kind, f"--{option}", "oops", "--out", tmp_path / "x.svg")
        with pytest.raises(benchsuite.UsageError) as raised:
            benchsuite.load(folders[0]).figure(**{option: "oops"})  # type: ignore[arg-type]
        assert str(raised.value) == answer.err.strip().removeprefix("--")

    def test_a_run_compared_with_itself_is_told_so(self, folders: list[Path]) -> None:
        found = benchsuite.compare(benchsuite.load(folders[0]), folders[0])
        assert "B is the same run as A" in str(found)
        assert "ndecided" not in str(found)

    @pytest.mark.parametrize(
        ("message", "arguments", "in_python"),
        [
            ('--kind: no "a"', ["kind"], 'kind: no "a"'),
            ("f: no; choose another --out", ["out"], "f: no; choose another out="),
            ("--set a=1", ["overrides"], "overrides a=1"),
            ("--slurm is no argument", ["out"], "--slurm is no argument"),
            ("go on (benchsuite run --resume r 1)", ["resume"], 'go on (benchsuite.run(resume="r 1"))'),
            (
                "r: holds a run; to go on with it use: --resume r",
                ["out"],
                "r: holds a run; name a new folder with out=",
            ),
        ],
    )
    def test_options_are_arguments_in_python(
        self, message: str, arguments: list[str], in_python: str
    ) -> None:
        assert reworded(message, arguments) == in_python

    def test_one_run_is_no_comparison(self, folders: list[Path]) -> None:
        with pytest.raises(benchsuite.UsageError) as raised:
            benchsuite.compare(folders[0])
        assert str(raised.value) == called("compare", folders[0]).err.strip()
