"""Figures inside a page and as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure

from benchsuite.report import theme
from benchsuite.report.figures import KINDS
from benchsuite.report.figures.choose import FigureRequest
from benchsuite.report.figures.layout import PAGE
from benchsuite.report.reported_cells import reported_cells
from benchsuite.report.svg import StyleSheet, inline, save
from benchsuite.results.record import Record
from tests.report.synthetic import make_record

RECORDS = [make_record("a"), make_record("b & <script>", latency=0.02, macs=2 * 10**9)]


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with theme.applied():
        yield


def figure(records: list[Record] = RECORDS) -> Figure:
    cells = reported_cells(records)
    drawing = KINDS["scatter"].draw(FigureRequest(cells, theme.looks(cell.name for cell in cells), PAGE))
    assert drawing is not None
    return drawing.figure


def tree(key: str = "k", prefix: str | None = "cell-", sheet: StyleSheet | None = None) -> ET.Element:
    tips = {record.id: f"about <{record.cell.name}>" for record in RECORDS}
    return ET.fromstring(inline(figure(), key, 'so "it" is', tips, sheet or StyleSheet(), prefix))


def test_the_image_has_a_role_a_description_and_a_size_that_scales() -> None:
    root = tree()
    assert root.tag == "svg"
    assert root.attrib["role"] == "graphics-document"
    assert root.attrib["aria-label"] == 'so "it" is'
    assert "width" not in root.attrib
    assert root.attrib["viewBox"].startswith("0 0 720 ")


def test_text_stays_text_and_is_escaped() -> None:
    source = inline(figure(), "k", "alt", {}, StyleSheet())
    assert "b &amp; &lt;script&gt;" in source
    assert "<script" not in source
    assert "b & <script>" in [element.text for element in ET.fromstring(source).iter("text")]


def test_marks_link_to_their_rows_and_have_tooltips() -> None:
    links = {link.attrib["href"]: link for link in tree().iter("a")}
    assert set(links) == {f"#cell-{record.id}" for record in RECORDS}
    first = links[f"#cell-{RECORDS[0].id}"]
    assert first.attrib["tabindex"] == "-1"
    assert first.findtext("title") == "about <a>"
    assert first.find(".//use") is not None


def test_without_a_table_marks_have_tooltips_and_no_links() -> None:
    links = list(tree(prefix=None).iter("a"))
    assert len(links) == 2
    assert all(link.attrib == {} and link.findtext("title") for link in links)


def test_ids_are_those_of_the_key_and_every_reference_has_its_target() -> None:
    root = tree("fig7")
    others = {element.attrib.get("id") for element in tree("fig8").iter()}
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids)) > 0
    assert others.isdisjoint(ids)
    used = {element.attrib["href"][1:] for element in root.iter("use")}
    used |= set(re.findall(r"url\(#([^)]+)\)", ET.tostring(root, encoding="unicode")))
    assert used == set(ids)


def test_colours_are_variables_of_the_page_and_none_is_fixed() -> None:
    sheet = StyleSheet()
    tree(sheet=sheet)
    css = sheet.css()
    assert "var(--series-1)" in css
    assert "var(--ink)" in css
    assert not re.search(r"#[0-9a-f]{6}", css)


def test_styles_are_shared_by_figures_and_defined_once() -> None:
    sheet = StyleSheet()
    one, two = tree("a", sheet=sheet), tree("b", sheet=sheet)
    rules = dict(re.findall(r"\.(f\d+)\{(.+)\}", sheet.css()))
    assert len(rules) == len(set(rules.values()))
    used = {
        element.attrib["class"] for root in (one, two) for element in root.iter() if "class" in element.attrib
    }
    assert used == set(rules)


def test_nothing_in_the_image_styles_the_page_or_names_an_address() -> None:
    root = tree()
    assert list(root.iter("style")) == []
    assert list(root.iter("metadata")) == []
    assert "http" not in ET.tostring(root, encoding="unicode")


def test_the_same_figure_gives_the_same_text() -> None:
    assert inline(figure(), "k", "alt", {}, StyleSheet()) == inline(figure(), "k", "alt", {}, StyleSheet())


def test_files_for_papers_are_pdf_png_and_svg(tmp_path: Path) -> None:
    files = save(figure(), tmp_path / "new" / "folder", "macs")
    assert [file.name for file in files] == ["macs.pdf", "macs.png", "macs.svg"]
    pdf, png, svg = (file.read_bytes() for file in files)
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf  # TrueType, embedded
    assert b"/Type3" not in pdf
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 3000  # ten inches at 300 dpi
    assert ET.fromstring(svg).tag.endswith("svg")


def test_the_same_numbers_give_the_same_files(tmp_path: Path) -> None:
    one, two = save(figure(), tmp_path / "a", "f"), save(figure(), tmp_path / "b", "f")
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]
