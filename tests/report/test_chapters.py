"""Figures under their headings."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.figure import Figure

from benchsuite.report.canvas import Drawing
from benchsuite.report.chapters import CHAPTERS, SPEED, TIME, FigurePart, chapters
from benchsuite.report.context import SECTIONS
from benchsuite.scenario import model


def part(title: str, chapter: str, svg: str | None = "<svg/>") -> FigurePart:
    markup = None if svg is None else Markup(svg)
    return FigurePart(title, markup, "", title, Drawing(Figure(), "", ""), chapter)


def test_figures_of_one_heading_stand_together_in_the_order_of_their_first() -> None:
    found = chapters([("a", "all a", [part("1", TIME), part("2", SPEED), part("3", TIME)])])
    assert [(one.key, one.title) for one in found] == [
        ("where-the-time-goes", TIME),
        ("macs-against-speed", SPEED),
    ]
    assert [[figure.title for figure in one.groups[0].figures] for one in found] == [["1", "3"], ["2"]]
    assert found[0].groups[0].conditions == "all a"


def test_groups_stand_beside_each_other_under_a_heading_if_they_have_a_figure_for_it() -> None:
    few, many = [part("1", TIME)], [part("2", SPEED), part("3", TIME)]
    found = chapters([("few", "", few), ("many", "", many)])
    assert [(one.title, [shown.title for shown in one.groups]) for one in found] == [
        (SPEED, ["many"]),
        (TIME, ["few", "many"]),
    ]


def test_a_figure_without_room_on_the_page_makes_no_heading() -> None:
    assert chapters([("a", "", [part("1", TIME, svg=None)])]) == []
    assert chapters([]) == []


def test_every_section_has_a_heading_and_every_word_of_a_scenario_one() -> None:
    assert all(section.chapter or section.key in CHAPTERS for section in SECTIONS)
    assert {word for word in model.SECTIONS if word != "table"} <= set(CHAPTERS)
