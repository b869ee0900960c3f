"""Figures as wide as a column: what is drawn, how wide, and with which fonts."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchsuite.errors import UsageError
from benchsuite.report import column_bars, column_lines, litv2, theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.context import SECTIONS
from benchsuite.report.html import render
from benchsuite.report.operators import with_profiles
from benchsuite.report.roof import with_roofs
from benchsuite.report.styles import LITV2, REPORT, require_style
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Busy, Energy, OpShare, Record
from tests.report.synthetic import make_record, make_run, realistic


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied(), litv2.applied():
        yield


def whole(record: Record) -> Record:
    """With all that a GPU tells of a training step."""
    if record.timing is None:
        return record
    parts = {"forward": record.timing.samples_s, "backward": record.timing.samples_s}
    assert record.memory is not None
    shares = {"sm90_gemm": 0.6, "flash_fwd": 0.3}
    return replace(
        record,
        memory=replace(record.memory, output_bytes=1 << 20),
        profile=tuple(OpShare(name=n, kind="kernel", seconds=s, share=s, calls=1) for n, s in shares.items()),
        timing=replace(record.timing, busy=Busy(seconds=1e-5, method="cuda_graph"), parts_s=parts),
        energy=Energy(joules=1.0, idle_w=90.0, seconds=1.0, method="nvml_energy_counter"),
    )


RECORDS = [whole(record) for record in realistic((64, 224, 448, 896), names=("msa", "hilo", "t_msa"))]


MACHINE = {1: {"ceilings": {"device": "cuda", "macs_per_s": {"fp16": 300e12}, "copy_bytes_per_s": 3e12}}}


def drawn(name: str, records: list[Record] = RECORDS) -> Drawing:
    if name == "all-metrics":
        records = [record for record in records if record.cell.resolution[0] == 224]
    frame = with_roofs(with_profiles(to_frame(records, MACHINE), records), MACHINE)
    drawing = litv2.DRAWN[name](frame, theme.looks(frame["name"]))
    assert drawing is not None
    return drawing


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize("name", litv2.DRAWN)
def test_a_figure_is_as_wide_as_a_column_and_nothing_stands_out_of_it(name: str) -> None:
    figure = drawn(name).figure
    width, height = figure.get_size_inches()
    assert width == pytest.approx(3.3)
    assert height < 9.5  # a page of a paper
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 > -0.02
    assert box.x1 < 3.32
    assert box.y1 < height + 0.02


def test_every_figure_of_a_column_is_one_of_the_page_and_absent_where_that_is() -> None:
    known = {section.name: section for section in SECTIONS}
    assert set(litv2.DRAWN) <= set(known)
    for name, draw in litv2.DRAWN.items():
        assert draw(to_frame([]), {}) is None
        lone = to_frame([make_record("a", status="oom", macs=None)])
        assert draw(lone, theme.looks(["a"])) is None
        assert known[name].draw(lone, theme.looks(["a"])) is None


def test_areas_of_marks_go_by_memory() -> None:
    assert column_lines.diameter(100.0, 100.0) == column_lines.LARGEST
    assert column_lines.diameter(49.0, 100.0) == pytest.approx(0.7 * column_lines.LARGEST)
    assert column_lines.diameter(0.0, 100.0) == column_lines.diameter(0.0, 0.0) == column_lines.SMALLEST
    records = [make_record("a", memory=100 << 20), make_record("b", latency=0.02, memory=25 << 20)]
    (ax,) = drawn("macs-vs-throughput", records).figure.axes
    sizes = sorted(line.get_markersize() for line in ax.lines if line.get_marker() in ("o", "s"))
    assert sizes == pytest.approx([column_lines.LARGEST / 2, column_lines.LARGEST])


def test_the_legend_names_what_is_there_and_nothing_else() -> None:
    full = labels(drawn("macs-vs-throughput").figure)
    assert {"msa", "hilo", "math kernel", "flash kernel", "Pareto front", column_lines.AT_LEAST} <= set(full)
    records = [make_record("a"), make_record("b", latency=0.02)]
    assert labels(drawn("macs-vs-throughput", records).figure) == [
        "a",
        "b",
        "Pareto front",
        "25 MiB",
        "100 MiB",
    ]


def test_of_many_resolutions_three_are_drawn_and_all_stand_under_the_growth() -> None:
    assert [ax.get_title() for ax in drawn("macs-vs-throughput").figure.axes] == ["64 px", "448 px", "896 px"]
    growth = drawn("over-resolution")
    assert len(growth.figure.axes) == 4
    assert "no number (oom)" in labels(growth.figure)
    assert "1 cell without a number" in growth.caption


def test_bars_have_the_sizes_of_their_parts_and_stand_under_their_names() -> None:
    (ax,) = drawn("training-split", [whole(make_record("a", latency=0.004))]).figure.axes
    pieces = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [piece.get_width() for piece in pieces] == pytest.approx([4.0, 4.0])
    assert [text.get_text() for text in ax.texts] == ["a", "8 ms"]
    many = [whole(make_record(f"m{i}")) for i in range(column_bars.MOST_ROWS + 1)]
    assert (
        f"the first {column_bars.MOST_ROWS} of {column_bars.MOST_ROWS + 1} cells"
        in drawn("energy", many).caption
    )


def test_files_have_their_fonts_inside_and_the_page_keeps_its_own_figures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run([record for record in RECORDS if record.cell.resolution[0] < 448])
    wide = render([run], out=tmp_path / "a.html").read_text()
    page = render([run], out=tmp_path / "b.html", figures=tmp_path / "f", style=LITV2).read_text()
    assert page == wide
    assert not [message for message in caplog.messages if "litv2" in message]
    written = {path.stem for path in (tmp_path / "f").iterdir()}
    assert written == set(litv2.DRAWN) - {"all-metrics", "roofline"}  # one size each, and no ceilings
    for name in written:
        pdf = (tmp_path / "f" / f"{name}.pdf").read_bytes()
        assert b"/FontFile2" in pdf  # TrueType, embedded
        assert b"/Type3" not in pdf
        assert re.search(rb"/MediaBox \[ ?0 0 237\.6", pdf)
        svg = (tmp_path / "f" / f"{name}.svg").read_text()
        assert "<text" not in svg  # outlines
        png = (tmp_path / "f" / f"{name}.png").read_bytes()
        assert struct.unpack(">I", png[16:20]) == (990,)  # 3.3 inches at 300 dpi


def test_what_has_no_form_for_a_column_is_as_on_the_page_and_said_to_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litv2, "DRAWN", {"energy": litv2.DRAWN["energy"]})
    run = make_run([whole(make_record(name)) for name in "ab"], report={"sections": ["scatter"]})
    render([run], out=tmp_path / "a.html", figures=tmp_path / "f", style=LITV2)
    wide = "wall-and-busy, time-by-operator, macs-vs-throughput"
    assert [message for message in caplog.messages if "litv2" in message] == [
        f"no litv2 form, so ten inches wide as on the page: {', '.join(sorted(wide.split(', ')))}"
    ]
    assert b"0 0 720" in (tmp_path / "f" / "macs-vs-throughput.pdf").read_bytes()
    assert b"0 0 237.6" in (tmp_path / "f" / "energy.pdf").read_bytes()


def test_dots_are_what_they_are_on_the_page_and_lines_that_find_no_room_are_counted() -> None:
    records = [make_record("a", latency=0.02), make_record("a", latency=0.01, kernel="flash")]
    (ax,) = drawn("kernel-speedup", records).figure.axes
    (dot,) = (line for line in ax.lines if line.get_marker() == "o")
    assert list(dot.get_xdata()) == pytest.approx([2.0])
    many = [make_record(f"m{i}", latency=0.01 + i / 1e4) for i in range(20)]
    drawing = drawn("all-metrics", [*many, make_record("lost", status="oom", macs=None)])
    names = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    assert names == [f"m{i}" for i in range(14)]
    assert "Drawn are the fastest, 14 of 21 mixers." in drawing.caption


def test_profiled_kinds_and_what_is_left_make_a_whole_bar() -> None:
    (ax,) = drawn("time-by-operator", [whole(make_record("a"))]).figure.axes
    widths = [patch.get_width() for patch in ax.patches if isinstance(patch, Rectangle)]
    assert sorted(widths) == pytest.approx([0.1, 0.3, 0.6])


def test_an_unknown_style_is_refused_with_the_nearest_word() -> None:
    with pytest.raises(
        UsageError, match=r'unknown style "litv3"; did you mean "litv2"\?\n  allowed: report, litv2'
    ):
        require_style("litv3", Path("figures"))
    with pytest.raises(UsageError, match=r'unknown style "x"\n'):
        require_style("x", Path("figures"))


def test_a_style_without_files_is_refused() -> None:
    with pytest.raises(UsageError, match="--figures DIR"):
        require_style("litv2", None)
    assert require_style(None, None) == require_style("report", Path("f")) == REPORT


@pytest.mark.parametrize("name", ["macs-vs-throughput", "roofline"])
def test_of_many_names_a_column_tells_a_few_and_of_few_all(name: str) -> None:
    def told(number: int) -> set[str]:
        records = [
            whole(make_record(f"m{n:02}", macs=(1 + n) * 10**9, latency=0.01 * (1 + n) ** 2))
            for n in range(number)
        ]
        return {label for label in labels(drawn(name, records).figure) if label.startswith("m")}

    assert told(5) == {"m00", "m01", "m02", "m03", "m04"}
    assert told(25) == {"m00", "m24"}
