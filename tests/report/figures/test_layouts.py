"""Layouts, files and the command: widths, fonts, styles, and that nothing stands out of a figure."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.report import theme
from benchsuite.report.cells import read
from benchsuite.report.figures import FIGURES, KINDS
from benchsuite.report.figures.choose import evenly
from benchsuite.report.figures.layout import HALF, PAGE, Layout, column, parse, require_style
from benchsuite.report.figures.of_run import drawings, write_all
from benchsuite.results.record import Busy, Energy, OpShare, Record
from tests.report.figures.drawing import absent, cells_of, drawn, marks
from tests.report.figures.test_scatter import network
from tests.report.synthetic import make_record, make_run, realistic

MACHINE = {"ceilings": {"device": "cuda", "macs_per_s": {"fp16": 300e12}, "copy_bytes_per_s": 3e12}}


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


SHARED = [whole(record) for record in realistic((64, 224, 448, 896), names=("msa", "hilo", "t_msa"))]
RECORDS = {
    "axis": [make_record("a", batch=b, latency=0.01 * b) for b in (1, 2, 4)],
    "protocols": [make_record("a", protocol=word) for word in ("adaptive", "timm")],
    "accuracy": [network("litv2_s", 0.02), network("swin_t", 0.04)],
}
LAYOUTS = [PAGE, HALF, column(6.75, "litv2"), column(3.25, "litv2"), column(3.25)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda one: f"{one.width:.0f} {one.style}")
@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_as_wide_as_it_should_be_and_nothing_stands_out_of_it(kind: str, layout: Layout) -> None:
    drawing = drawn(kind, RECORDS.get(kind, SHARED), layout, MACHINE)
    with theme.applied(), layout.applied():
        drawing.figure.draw_without_rendering()
        box = drawing.figure.get_tightbbox()
    width, height = drawing.figure.get_size_inches()
    assert width == pytest.approx(layout.width / 72)
    assert height < 9.5  # a page of a paper
    assert box.x0 > -0.03
    assert box.x1 < width + 0.03
    assert box.y0 > -0.03
    assert box.y1 < height + 0.03
    assert drawing.alt.endswith(".")
    assert len(drawing.caption) > 40


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_records_or_without_numbers_draws_nothing(kind: str) -> None:
    assert absent(kind, []) is None
    failed = [make_record(n, resolution=r, status="error", macs=None) for n in "ab" for r in (224, 448)]
    assert absent(kind, failed) is None


def test_a_mixer_has_one_colour_and_one_marker_on_every_figure() -> None:
    cells = cells_of(SHARED)
    style = theme.looks(cells.names)
    with theme.applied():
        for one in drawings(cells, PAGE):
            for record in SHARED:
                for mark in marks(one.drawing.figure, record):
                    look = style[record.cell.name]
                    assert mark.get_color() == look.color
                    assert mark.get_marker() in (look.marker, "x")


def test_a_dollar_in_a_name_is_no_formula() -> None:
    records = [make_record(name, resolution=r) for name in ("$x_2$", r"$\frac{$") for r in (224, 448)]
    figure = drawn("scaling", records).figure
    found = [text for axes in figure.axes for text in axes.texts]
    assert "$x_2$" in [text.get_text() for text in found]
    assert not any(text.get_parse_math() for text in found)


def test_the_first_and_the_last_are_always_chosen() -> None:
    for number in range(1, 40):
        chosen = evenly(list(range(number)), 6)
        assert len(chosen) == len(set(chosen)) == min(number, 6)
        assert (chosen[0], chosen[-1]) == (0, number - 1)
    assert evenly([1, 2, 3], 1) == [3]


def test_groups_that_cannot_be_compared_have_figures_of_their_own() -> None:
    records = [make_record(name, batch=batch) for name in "ab" for batch in (1, 64)]
    with theme.applied():
        found = list(drawings(cells_of(records), PAGE, [KINDS["scatter"]]))
    assert [one.of for one in found] == ["batch 1", "batch 64"]


def test_a_paper_gets_every_figure_in_both_widths_with_its_fonts_inside(tmp_path: Path) -> None:
    records = [whole(make_record(name, resolution=r)) for name in "ab" for r in (224, 448)]
    with theme.applied():
        files = write_all([read(make_run(records))], tmp_path, "litv2")
    kinds = ["scatter", "scaling", "ratio", "device", "operators", "memory", "training", "energy"]
    names = {f"{KINDS[kind].file}-{width}" for kind in kinds for width in ("column", "two-columns")}
    assert {path.stem for path in files} == names
    assert {path.suffix for path in files} == {".pdf", ".png", ".svg"}
    for name, cells, pixels in (("column", rb"234", 975), ("two-columns", rb"486", 2025)):
        pdf = (tmp_path / f"over-resolution-{name}.pdf").read_bytes()
        assert b"/FontFile2" in pdf  # TrueType, embedded
        assert b"/Type3" not in pdf
        assert re.search(rb"/MediaBox \[ ?0 0 " + cells, pdf)
        assert "<text" not in (tmp_path / f"over-resolution-{name}.svg").read_text()  # outlines
        png = (tmp_path / f"over-resolution-{name}.png").read_bytes()
        assert struct.unpack(">I", png[16:20]) == (pixels,)  # at 300 dpi


def test_names_of_files_and_words_of_kinds_are_told_apart() -> None:
    assert (
        len({figure.file for figure in FIGURES}) == len({figure.kind for figure in FIGURES}) == len(FIGURES)
    )


def test_widths_are_read_in_the_units_of_papers() -> None:
    assert [parse(word) for word in ("3.25in", "6.75 in", "234pt")] == [234, 486, 234]
    assert parse("8.255cm") == parse("82.55mm") == pytest.approx(234)
    for word in ("3.25", "1in", "30in", "wide"):
        with pytest.raises(UsageError, match="no width between 2in and 20in"):
            parse(word)


def test_an_unknown_style_is_refused_with_the_nearest_word() -> None:
    with pytest.raises(UsageError, match=r'no "litv3"; did you mean "litv2"\?\n  allowed: default'):
        require_style("litv3", Path("figures"))
    with pytest.raises(UsageError, match=r'no "x"\n'):
        require_style("x", Path("figures"))


def test_a_style_without_files_is_refused() -> None:
    with pytest.raises(UsageError, match="--figures DIR"):
        require_style("litv2", None)
    assert require_style(None, None) == require_style("default", Path("f")) == "default"
