"""The bars of "Time by operator", read from the artists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from benchsuite.report import theme
from benchsuite.report.canvas import Drawing
from benchsuite.report.html import render
from benchsuite.report.operators import MOST_CELLS, MOST_KINDS, time_by_operator, with_profiles
from benchsuite.results.frame import to_frame
from benchsuite.results.record import OpShare, Record
from tests.report.synthetic import make_record, make_run


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def profiled(
    record: Record,
    shares: dict[str, float],
    *,
    seconds: float = 0.01,
    kind: Literal["operator", "kernel"] = "operator",
) -> Record:
    """The record with a profile of these shares of `seconds`."""
    ops = [
        OpShare(name=name, kind=kind, seconds=share * seconds, share=share, calls=1.0)
        for name, share in shares.items()
    ]
    return replace(record, profile=(*record.profile, *ops))


def absent(records: Sequence[Record]) -> Drawing | None:
    frame = with_profiles(to_frame(records), records)
    return time_by_operator(frame, theme.looks(frame["name"]))


def drawn(records: Sequence[Record]) -> Drawing:
    drawing = absent(records)
    assert drawing is not None
    return drawing


def pieces(drawing: Drawing, record: Record) -> list[tuple[str, float, float]]:
    """Colour, start and length of each piece of a cell's bar."""
    (ax,) = drawing.figure.axes
    return [
        (to_hex(patch.get_facecolor()), patch.get_x(), patch.get_width())
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_gid() == f"cell:{record.id}"
    ]


def legend(drawing: Drawing) -> dict[str, str]:
    """Kind of work → colour."""
    (found,) = drawing.figure.legends
    handles = zip(found.get_texts(), found.legend_handles, strict=True)
    return {text.get_text(): to_hex(handle.get_color()) for text, handle in handles}  # type: ignore[union-attr]


def words(drawing: Drawing) -> list[str]:
    return [text.get_text() for text in drawing.figure.axes[0].texts]


def test_operators_of_one_kind_are_one_piece_and_the_rest_is_other() -> None:
    record = profiled(
        make_record("a"), {"aten::mm": 0.3, "aten::bmm": 0.2, "aten::_softmax": 0.25, "mine::odd": 0.05}
    )
    drawing = drawn([record])
    colors = legend(drawing)
    assert list(colors) == ["matrix products", "softmax", "other"]
    assert pieces(drawing, record) == [
        (colors["matrix products"], 0.0, pytest.approx(0.5)),
        (colors["softmax"], pytest.approx(0.5), pytest.approx(0.25)),
        (colors["other"], pytest.approx(0.75), pytest.approx(0.25)),
    ]
    assert "50 %" in words(drawing)


def test_the_own_time_of_all_operators_stands_beside_the_bar() -> None:
    drawing = drawn([profiled(make_record("a"), {"aten::mm": 0.8, "aten::add": 0.1}, seconds=0.0125)])
    assert "12.5 ms" in words(drawing)


def test_the_kinds_with_most_time_get_a_colour_and_others_none() -> None:
    names = ["mm", "_softmax", "copy_", "native_layer_norm", "gelu", "avg_pool2d", "topk", "gather"]
    shares = {f"aten::{name}": 0.2 - 0.02 * i for i, name in enumerate(names)}
    drawing = drawn([profiled(make_record("a"), shares)])
    colors = legend(drawing)
    assert len(colors) == MOST_KINDS + 1 == len(set(colors.values()))
    assert {"sorting", "indexing"}.isdisjoint(colors)


def test_kernels_count_where_there_are_any() -> None:
    record = profiled(make_record("a"), {"aten::copy_": 1.0})
    record = profiled(record, {"nvjet_hsh_128x256": 0.9, "Memset (Device)": 0.1}, kind="kernel", seconds=0.5)
    drawing = drawn([record])
    assert [length for _, _, length in pieces(drawing, record)] == pytest.approx([0.9, 0.1])
    assert "500 ms" in words(drawing)
    assert "kernels of a step on the GPU" in drawing.caption


def test_cells_of_one_name_are_told_apart_by_what_differs() -> None:
    sizes = [profiled(make_record("a", resolution=r), {"aten::mm": 1.0}) for r in (224, 448)]
    (ax,) = drawn(sizes).figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a 224 px", "a 448 px"]
    kernels = [profiled(make_record("a", kernel=k), {"aten::mm": 1.0}) for k in ("math", "flash")]
    (ax,) = drawn(kernels).figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a math", "a flash"]


def test_there_is_no_figure_where_no_cell_is_profiled() -> None:
    assert absent([]) is None
    assert absent([make_record("a"), make_record("b", status="oom")]) is None
    assert time_by_operator(to_frame([make_record("a")]), theme.looks(["a"])) is None


def test_cells_without_a_profile_are_left_out_and_counted() -> None:
    records = [profiled(make_record("a"), {"aten::mm": 1.0}), make_record("b")]
    drawing = drawn(records)
    assert pieces(drawing, records[1]) == []
    assert "1 of 2 cells was profiled." in drawing.caption


def test_more_cells_than_fit_are_said_to_be_left_out() -> None:
    records = [profiled(make_record(f"m{i}"), {"aten::mm": 1.0}) for i in range(MOST_CELLS + 3)]
    drawing = drawn(records)
    assert len(drawing.figure.axes[0].get_yticks()) == MOST_CELLS
    assert f"The first {MOST_CELLS} of {MOST_CELLS + 3} cells." in drawing.caption


def test_it_is_described_for_those_who_do_not_see_it() -> None:
    records = [
        profiled(make_record("a"), {"aten::mm": 0.62, "aten::bmm": 0.1}),
        profiled(make_record("b"), {"aten::copy_": 0.5}),
    ]
    drawing = drawn(records)
    assert drawing.alt == (
        "Stacked bars of the own time of operators by kind of work for 2 mixers. "
        "a at 224 px on math: 72 % matrix products. b at 224 px on math: 50 % copies."
    )
    assert "matrix products: mm and bmm; copies: copy_." in drawing.caption


@pytest.mark.parametrize("sections", [None, ["table"]])
def test_the_report_shows_it_for_profiled_runs_whatever_sections_the_scenario_names(
    tmp_path: Path, sections: list[str] | None
) -> None:
    report = {} if sections is None else {"report": {"sections": sections}}
    plain = make_record("a")
    with_one = profiled(make_record("b"), {"aten::mm": 1.0})
    page = render([make_run([plain, with_one], **report)], out=tmp_path / "a.html").read_text()
    assert "Time by operator" in page
    assert f'href="#cell-{with_one.id}"' in page
    without = render([make_run([plain], **report)], out=tmp_path / "b.html").read_text()
    assert "Time by operator" not in without
