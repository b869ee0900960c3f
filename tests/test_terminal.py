"""Progress while a sweep runs, and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from benchsuite import terminal
from benchsuite.labels import describe_cell
from benchsuite.mixers import MIXERS
from benchsuite.results.record import Failure
from benchsuite.runner.observer import Observer
from benchsuite.terminal import fitted
from benchsuite.zoo import listing
from benchsuite.zoo.catalogue import mixer_entries
from tests.builders import make_cell, make_record

ROWS = [
    {"name": "msa", "year": "2017", "summary": "every token attends to every token, and that is dear"},
    {"name": "window", "year": "2021", "summary": "short"},
]


def test_a_record_in_words_has_its_median_interval_and_count() -> None:
    record = make_record(samples=[0.010, 0.010, 0.011, 0.010, 0.012], rounds=[1, 2, 2])
    # Medians of 10, 10.5 and 11 ms: the mean of their logarithms ± 4.303 standard errors.
    assert terminal.describe_result(record, {}) == "10.5 ms [9.321 ms, 11.81 ms]  n=5, stopped by samples"


def test_below_three_rounds_there_is_no_interval() -> None:
    assert terminal.describe_result(make_record(), {}) == "11 ms  n=3, stopped by samples"


def test_a_failure_in_words_has_its_reason() -> None:
    assert terminal.describe_result(make_record(status="oom"), {}) == "oom: a planted oom"
    expected = make_record(status="oom", expected=True)
    assert terminal.describe_result(expected, {}) == "oom (expected): a planted oom"


def test_a_cell_in_words_names_every_axis_that_people_sweep() -> None:
    cell = make_cell(resolution=(224, 448), kernel="sdpa")
    assert describe_cell(cell) == "MSA  224×448 px  batch 2  fp32  sdpa  cpu"
    unusual = make_cell(compile="default", cache="cold", threads=1, protocol="timm")
    assert describe_cell(unusual).endswith("math  cpu  default  cold  timm  1 thread")


def test_the_display_fits_stdout_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert isinstance(terminal.observer(quiet=False, verbose=False), terminal.LiveProgress)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert type(terminal.observer(quiet=False, verbose=False)) is terminal.PlainProgress
    assert type(terminal.observer(quiet=True, verbose=True)) is Observer


def test_plain_lines_count_what_was_measured_earlier(capsys: pytest.CaptureFixture[str]) -> None:
    display = terminal.PlainProgress(verbose=True)
    failure = Failure(stage="time", kind="KeyError", message="planted", traceback="the frames")
    display.begin(total=3, done=1)
    display.cell_begins(make_cell())
    display.cell_ends(make_record(status="error", failure=failure), {})
    display.end()
    assert capsys.readouterr().out.splitlines() == [
        "3 cells, 1 of them measured earlier",
        "MSA  64 px  batch 2  fp32  math  cpu …",
        "[2/3] MSA  64 px  batch 2  fp32  math  cpu  error: planted",
        "the frames",
    ]


def test_the_bar_shows_the_cell_and_keeps_failures(capsys: pytest.CaptureFixture[str]) -> None:
    display = terminal.LiveProgress(verbose=False)
    display.begin(total=2, done=0)
    display.cell_begins(make_cell(name="[bold]MSA"))
    display.cell_ends(make_record(), {})
    display.cell_ends(make_record(make_cell(name="HiLo"), status="oom"), {})
    assert display._completed() == 2
    display.end()
    out = capsys.readouterr().out
    assert "HiLo  64 px  batch 2  fp32  math  cpu  oom: a planted oom" in out
    assert "2/2" in out
    assert "[bold]MSA" in out  # a label is text, not markup


def test_the_live_view_shows_what_workers_do_how_fast_and_how_many_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = terminal.LiveProgress(verbose=False)
    display.begin(total=9, done=4)
    doing = {f"node-{i}": f"3 cells [red]{i}" for i in range(terminal.MOST_WORKERS + 2)}
    display.workers(doing)
    display.cell_ends(make_record(status="crash"), {})
    pace = display._pace()
    display.end()
    out = capsys.readouterr().out
    assert "node-0  3 cells [red]0" in out
    assert "and 2 more" in out
    assert f"node-{terminal.MOST_WORKERS}" not in out
    assert pace.endswith("/min, 1 failed")
    Observer().workers(doing)


def test_visits_move_the_bar_and_never_beyond_their_cell() -> None:
    display = terminal.LiveProgress(verbose=False)
    display.begin(total=4, done=0)
    cells = [make_cell(name=name) for name in "abcd"]
    completed = []
    for _ in range(3):
        for cell in cells:
            display.cell_begins(cell)
            completed.append(display._completed())
    for cell in cells:
        display.cell_ends(make_record(cell), {})
        completed.append(display._completed())
    display.end()
    assert completed == sorted(completed)
    assert completed[4] == 0 < completed[11] < 4
    assert completed[-1] == 4


def test_what_fits_is_a_line_a_row() -> None:
    assert fitted(ROWS, 80).splitlines() == [
        "name    year  summary",
        "msa     2017  every token attends to every token, and that is dear",
        "window  2021  short",
    ]
    assert fitted(ROWS, 80) == fitted(ROWS, sys.maxsize)


def test_the_last_column_wraps_in_its_place_where_there_is_room_for_it() -> None:
    assert fitted(ROWS, 52).splitlines() == [
        "name    year  summary",
        "msa     2017  every token attends to every token,",
        "              and that is dear",
        "window  2021  short",
    ]


def test_without_that_room_what_does_not_fit_goes_below() -> None:
    assert fitted(ROWS, 40).splitlines() == [
        "name    year",
        "    summary",
        "msa     2017",
        "    every token attends to every token,",
        "    and that is dear",
        "window  2021",
        "    short",
    ]


def test_columns_that_go_below_follow_each_other() -> None:
    assert fitted(ROWS, 10).splitlines()[:2] == ["name", "    year ·"]
    assert "    2017 ·" in fitted(ROWS, 10).splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_mixer_is_whole_and_within_the_terminal(width: int) -> None:
    rows = [listing.row(entry) for entry in mixer_entries() if entry.name in MIXERS]
    text = fitted(rows, width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for row in rows:
        assert row["name"] in words
    # Nothing is lost: the words are those of the table that no edge cuts, in any order.
    assert sorted(word for word in words if word != "·") == sorted(
        word for word in fitted(rows, sys.maxsize).split() if word != "·"
    )


def test_lines_are_printed_when_their_rows_come(capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> Iterator[tuple[tuple[str, ...], None]]:
        yield ("hilo", "1", "a text that is longer than any line of a terminal " * 5), None
        assert capsys.readouterr().out.count("\n") == 2
        yield ("a long name", "2", ""), None

    terminal.print_lines([("name", 6), ("n", 0), ("why", 0)], rows())
    assert capsys.readouterr().out == "a long name  2\n"
