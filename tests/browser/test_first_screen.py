"""What a reader sees without a click, and what can be taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened
from tests.report.synthetic import make_record, make_run

Open = Callable[..., Opened]
PHONE = {"viewport": {"width": 390, "height": 844}}
WORDS = """() => {
  const left_out = new Set(["TABLE", "FIGURE", "SCRIPT", "STYLE"]);
  const count = (element) => [...element.childNodes].reduce((sum, node) => {
    if (node.nodeType === Node.TEXT_NODE) return sum + node.textContent.split(/\\s+/).filter(Boolean).length;
    if (node.nodeType !== Node.ELEMENT_NODE || left_out.has(node.tagName)) return sum;
    if (!node.checkVisibility()) return sum;
    return sum + count(node.tagName === "DETAILS" && !node.open ? node.querySelector("summary") : node);
  }, 0);
  return count(document.body);
}"""


def box(page: Any, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.locator(selector).first.bounding_box()
    return found


def test_answer_and_first_figure_are_on_the_first_screen(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    for selector in (".answer p >> nth=0", ".answer p >> nth=2", ".first .picture svg"):
        found = box(page, selector)
        assert found["y"] > 0
        assert found["y"] + found["height"] <= 900, selector
    assert box(page, ".first .picture svg")["x"] > box(page, ".answer p >> nth=0")["x"]


def test_the_page_has_at_most_600_words_and_four_screens(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    assert page.evaluate(WORDS) <= 600
    assert page.evaluate("document.documentElement.scrollHeight") <= 4 * 900


def test_few_stops_of_the_tab_key_and_the_first_skips_to_the_content(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    stops = page.locator("a[href], button, input, select, summary, [tabindex]").evaluate_all(
        "all => all.filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility()).length"
    )
    assert stops <= 50
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_rows_of_the_table_are_one_stop_and_arrows_go_from_one_to_the_next(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    names = page.locator("table.cells button.name")
    assert names.evaluate_all("all => all.filter(e => e.tabIndex === 0).length") == 1
    names.first.focus()
    page.keyboard.press("ArrowDown")
    assert names.nth(1).evaluate("e => e === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_selector(".detail .samples svg")


@pytest.mark.parametrize("context", [{}, {"color_scheme": "dark"}, PHONE])
def test_axe_finds_no_fault(hilo: Path, opened: Open, context: dict[str, Any]) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed: pip install '.[dev]'"
    )
    page = opened(hilo, **context).page

    def faults() -> list[tuple[str, list[str]]]:
        found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        return [(one["id"], [node["html"][:200] for node in one["nodes"]][:5]) for one in found]

    assert faults() == []
    page.locator("[data-explore]").click()
    page.locator(".explorer .mark").first.click()
    page.wait_for_selector(".explorer .detail .samples svg")
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")
    assert faults() == []


def test_no_box_is_empty_before_anybody_scrolled(hilo: Path, opened: Open) -> None:
    found = opened(hilo)
    shown = found.page.locator("figure .picture").evaluate_all(
        "all => all.filter(e => e.checkVisibility())"
        ".map(e => [e.getBoundingClientRect().height, e.querySelectorAll('svg path').length])"
    )
    assert len(shown) >= 3
    assert all(height > 100 and paths > 10 for height, paths in shown)
    found.shot("full", full=True)
    found.page.emulate_media(media="print")
    assert found.page.locator(".first .picture svg").first.is_visible()


def test_a_printed_page_shows_the_claims_that_a_screen_folds(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    rows = page.locator(".claims > tbody > tr")

    def shown() -> object:
        return rows.evaluate_all("all => all.filter(e => e.checkVisibility()).length")

    assert shown() != rows.count()
    page.emulate_media(media="print")
    assert shown() == rows.count()


def test_the_filter_looks_at_cells_and_not_at_the_name_of_the_run(hilo: Path, opened: Open) -> None:
    page = opened(hilo, "#set=all")
    page.page.get_by_label("Filter").fill("hilo")
    page.page.wait_for_function("document.querySelectorAll('table.cells tbody tr[id]').length === 6")
    assert all(row.startswith("cell-hilo-") for row in page.rows())


def test_the_table_shows_the_largest_setting_and_switches(hilo: Path, opened: Open) -> None:
    page = opened(hilo)
    assert len(page.rows()) == 15
    assert all("-672-" in row for row in page.rows())
    setting = page.page.get_by_label("Setting")
    assert setting.input_value() == "672 px"
    setting.select_option("224 px")
    assert all("-224-" in row for row in page.rows())
    assert "set=224" in page.page.url


def _downloaded(page: Any, menu: Any, button: str) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        menu.get_by_role("button", name=button).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_numbers_can_be_taken_away_as_csv_markdown_and_latex(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    menu = page.locator(".cells-box .menu")
    menu.locator("summary").click()
    name, csv = _downloaded(page, menu, "Download CSV")
    lines = csv.decode().splitlines()
    assert name == "table.csv"
    assert len(lines) == 16
    assert {"name", "latency_s", "macs"} <= set(lines[0].split(","))
    _, markdown = _downloaded(page, menu, "Download Markdown")
    assert len([line for line in markdown.decode().splitlines() if line.startswith("| ")]) == 17
    _, latex = _downloaded(page, menu, "Download LaTeX")
    assert "\\toprule" in latex.decode()
    assert "\\textbf{" in latex.decode()


def test_a_figure_can_be_taken_away_as_svg_and_png(hilo: Path, opened: Open) -> None:
    page = opened(hilo).page
    menu = page.locator("figure#run1-scaling .menu")
    menu.locator("summary").click()
    name, svg = _downloaded(page, menu, "SVG")
    assert name == "scaling.svg"
    assert re.match(rb'<svg xmlns="http', svg)
    assert b"var(--" not in svg
    assert b"HiLo" in svg
    _, png = _downloaded(page, menu, "PNG")
    assert png.startswith(b"\x89PNG")
    assert len(png) > 20_000


@pytest.mark.parametrize("context", [{}, PHONE, PHONE | {"color_scheme": "dark"}])
def test_published_stands_beside_measured(hilo: Path, opened: Open, context: dict[str, Any]) -> None:
    found = opened(hilo, **context)
    page = found.page
    rows = page.locator("section#run1-claims > table tbody tr")
    assert 0 < rows.count() <= 5
    width = page.viewport_size["width"]
    for row in rows.all():
        measured, published = box(row, "td.measured"), box(row, "td.printed")
        assert measured["x"] + measured["width"] <= published["x"] + 1
        assert measured["y"] == pytest.approx(published["y"], abs=2)
        assert published["x"] + published["width"] <= width
    page.locator("#run1-claims").scroll_into_view_if_needed()
    found.shot(f"claims-{width}-{context.get('color_scheme', 'light')}")


def test_the_table_of_a_phone_has_name_kernel_latency_and_ratio(hilo: Path, opened: Open) -> None:
    page = opened(hilo, **PHONE).page
    shown = page.locator("table.cells thead th").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).map(e => e.dataset.key)"
    )
    assert shown == ["name", "kernel", "latency_s", "relative"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    table = page.locator(".cells-box .scroll")
    assert table.evaluate("e => e.scrollWidth - e.clientWidth") <= 0  # no number is cut


def test_the_contents_of_a_phone_are_one_line_that_scrolls(hilo: Path, opened: Open) -> None:
    page = opened(hilo, **PHONE).page
    tops = page.locator(".contents a").evaluate_all("all => all.map(e => e.getBoundingClientRect().top)")
    assert len(tops) > 3
    assert len(set(tops)) == 1
    page.locator(".contents a").last.focus()
    last = box(page, ".contents a >> nth=-1")
    assert last["x"] + last["width"] <= 390


def test_on_a_phone_headline_and_first_figure_have_the_whole_width(hilo: Path, opened: Open) -> None:
    page = opened(hilo, **PHONE).page
    shown = page.locator(".first figure svg").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().width)"
    )
    assert shown[0] == pytest.approx(box(page, "article header")["width"], rel=0.02)
    assert page.locator(".headline").evaluate("e => getComputedStyle(e).textWrapStyle") == "auto"


def test_the_first_figure_is_as_large_as_the_first_sheet_of_paper_has_room(hilo: Path, opened: Open) -> None:
    width, height = 190 * 96 / 25.4, 273 * 96 / 25.4  # A4 without the margins
    page = opened(hilo, viewport={"width": round(width), "height": 1000}).page
    page.emulate_media(media="print")
    figure, drawn = box(page, ".first figure"), box(page, ".first .picture svg")
    assert figure["y"] + figure["height"] <= height
    across, up = map(float, page.locator(".first .picture svg").first.get_attribute("viewBox").split()[2:])
    assert min(drawn["width"], drawn["height"] * across / up) > 0.7 * width
    assert page.locator(".headline").evaluate("e => getComputedStyle(e).textWrapStyle") == "auto"


def test_a_link_into_a_folded_part_unfolds_it(report: Callable[..., Path], opened: Open) -> None:
    records = [make_record(n, kernel=k) for n in "ab" for k in ("math", "flash")]
    page = opened(report(make_run(records)), "#run1-fold-kernels").page
    assert page.locator("#run1-fold-kernels").evaluate("e => e.open")
