"""A large run stays a file that can be mailed, and the page says what is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.report import numbers
from benchsuite.report import page as report_page
from benchsuite.report.explore import explorer
from benchsuite.report.explore.embed import pack, unpack
from benchsuite.report.figures import on_page
from benchsuite.report.page import render
from tests.report.synthetic import make_record, make_run, realistic
from tests.report.test_page import Page


def test_figures_that_find_no_room_are_named_and_still_written_to_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_page, "MOST_DRAWN", 8)
    records = [make_record(n, batch=b, resolution=r) for n in "abcd" for b in (1, 64) for r in (224, 448)]
    run = make_run(records)
    plain = render([run], out=tmp_path / "plain.html")
    filed = render([run], out=tmp_path / "drawn.html", figures=tmp_path / "figures")
    assert plain.read_text(encoding="utf-8") == filed.read_text(encoding="utf-8")
    found = Page(plain.read_text(encoding="utf-8"))
    assert found.figures  # those of the first group
    (said,) = [text for text in found.within("p") if "not in this file" in text]
    assert said.startswith("The figures of 8 cells are not in this file")
    files = {path.stem for path in (tmp_path / "figures").glob("*.pdf")}
    assert {
        f"{name}-batch-{batch}" for name in ("macs-vs-throughput", "over-resolution") for batch in (1, 64)
    } <= files


def test_a_long_table_is_cut_and_says_where_the_rest_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "MOST_ROWS", 3)
    found = Page(render([make_run([make_record(n) for n in "abcde"])], out=tmp_path / "r.html").read_text())
    assert len([id for id in found.attributes("id") if id.startswith("cell-")]) == 3
    (caption,) = [text for text in found.within("span") if text.startswith("The first 3 of 5 cells.")]
    assert "benchsuite extract" in caption


def test_samples_that_are_not_in_the_file_are_counted_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run([make_record(f"m{i}", samples=300) for i in range(9)])
    whole = render([run], out=tmp_path / "whole.html").read_text(encoding="utf-8")
    assert "timed cells are not in this file" not in whole
    monkeypatch.setattr(report_page, "ROOM_BYTES", 0)
    cut = render([run], out=tmp_path / "cut.html").read_text(encoding="utf-8")
    assert "The samples of 9 of 9 timed cells are not in this file" in cut


def test_names_look_alike_in_all_runs_of_a_page() -> None:
    frames = [realistic((224,), names=names) for names in (("msa", "hilo"), ("hilo", "performer"))]
    page = report_page.build([make_run(records) for records in frames])
    table = unpack(page.explorer.blocks["benchsuite-table"])[0]
    assert list(table["looks"]) == ["msa", "hilo", "performer"]
    assert [run["prefix"] for run in table["runs"]] == ["cell-", "run2-cell-"]
    assert table["noun"] == "Mixer"


def test_the_library_is_what_the_package_vendors_and_its_licences_are_in_the_page() -> None:
    page = report_page.build([make_run([make_record()])])
    vendored = Path(explorer.__file__).parent / "vendor"
    for name, file in (("d3", "d3.min.js"), ("plot", "plot.umd.min.js")):
        text = (vendored / file).read_text(encoding="utf-8")
        assert page.explorer.blocks[f"benchsuite-library-{name}"] == explorer.embed.pack_text(text)
    assert page.explorer.notices.count("Permission to use, copy, modify, and/or distribute") == 2


def test_vendored_files_are_those_of_the_sums() -> None:
    import hashlib

    vendored = Path(explorer.__file__).parent / "vendor"
    for line in (vendored / "SHA256SUMS").read_text().splitlines():
        sum_, name = line.split()
        assert hashlib.sha256((vendored / name).read_bytes()).hexdigest() == sum_


def test_scripts_hold_nothing_that_would_end_them() -> None:
    script = str(explorer.assemble([]).script)
    assert "</script" not in script
    assert "<!--" not in script
    assert "innerHTML" not in script  # texts of users go in as text


def test_the_same_data_are_packed_into_the_same_text() -> None:
    assert pack({"a": [1.5, None, "ü"]}) == pack({"a": [1.5, None, "ü"]})
    assert unpack(pack({"a": [1.5, None, "ü"]}))[0] == {"a": [1.5, None, "ü"]}
