"""The bars of memory and of training steps, read from the artists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.patches import Rectangle

from benchsuite.report import context, theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.html import render
from benchsuite.report.splits import MOST_ROWS, memory_split, training_split
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from benchsuite.scenario.model import SECTIONS
from tests.report.synthetic import make_record, make_run

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def holding(name: str, peak_mib: int, *, resolution: int = 224, **mib: int) -> Record:
    """A record with this peak, 1 MiB of weights and 4 MiB of input, and other fields in MiB."""
    record = make_record(name, resolution=resolution, memory=peak_mib * MIB)
    assert record.memory is not None
    fields: dict[str, Any] = {"peak_reserved_bytes": None, **{key: n * MIB for key, n in mib.items()}}
    return replace(record, memory=replace(record.memory, **fields))


def stepping(name: str, forward: float, backward: float, optimizer: float | None = None) -> Record:
    record = make_record(name, mode="training", resolution=224)
    assert record.timing is not None
    parts = {"forward": (forward,) * 6, "backward": (backward,) * 6}
    if optimizer is not None:
        parts["optimizer"] = (optimizer,) * 6
    return replace(record, timing=replace(record.timing, parts_s=parts))


def drawn(draw: Callable[..., Drawing | None], records: Sequence[Record]) -> Drawing:
    frame = to_frame(records)
    drawing = draw(frame, theme.looks(frame["name"]))
    assert drawing is not None
    return drawing


def widths(drawing: Drawing, record: Record) -> list[float]:
    (ax,) = drawing.figure.axes
    return [
        patch.get_width()
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_gid() == f"cell:{record.id}"
    ]


def names(drawing: Drawing) -> list[str]:
    return [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]


def test_parts_of_memory_sum_to_the_peak() -> None:
    record = holding("a", 100, optimizer_bytes=2, gradient_bytes=3)
    drawing = drawn(memory_split, [record])
    assert widths(drawing, record) == pytest.approx([1, 4, 2, 3, 90])
    assert drawing.figure.axes[0].get_xlabel() == "Peak memory of a step [MiB]"
    assert "a needs most, 100 MiB, of which 90 % are activations." in drawing.caption
    assert "Gradients are those" in drawing.caption


def test_whoever_needs_most_is_named_with_its_largest_part() -> None:
    drawing = drawn(memory_split, [holding("a", 20), holding("b", 80, weights_bytes=60)])
    assert names(drawing) == ["b", "a"]
    assert "b needs most, 80 MiB, of which 75 % are weights." in drawing.caption
    assert "Gradients" not in drawing.caption


def test_reserved_and_process_memory_are_marked_where_known() -> None:
    drawing = drawn(memory_split, [holding("a", 20, peak_reserved_bytes=32, process_bytes=40)])
    assert [list(line.get_xdata()) for line in drawing.figure.axes[0].lines] == [[32.0], [40.0]]
    assert not drawn(memory_split, [holding("a", 20)]).figure.axes[0].lines


def test_a_process_that_dwarfs_the_bars_is_told_and_not_marked() -> None:
    drawing = drawn(memory_split, [holding("a", 20, process_bytes=640)])
    assert not drawing.figure.axes[0].lines
    assert "Too far out to be marked: whole process, up to 640 MiB." in drawing.caption


def test_equal_shares_are_told_once() -> None:
    drawing = drawn(training_split, [stepping("a", 0.002, 0.006), stepping("b", 0.001, 0.003)])
    assert "Backward takes 75 % of every step." in drawing.caption


def test_the_resolution_is_that_of_most_cells_and_the_larger_of_two() -> None:
    records = [holding("a", 20), holding("b", 30), holding("a", 60, resolution=448)]
    assert drawn(memory_split, records).caption.startswith("At 224 px:")
    assert drawn(memory_split, [*records, holding("b", 70, resolution=448)]).caption.startswith("At 448 px:")


def test_rows_that_find_no_room_are_counted() -> None:
    drawing = drawn(memory_split, [holding(f"m{i}", 20 + i) for i in range(MOST_ROWS + 2)])
    assert len(names(drawing)) == MOST_ROWS
    assert f"Drawn are the first {MOST_ROWS} of {MOST_ROWS + 2} cells." in drawing.caption


def test_a_training_step_is_cut_into_its_parts() -> None:
    first, second = stepping("a", 0.002, 0.006, 0.002), stepping("b", 0.002, 0.002)
    drawing = drawn(training_split, [first, second])
    assert widths(drawing, first) == pytest.approx([2, 6, 2])
    assert widths(drawing, second) == pytest.approx([2, 2])
    assert "Backward takes from 50 % (b) to 60 % (a) of a step." in drawing.caption


def test_forward_is_named_where_it_takes_longest() -> None:
    assert "Forward takes 75 % of the step." in drawn(training_split, [stepping("a", 0.006, 0.002)]).caption


def test_there_is_no_figure_without_data() -> None:
    failed: Mapping[str, Any] = theme.looks(["a"])
    assert memory_split(to_frame([make_record("a", status="oom")]), failed) is None
    assert training_split(to_frame([make_record("a")]), failed) is None


def test_both_are_shown_unless_the_scenario_names_other_sections(tmp_path: Path) -> None:
    records = [stepping("a", 0.002, 0.006), stepping("b", 0.002, 0.002)]
    old = ["scatter", "scaling", "kernels", "table"]
    for number, report in enumerate(({}, {"sections": old}, {"sections": list(SECTIONS)})):
        page = render([make_run(records, report=report)], out=tmp_path / f"{number}.html").read_text()
        assert "What memory is made of" in page
        assert "What a training step is made of" in page
    page = render([make_run(records, report={"sections": ["memory"]})], out=tmp_path / "x.html").read_text()
    assert "What memory is made of" in page
    assert "What a training step is made of" not in page


def test_the_sections_that_a_scenario_has_by_default_are_known_to_the_report() -> None:
    assert list(SECTIONS) in context._USUAL
