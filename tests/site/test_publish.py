"""A site of runs of several machines and dates: what it holds, what it refuses, and how it is built again."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import pytest

from benchsuite.errors import RunFolderError, UsageError
from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.site.publish import publish
from benchsuite.site.site_folder import MARKER, name_of
from tests.report.runs import on, written
from tests.report.synthetic import make_record

EVIL = "<script>alert(1)</script>"


def cells(slower: float = 1.0) -> list[Record]:
    return [
        make_record("MSA", target="msa", latency=0.02),
        make_record("HiLo", latency=0.01 * slower),
        make_record("HiLo", resolution=448, status="oom"),
        make_record(EVIL, target="my.mixers:Evil", latency=0.03),
    ]


def run(folder: Path, name: str, day: int = 1, gpu: str = "NVIDIA H200", slower: float = 1.0) -> Path:
    return written(
        on(cells(slower), day=day, gpu=gpu, title=f"HiLo {EVIL}", question="Is it & fast?"), folder / name
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of one machine, and one of another."""
    folder = tmp_path_factory.mktemp("runs")
    return [run(folder, "one"), run(folder, "two", day=2), run(folder, "other", day=3, gpu="NVIDIA A100")]


@pytest.fixture(scope="module")
def site(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sites") / "site"
    assert publish(runs, folder) == ["one", "two", "other"]
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Addresses(HTMLParser):
    """Everything that a page leads to or loads, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "data", "action") and value is not None and tag != "use":
                self.links.append(value)
            if name == "id" and value:
                self.ids.add(value)


def test_the_site_has_every_page(site: Path) -> None:
    assert {name for name in contents(site) if name.endswith(".html")} == {
        "index.html",
        "history.html",
        "machines/hilo.html",
        "mixers/hilo.html",
        "mixers/msa.html",
        "mixers/my-mixers-evil.html",
        "runs/one/report.html",
        "runs/other/report.html",
        "runs/two/report.html",
        *{f"trends/{path.name}" for path in (site / "trends").iterdir()},
    }
    assert len(list((site / "trends").iterdir())) == 1  # only the first machine has two runs


def test_every_link_is_relative_and_leads_to_something(site: Path) -> None:
    """Targets inside a page are checked too, so that a mixer's page leads to its row in the report."""
    pages = {path: Addresses(path.read_text()) for path in site.rglob("*.html")}
    seen = 0
    for path, page in pages.items():
        for link in page.links:
            assert not re.match(r"[a-z]+:|/", link), f"{path}: {link}"
            file, _, target = link.partition("#")
            leads = (path.parent / file).resolve() if file else path
            assert leads.is_file(), f"{path}: {link}"
            if target and leads in pages:
                assert target in pages[leads].ids, f"{path}: {link}"
            seen += 1
    assert seen > 30


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for name, data in contents(site).items():
        if name.endswith((".html", ".svg")):
            text = data.decode().replace("http://www.w3.org/", "")
            assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(["']?https?:""", text), (
                name
            )


def test_text_of_scenarios_and_records_is_shown_and_not_run(site: Path) -> None:
    for name, data in contents(site).items():
        if name.endswith((".html", ".svg")):
            assert EVIL not in data.decode().replace("<\\/script>", ""), name
    index = (site / "index.html").read_text()
    assert "HiLo &lt;script&gt;alert(1)&lt;/script&gt;" in index
    assert "Is it &amp; fast?" in index


def test_the_index_is_complete_without_scripts_and_has_words_to_search(site: Path) -> None:
    index = (site / "index.html").read_text()
    assert re.findall(r'<h3><a href="([^"]+)"', index) == [  # the latest first
        "runs/other/report.html",
        "runs/two/report.html",
        "runs/one/report.html",
    ]
    assert index.count('src="runs/') == 3
    assert '<div class="search" hidden>' in index
    assert 'data-words="MSA HiLo' in index
    assert "3 runs on 2 machines: 3 mixers, 9 measured cells." in index


def test_a_card_answers_the_question_with_the_headline_of_the_report(site: Path) -> None:
    cards = (site / "index.html").read_text().split("<li data-words")[1:]
    assert all("<p>HiLo is the fastest at 224 px: 2.00 times MSA.</p>" in card for card in cards)


def test_runs_of_one_title_are_told_apart_by_date_machine_and_versions() -> None:
    from benchsuite.site.contents import read_contents

    there = {"b": on(cells(), day=2), "c": on(cells(), day=2, gpu="NVIDIA A100")}
    told = {one.name: one.apart for one in read_contents({"a": on(cells()), **there}).runs}
    assert told == {
        "a": "2026-01-01, NVIDIA H200, commit 0000001",
        "b": "2026-01-02, NVIDIA H200, commit 0000002",
        "c": "2026-01-02, NVIDIA A100, commit 0000002",
    }
    same = read_contents({"a": on(cells()), "b": on(cells()), "x": on(cells(), title="Another")}).runs
    assert {one.name: one.apart for one in same} == {"a": "a", "b": "b", "x": ""}


def test_a_mixer_has_its_latest_results_on_every_machine(site: Path) -> None:
    page = (site / "mixers" / "hilo.html").read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["NVIDIA H200", "NVIDIA A100"]
    assert page.count("../runs/two/report.html#cell-hilo-224") == 1
    assert "runs/one/" not in page  # the second run has the same cells, later
    assert ">OOM<" in page


@pytest.mark.parametrize("mixer", ["hilo", "msa"])
def test_a_mixer_of_several_sizes_and_one_of_a_single_size_have_a_chart_on_every_machine(
    site: Path, mixer: str
) -> None:
    page = (site / "mixers" / f"{mixer}.html").read_text(encoding="utf-8")
    charts = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    assert len(charts) == 2
    assert all("<path" in chart and "<figcaption>" in chart for chart in charts)


def test_machines_are_compared_by_a_reference(site: Path) -> None:
    page = (site / "machines" / "hilo.html").read_text()
    assert "they differ in GPU" in page
    assert "Throughput as a multiple of that of MSA" in page


def test_a_thumbnail_is_a_picture_with_colours_for_light_and_dark(site: Path) -> None:
    from xml.etree import ElementTree as ET

    root = ET.fromstring((site / "runs" / "one" / "thumbnail.svg").read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme:dark" in "".join(root.itertext())


def test_a_report_leads_back_to_the_index(site: Path) -> None:
    assert '<a href="../../index.html">All reports</a>' in (site / "runs" / "one" / "report.html").read_text()


def test_the_site_holds_its_runs_whole(site: Path, runs: list[Path]) -> None:
    assert read_run(site / "runs" / "one").records == read_run(runs[0]).records


def test_publishing_again_changes_nothing(site: Path, runs: list[Path]) -> None:
    before = contents(site)
    publish(runs[:1], site)
    assert contents(site) == before
    publish([], site)
    assert contents(site) == before


def test_runs_one_by_one_give_the_same_site(site: Path, runs: list[Path], tmp_path: Path) -> None:
    for path in runs:
        publish([path], tmp_path)
    assert contents(tmp_path) == contents(site)


def test_removing_is_by_name_and_takes_all_of_a_run(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path, dirs_exist_ok=True)
    assert publish([], tmp_path, remove=["other"]) == ["one", "two"]
    assert not (tmp_path / "runs" / "other").exists()
    assert not (tmp_path / "machines").exists()  # one machine is left, so there is nothing to compare
    assert "runs/other" not in (tmp_path / "index.html").read_text()
    with pytest.raises(UsageError, match=r'no run "tow"; did you mean "two"\?\n  there are: one, two'):
        publish([], tmp_path, remove=["tow"])
    with pytest.raises(UsageError, match="no run would be left"):
        publish([], tmp_path, remove=["one", "two"])


def test_a_run_that_went_on_replaces_what_was_there(tmp_path: Path) -> None:
    path = run(tmp_path / "a", "one")
    publish([path], tmp_path / "site")
    with (path / "records.jsonl").open("a") as file:
        from benchsuite.results.codec import encode

        file.write(encode(make_record("Later")) + "\n")
    publish([path], tmp_path / "site")
    assert len(read_run(tmp_path / "site" / "runs" / "one").records) == 5


def test_two_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a", "one"), run(tmp_path / "b", "one", day=2)
    with pytest.raises(UsageError, match='two runs with the name "one"'):
        publish([first, second], tmp_path / "site")
    publish([first], tmp_path / "site")
    with pytest.raises(UsageError, match=r"holds another run with the name \"one\".*--remove one"):
        publish([second], tmp_path / "site")


def test_a_folder_with_other_things_is_not_written_to(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds other things \(thesis.tex\) and no benchsuite-site.json"):
        publish(runs[:1], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_checkout_of_a_pages_branch_is_as_good_as_empty(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "CNAME").write_text("bench.example")
    publish(runs[:1], tmp_path)
    assert (tmp_path / "CNAME").read_text() == "bench.example"


def test_a_strangers_file_in_a_site_is_never_written_over(
    site: Path, runs: list[Path], tmp_path: Path
) -> None:
    shutil.copytree(site, tmp_path, dirs_exist_ok=True)
    publish([], tmp_path, remove=["two"])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "runs" / "two").mkdir()
    (tmp_path / "runs" / "two" / "report.html").write_text("mine, too")
    with pytest.raises(UsageError, match=r"runs/two/report\.html is there and was not written by"):
        publish(runs[1:2], tmp_path)
    assert (tmp_path / "runs" / "two" / "report.html").read_text() == "mine, too"
    publish([], tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"site": 9, "files": []}', "site version 9"),
        ('{"site": 1, "files": ["../../etc/passwd"]}', "not inside the site"),
        ('{"site": 1, "files": ["/etc/passwd"]}', "not inside the site"),
    ],
)
def test_a_list_that_is_wrong_or_wicked_is_refused(
    runs: list[Path], tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / MARKER).write_text(text)
    with pytest.raises(UsageError, match=message):
        publish(runs[:1], tmp_path)


def test_what_is_no_run_and_what_is_no_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such folder"):
        publish([tmp_path / "nowhere"], tmp_path / "site")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; --site wants a folder"):
        publish([], tmp_path / "file")
    with pytest.raises(UsageError, match="no runs, and"):
        publish([], tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_an_empty_run_has_its_page(tmp_path: Path) -> None:
    path = written(on([]), tmp_path / "empty")
    publish([path], tmp_path / "site")
    index = (tmp_path / "site" / "index.html").read_text()
    assert "0 cells" in index
    assert "<img" not in index


def test_nothing_of_where_a_run_lay_is_on_the_pages(tmp_path: Path) -> None:
    path = run(tmp_path / "secret-place", "one")
    with (path / "records.jsonl").open("a") as file:
        file.write('{"torn')
    publish([path], tmp_path / "site")
    for name, data in contents(tmp_path / "site").items():
        assert "secret-place" not in data.decode(), name


def test_names_are_those_of_folders_made_fit_for_an_address(tmp_path: Path) -> None:
    assert name_of(Path("runs/hilo-2026.01_x")) == "hilo-2026.01_x"
    assert name_of(Path("runs/mine & <yours>")) == "mine-yours"
    assert name_of(Path("runs/→")) == "run"


def test_a_step_is_on_the_history_page_and_in_its_trend() -> None:
    from benchsuite.site.contents import read_contents
    from benchsuite.site.pages import pages

    latencies = [0.01 * (1 + 0.001 * (day % 3)) * (1.1 if day > 6 else 1) for day in range(1, 13)]
    runs = {
        f"r{day:02d}": on([make_record(latency=latency)], day=day, path=f"r{day:02d}")
        for day, latency in enumerate(latencies, start=1)
    }
    made = pages(read_contents(runs), runs)
    assert "0000006..0000007" in made["history.html"]
    (page,) = (text for name, text in made.items() if name.startswith("trends/"))
    assert "12 runs, 1 cell, 1 with a step" in page
    assert page.count('<polyline class="level"') == 2
    assert '<svg class="line"' in page


def test_a_report_is_made_again_only_if_its_run_changed(
    site: Path, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchsuite.site import publish as module

    def shown(name: str, run: object) -> dict[str, bytes]:
        raise AssertionError(f"{name} is drawn again")

    monkeypatch.setattr(module, "_shown", shown)
    publish(runs, site)
    monkeypatch.setattr(module, "_code", lambda: b"another benchsuite")
    with pytest.raises(AssertionError, match="one is drawn again"):
        publish(runs, site)


def test_the_list_names_every_file_and_nothing_else(site: Path) -> None:
    listed = json.loads((site / MARKER).read_text())["files"]
    assert set(listed) == set(contents(site)) - {MARKER}
    assert all(not PurePosixPath(name).is_absolute() for name in listed)


def test_a_record_with_a_resumed_session_is_of_that_sessions_machine(tmp_path: Path) -> None:
    from benchsuite.site.contents import read_contents

    here = on(cells())
    other = on(cells(), gpu="NVIDIA A100").environment
    second = dataclasses.replace(cells()[0], session=2)
    run = dataclasses.replace(
        here, records=(*here.records[1:], second), environments={1: here.environment, 2: other}
    )
    contents = read_contents({"x": run})
    assert {cell.machine for cell in contents.cells} == {"NVIDIA H200", "NVIDIA A100"}
    assert contents.runs[0].machines == "NVIDIA H200 and NVIDIA A100"
