"""Energy of an image: bars and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.patches import Rectangle

from benchsuite.report import theme
from benchsuite.report.energy import energy, thrift
from benchsuite.report.html import render
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Energy, Record
from tests.report.synthetic import make_record, make_run


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def drawing_power(name: str, joules: float, idle_w: float | None = 100.0, **cell: object) -> Record:
    """64 images in 10 ms: at 100 W idle, 1 J of a step and 1/64 J of an image."""
    record = make_record(name, latency=0.01, **cell)  # type: ignore[arg-type]
    return replace(
        record, energy=Energy(joules=joules, idle_w=idle_w, seconds=1.2, method="nvml_energy_counter")
    )


def test_idle_draw_is_set_apart_in_the_bar_of_an_image() -> None:
    record = drawing_power("a", 6.4)
    drawing = energy(to_frame([record]), theme.looks(["a"]))
    assert drawing is not None
    (ax,) = drawing.figure.axes
    pieces = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    # 6.4 J over 64 images are 100 mJ; 100 W for 10 ms over 64 images are 15.6 mJ.
    assert [piece.get_width() for piece in pieces] == pytest.approx([15.625, 84.375])
    assert ax.get_xlabel() == "Energy of an image [mJ]"
    assert drawing.caption.startswith("At 224 px: a takes 100 mJ per image; the device would draw 16 % of it")


def test_most_and_least_are_named_with_their_ratio() -> None:
    records = [drawing_power("a", 6.4), drawing_power("b", 3.2), drawing_power("c", 12.8)]
    assert thrift(to_frame(records)) == (
        "At 224 px, b takes the fewest joules per image, 50 mJ, and c the most, 200 mJ (4.00 times); the "
        "device would draw 7.8 to 31 % of it idle."
    )


def test_an_idle_draw_that_was_not_read_is_not_told() -> None:
    frame = to_frame([drawing_power("a", 6.4, idle_w=None)])
    assert thrift(frame) == "At 224 px, a takes 100 mJ per image."
    drawing = energy(frame, theme.looks(["a"]))
    assert drawing is not None
    assert "The idle draw is" not in drawing.caption


def test_an_idle_draw_is_never_more_than_all_of_it() -> None:
    assert thrift(to_frame([drawing_power("a", 0.5)])).endswith("would draw 100 % of it idle.")


def test_without_a_counter_there_is_nothing(tmp_path: Path) -> None:
    assert thrift(to_frame([make_record("a")])) == ""
    assert energy(to_frame([make_record("a")]), theme.looks(["a"])) is None
    heading = "Energy of an image"
    assert heading not in render([make_run([make_record("a")])], out=tmp_path / "a.html").read_text()
    page = render([make_run([drawing_power("a", 6.4)])], out=tmp_path / "b.html").read_text()
    assert heading in page
    assert "<dt>Energy</dt>" in page
