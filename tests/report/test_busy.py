"""Wall and device time: the sentence where it is true and where it is not, and the bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.patches import Rectangle

from benchsuite.analyse.flags import flags
from benchsuite.report import theme
from benchsuite.report.busy import MOST_ROWS, waits, wall_and_busy
from benchsuite.report.canvas import Drawing
from benchsuite.report.html import render
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Busy, Record
from tests.report.synthetic import make_record, make_run


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def busy(name: str, wall: float, works: float, **cell: object) -> Record:
    record = make_record(name, latency=wall, **cell)  # type: ignore[arg-type]
    assert record.timing is not None
    return replace(record, timing=replace(record.timing, busy=Busy(seconds=works, method="cuda_graph")))


def drawn(records: Sequence[Record]) -> Drawing:
    frame = to_frame(records)
    drawing = wall_and_busy(frame, theme.looks(frame["name"]))
    assert drawing is not None
    return drawing


def widths(drawing: Drawing, record: Record) -> list[float]:
    (ax,) = drawing.figure.axes
    patches = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [patch.get_width() for patch in patches if patch.get_gid() == f"cell:{record.id}"]


def test_launch_bound_cells_are_named_those_that_wait_most_first() -> None:
    cells = [busy("a", 0.010, 0.009), busy("b", 0.010, 0.008), busy("c", 0.010, 0.004)]
    assert waits(to_frame(cells)) == (
        "2 of 3 cells are launch-bound, with a step that takes more than 1.2 times as long as the device "
        "works: c (2.50 times) and b (1.25 times). Such a time says more of the host than of the device."
    )
    assert waits(to_frame(cells[:2])).startswith("1 of 2 cells is launch-bound")


def test_a_sentence_and_a_flag_agree_on_who_is_launch_bound() -> None:
    for works in (0.0083, 0.0084):
        record = busy("a", 0.010, works)
        flagged = "launch_bound" in flags(record.cell, record.timing, None)
        assert flagged == waits(to_frame([record])).startswith("1 of 1 cell is launch-bound")
        assert flagged == (works == 0.0083)


def test_where_nobody_waits_the_longest_wait_is_told() -> None:
    cells = [busy("a", 0.010, 0.0095), busy("b", 0.010, 0.0090)]
    assert waits(to_frame(cells)) == (
        "None of 2 cells is launch-bound: no step takes more than 1.2 times as long as the device works. The "
        "device works for at least 90 % of the wall time (b)."
    )
    assert waits(to_frame(cells[:1])).startswith("The only watched cell is not launch-bound")


def test_size_and_kernel_are_said_where_there_are_several() -> None:
    cells = [busy("a", 0.01, 0.004), busy("a", 0.02, 0.02, resolution=448, kernel="flash")]
    assert "a at 224 px on math (2.50 times)." in waits(to_frame(cells))


def test_a_resolution_at_which_all_are_launch_bound_is_named_as_a_whole() -> None:
    small = [busy(name, 0.01, works) for name, works in zip("abc", (0.002, 0.004, 0.005), strict=True)]
    large = [busy("a", 0.10, 0.05, resolution=448), busy("b", 0.10, 0.10, resolution=448)]
    told = waits(to_frame([*small, *large]))
    assert told.startswith("4 of 5 cells are launch-bound")
    assert "works: all 3 at 224 px (up to 5.00 times) and a at 448 px (2.00 times)." in told
    singly = waits(to_frame([*small[:2], busy("c", 0.01, 0.01), *large]))
    assert "works: a at 224 px (5.00 times), b at 224 px (2.50 times) and a at 448 px (2.00 times)." in singly


def test_cells_that_were_not_watched_are_not_spoken_of() -> None:
    assert waits(to_frame([make_record("a"), make_record("b", status="oom")])) == ""
    assert waits(to_frame([make_record("a"), busy("b", 0.01, 0.004)])).startswith("1 of 1 cell is")


def test_a_bar_is_cut_where_the_device_stops_working() -> None:
    waiting, working, overlapping = busy("a", 0.010, 0.004), busy("b", 0.010, 0.010), busy("c", 0.010, 0.011)
    drawing = drawn([working, waiting, overlapping])
    assert widths(drawing, waiting) == pytest.approx([0.4, 0.6])
    assert widths(drawing, working)[0] == pytest.approx(1.0)
    assert widths(drawing, overlapping) == pytest.approx([1.1])
    (ax,) = drawing.figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    assert ax.get_xlim()[1] == pytest.approx(1.1)
    assert "10 ms" in [text.get_text() for text in ax.texts]


def test_those_that_wait_most_are_drawn_and_the_others_counted() -> None:
    drawing = drawn([busy(f"m{i}", 0.01, 0.001 * (1 + i / 10)) for i in range(MOST_ROWS + 3)])
    assert len(drawing.figure.axes[0].get_yticks()) == MOST_ROWS
    assert f"the {MOST_ROWS} of {MOST_ROWS + 3} cells that wait most" in drawing.caption


def test_the_page_shows_it_where_it_was_measured_whatever_sections_the_scenario_names(tmp_path: Path) -> None:
    def page(record: Record, name: str) -> str:
        run = make_run([record], report={"sections": ["scatter"]})
        return render([run], out=tmp_path / name).read_text()

    watched, without = page(busy("a", 0.01, 0.004), "a.html"), page(make_record("a"), "b.html")
    assert "Wall time and device time" in watched
    assert "<dt>Launch-bound</dt>" in watched
    assert "Wall time and device time" not in without
    assert "<dt>Launch-bound</dt>" not in without
