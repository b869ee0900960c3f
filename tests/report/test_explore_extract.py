"""What goes into a report comes out of it again, and what cannot is said."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest

from benchsuite.cli import main
from benchsuite.errors import RecordVersionError, UsageError
from benchsuite.report.explore import embed
from benchsuite.report.explore.extract import PARTIAL, extract, write
from benchsuite.report.page import render
from benchsuite.results.store import Run, read_run
from tests.report.synthetic import ENVIRONMENT, make_record, make_run

EVIL = "</script><!-- <script>alert(1)</script>"


def small(**scenario: object) -> Run:
    return make_run(
        [
            make_record("a"),
            make_record(EVIL, status="oom", reason=EVIL),
            make_record("b", macs=None),
        ],
        **scenario,
    )


def test_a_run_folder_comes_back_whole(tmp_path: Path, repository: Path) -> None:
    folder = repository / "reports" / "acmix-cpu"
    page = render([read_run(folder)], out=tmp_path / "report.html")
    (out,) = write(extract(page), tmp_path / "out")
    assert {path.name for path in out.iterdir()} == {"scenario.json", "environment.json", "records.jsonl"}
    assert read_run(out).records == read_run(folder).records
    for name in ("scenario.json", "environment.json"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()


def test_several_runs_and_sessions_come_back_each_in_its_folder(tmp_path: Path) -> None:
    again = dataclasses.replace(
        small(title="Two"), environments={1: ENVIRONMENT, 2: ENVIRONMENT | {"machine": "other"}}
    )
    page = render([small(title="One"), again], out=tmp_path / "report.html")
    folders = write(extract(page), tmp_path / "out")
    assert folders == [tmp_path / "out" / "run1", tmp_path / "out" / "run2"]
    back = [read_run(folder) for folder in folders]
    assert [run.scenario["title"] for run in back] == ["One", "Two"]
    assert back[1].environments[2]["machine"] == "other"
    assert [run.records for run in back] == [small().records, small().records]


def test_no_text_of_a_record_can_end_the_block_that_holds_it(tmp_path: Path) -> None:
    page = render([small(title=EVIL)], out=tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<!--" not in page
    blocks = re.findall(r'<script type="application/[a-z]+" id="([a-z0-9-]+)">([^<]*)</script>', page)
    assert [id for id, _ in blocks] == [
        "benchsuite-manifest",
        "benchsuite-table",
        "benchsuite-run1-records",
        "benchsuite-run1-samples",
        "benchsuite-run1-texts",
        "benchsuite-library-d3",
        "benchsuite-library-plot",
    ]
    assert json.loads(dict(blocks)["benchsuite-manifest"])["runs"][0]["title"] == EVIL


def test_samples_that_find_no_room_are_left_out_counted_and_marked(tmp_path: Path) -> None:
    records = [
        dataclasses.replace(make_record(f"m{i}", samples=200, seed=i), flags=("drift",) if i == 39 else ())
        for i in range(40)
    ]
    whole = embed.embed(make_run(records), "run1", "T")
    assert (whole.cells, whole.timed, whole.kept) == (40, 40, 40)
    room = sum(map(len, whole.blocks.values())) // 2
    cut = embed.embed(make_run(records), "run1", "T", room=room)
    assert 0 < cut.kept < 40
    assert sum(map(len, cut.blocks.values())) <= room
    page = tmp_path / "page.html"
    blocks = [f'<script type="application/gzip" id="{id}">{text}</script>' for id, text in cut.blocks.items()]
    manifest = f'<script type="application/json" id="{embed.MANIFEST}">{embed.manifest([cut], "1")}</script>'
    page.write_text("\n".join([manifest, *blocks]))
    (found,) = extract(page)
    assert found.run.records == (*records[: cut.kept - 1], records[39])  # the flagged one kept its samples
    assert len(found.partial) == 40 - cut.kept
    left = json.loads(found.partial[0])
    assert (left["timing"]["samples_s"], left["timing"]["left_out"]) == ([], 200)
    (out,) = write([found], tmp_path / "out")
    assert (out / PARTIAL).read_text().count("\n") == 40 - cut.kept
    assert len(read_run(out).records) == cut.kept


def test_records_are_kept_whatever_the_room() -> None:
    assert embed.embed(small(), "run1", "T", room=0).kept == 0
    records = embed.embed(small(), "run1", "T", room=0).blocks["benchsuite-run1-records"]
    assert embed.unpack(records)[0]["records"]


def broken(page: str, how: str) -> str:
    if how == "base64":
        return re.sub(r'(id="benchsuite-run1-records">).{40}', r"\1" + "!" * 40, page)
    if how == "cut":
        return page[: page.index('id="benchsuite-run1-samples"')]
    if how == "gzip":
        return re.sub(r'(id="benchsuite-run1-samples">.{30}).{8}', r"\1AAAAAAAA", page)
    return page.replace('"runs":[{"key"', '"runs":[{"kez"')


@pytest.mark.parametrize("how", ["base64", "cut", "gzip", "manifest"])
def test_damaged_data_are_named_and_nothing_is_written(tmp_path: Path, how: str) -> None:
    page = render([small()], out=tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert broken(text, how) != text
    page.write_text(broken(text, how), encoding="utf-8")
    with pytest.raises(UsageError, match=r"report\.html: the records in it are damaged"):
        extract(page)


def test_a_newer_report_says_to_update(tmp_path: Path) -> None:
    page = render([small()], out=tmp_path / "report.html")
    text = page.read_text(encoding="utf-8").replace('{"format":1', '{"format":99')
    page.write_text(text, encoding="utf-8")
    with pytest.raises(RecordVersionError, match="made by a newer benchsuite"):
        extract(page)


def test_the_command_says_what_it_wrote_and_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(name: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchsuite", "extract", name])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0), *capsys.readouterr()

    render([small()], out=tmp_path / "my report.html")
    monkeypatch.chdir(tmp_path)
    assert call("my report.html") == (0, "my report  3 records\n", "")
    assert read_run(tmp_path / "my report").records == small().records
    (tmp_path / "other.html").write_text("<html></html>")
    wrong = {
        "my report.html": "my report: is not empty; name a new folder with --out\n",
        "other.html": "other.html: holds no records: it is not a report of benchsuite, "
        "or an old one that had none\n",
        "absent.html": "absent.html: cannot be read: No such file or directory\n",
    }
    for name, message in wrong.items():
        assert call(name) == (2, "", message)
