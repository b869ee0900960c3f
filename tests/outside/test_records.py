"""A records file that was edited: every command skips the line and names it; no gate passes on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks._called import Answer, called
from benchsuite.results.codec import decode, encode
from benchsuite.results.join import index
from benchsuite.results.record import Check, Conditions, Failure
from benchsuite.results.store import RECORDS, RunWriter, read_run
from tests.builders import make_cell, make_record

RUN = Path(__file__).parents[1] / "data" / "outside" / "run"

Data = dict[str, Any]


def timed(*samples: object) -> Callable[[Data], object]:
    """Samples in place of those that were measured: these first, then what was."""

    def edit(data: Data) -> None:
        timing = data["timing"]
        timing["samples_s"] = [*samples, *timing["samples_s"][len(samples) :]]

    return edit


def put(path: str, value: object) -> Callable[[Data], object]:
    """Another value at "cost.macs"."""
    *way, last = path.split(".")

    def edit(data: Data) -> None:
        for key in way:
            data = data[key]
        data[last] = value

    return edit


EDITS: dict[str, Callable[[Data], object]] = {
    "NaN": timed(float("nan")),
    "infinite": timed(float("inf")),
    "zero": timed(0.0),
    "zero integer": timed(0),
    "negative": timed(-0.01),
    "text": timed("slow"),
    "none": put("timing.samples_s", []),
    "absent": lambda data: data["timing"].pop("samples_s"),
    "no number": put("timing.samples_s", None),
    "huge count": put("cost.macs", 10**400),
    "large count": put("cost.macs", 10**19),
    "negative count": put("cost.params", -1),
    "negative operators": put("cost.other_ops", {"softmax": -1}),
    "negative memory": put("memory.peak_allocated_bytes", -1),
    "huge memory": put("memory.weights_bytes", 1 << 63),
    "no stride": put("cell.stride", 0),
    "no images": put("cell.batch", 0),
    "too coarse": put("cell.stride", 10_000),
    "huge batch": put("cell.batch", 1 << 70),
    "rounds of another timing": put("timing.rounds", [1, 1]),
    "negative round": put("timing.rounds", [-1, 11]),
    "NaN within": put("conditions", {"before": {"a": [float("nan")]}, "after": {}}),
    "infinite precision": put("timing.precision", float("-inf")),
    "negative time": put("seconds", -1.0),
    "negative part of a time": put("spent", {"start_s": 0.0, "build_s": -1.0, "inspection_s": 0.0}),
    "huge session": put("session", 1 << 64),
    "another status": put("status", "splendid"),
    "the id of another cell": put("id", "msa-128-b2-fp32-math-00000000"),
    "no cell": lambda data: data.pop("cell"),
}
READERS = {
    "report": lambda run, out: called("report", run, "--out", out / "report.html"),
    "csv": lambda run, out: called("export", run, "--out", out / "r.csv"),
    "markdown": lambda run, out: called("export", run, "--format", "markdown"),
    "parquet": lambda run, out: called("export", run, "--format", "parquet", "--out", out / "r.parquet"),
    "claims": lambda run, out: called("claims", run),
    "status": lambda run, out: called("status", run),
    "compare": lambda run, out: called("compare", RUN, run),
    "history": lambda run, out: called("history", run.parent),
    "publish": lambda run, out: called("publish", run, "--site", out / "site"),
    "merge": lambda run, out: called("merge", run, "--out", out / "merged"),
    "baseline": lambda run, out: called("baseline", "update", run, "--out", out / "baselines"),
}


def edited(folder: Path, edit: Callable[[Data], object], line: int = 0) -> Path:
    """A copy of the run, one of its records edited."""
    shutil.copytree(RUN, folder)
    lines = (folder / RECORDS).read_text(encoding="utf-8").splitlines()
    data = json.loads(lines[line])
    edit(data)
    lines[line] = json.dumps(data)
    (folder / RECORDS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def baseline(tmp_path: Path) -> Path:
    """What the run was before anybody edited it."""
    assert called("baseline", "update", RUN, "--out", tmp_path / "baselines").code == 0
    (file,) = (tmp_path / "baselines").glob("*.json")
    return file


def gated(run: Path, file: Path, *words: str) -> Answer:
    return called("gate", run, "--baseline", file, *words)


@pytest.mark.parametrize("how", EDITS)
def test_the_line_is_skipped_and_named_with_its_reason(tmp_path: Path, how: str) -> None:
    run = read_run(edited(tmp_path / "run", EDITS[how]))
    assert [record.cell.name for record in run.records] == ["msa"]
    (warning,) = run.warnings
    assert warning.startswith(f"{tmp_path}/run/{RECORDS}:1: skipped: ")
    assert len(warning) < 500
    assert "\n" not in warning


@pytest.mark.parametrize("how", ["NaN", "none", "no cell"])
def test_a_gate_that_meets_it_exits_with_3(tmp_path: Path, how: str) -> None:
    answer = gated(edited(tmp_path / "run", EDITS[how]), baseline(tmp_path), "--missing", "warn")
    assert answer.code == 3
    assert f"{RECORDS}:1: skipped" in answer.out


def test_a_gate_that_meets_it_exits_with_3_even_where_another_line_has_the_cell(tmp_path: Path) -> None:
    run = edited(tmp_path / "run", EDITS["negative"])
    with (run / RECORDS).open("a", encoding="utf-8") as file:
        file.write((RUN / RECORDS).read_text(encoding="utf-8").splitlines()[0] + "\n")
    assert gated(run, baseline(tmp_path)).code == 3


def test_a_gate_exits_with_3_where_the_timing_is_gone(tmp_path: Path) -> None:
    answer = gated(edited(tmp_path / "run", lambda data: data.pop("timing")), baseline(tmp_path))
    assert answer.code == 3
    assert "the baseline has times of it" in answer.out


def test_a_gate_of_the_run_as_it_is_does_not_complain(tmp_path: Path) -> None:
    assert gated(RUN, baseline(tmp_path)).code == 0


@pytest.mark.parametrize("reader", READERS)
def test_every_command_names_it_and_goes_on(tmp_path: Path, reader: str) -> None:
    run = edited(tmp_path / "runs" / "run", EDITS["NaN"])
    answer = READERS[reader](run, tmp_path)
    assert answer.code == 0
    assert f"{RECORDS}:1: skipped: " in " ".join(f"{answer.out} {answer.err}".split())
    assert "Traceback" not in answer.err


def test_a_byte_order_mark_costs_nothing(tmp_path: Path) -> None:
    run = shutil.copytree(RUN, tmp_path / "run")
    for path in run.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    read, plain = read_run(run), read_run(RUN)
    assert (read.records, read.environment, read.warnings) == (plain.records, plain.environment, ())
    assert gated(run, baseline(tmp_path)).code == 0
    raw, ids = (run / RECORDS).read_bytes(), {record.id for record in read.records}
    for entry in index(run, 0, {}, {})[0].values():
        assert decode(raw[entry.offset : entry.offset + entry.size].decode()).id in ids
    (run / RECORDS).write_bytes(raw.splitlines()[0])  # as a resume finds it that was cut off behind the brace
    RunWriter.resume(run, None).close()
    assert read_run(run).records == plain.records[:1]


def test_a_complete_last_line_that_cannot_be_true_is_not_called_torn(tmp_path: Path) -> None:
    run = edited(tmp_path / "run", EDITS["zero"], line=1)
    (run / RECORDS).write_text((run / RECORDS).read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    assert read_run(run).warnings == (f"{run / RECORDS}:2: skipped: its samples are not all positive",)


@pytest.mark.parametrize("depth", [100, 300, 5_000, 200_000])
def test_depth_costs_a_line_and_not_the_command(tmp_path: Path, depth: int) -> None:
    run = shutil.copytree(RUN, tmp_path / "run")
    first, second = (run / RECORDS).read_text(encoding="utf-8").splitlines()
    deep = first.replace('"config":{}', f'"config":{{"a":{"[" * depth}{"]" * depth}}}')
    assert deep != first
    (run / RECORDS).write_text(f"{deep}\n{second}\n", encoding="utf-8")
    assert [record.cell.name for record in read_run(run).records] == ["msa"]


def test_half_a_character_in_a_message_or_a_command_does_not_stop_a_run(tmp_path: Path) -> None:
    failure = Failure(stage="time", kind="E\udcff", message="\udc80 is half", traceback="at \ud800")
    odd = make_record(make_cell(batch=3), status="error", failure=failure)
    writer = RunWriter.create(tmp_path / "run", {"name": "half \ud800"}, {"command": ["run", "\udcff"]})
    for record in (odd, make_record(conditions=Conditions(before={"watts": float("nan")}))):
        writer.append(record)
    writer.close()
    run = read_run(tmp_path / "run")
    assert run.warnings == ()
    assert run.scenario == {"name": "half \\ud800"}
    assert run.environment == {"command": ["run", "\\udcff"]}
    assert run.records[0].failure == Failure(
        stage="time", kind="E\\udcff", message="\\udc80 is half", traceback="at \\ud800"
    )
    assert run.records[1].conditions == Conditions(before={"watts": None})


def test_a_message_of_ten_megabytes_is_a_short_line_with_both_its_ends() -> None:
    long = "x" * 10**7
    failure = Failure(stage="time", kind=long, message=f"first {long} last", traceback=long)
    line = encode(make_record(status="error", failure=failure))
    assert len(line) < 20_000
    read = decode(line).failure
    assert read == failure
    assert read is not None
    assert read.message.startswith("first xxx")
    assert read.message.endswith("xxx last")
    assert "characters and more left out" in read.message


def test_why_a_cell_could_not_be_compared_is_bounded_too() -> None:
    check = Check(reference="math fp32", error=None, tolerance=0.1, images=1, reason="\ud800" + "x" * 10**6)
    read = decode(encode(make_record(check=check))).check
    assert read == check
    assert read is not None
    assert len(read.reason) == 2_000
