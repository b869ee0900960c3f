"""Verdicts of gates and comparisons, as a phone shows them and in their colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchsuite.gate.formats.html_page import to_html as gate_html
from benchsuite.report.comparison_page import page as comparison
from benchsuite.report.comparison_page import to_html as comparison_html
from tests.browser.conftest import Opened
from tests.browser.test_first_screen import PHONE
from tests.gates import EVERY
from tests.report.synthetic import make_record
from tests.report.test_comparison import two

RUNS = two([make_record("hilo"), make_record("msa")], [make_record("hilo", latency=0.02), make_record("msa")])


PAGES = pytest.mark.parametrize(
    ("html", "last"),
    [(gate_html(EVERY), "td:last-child"), (comparison_html(comparison(RUNS)), ".tone")],
    ids=["gate", "comparison"],
)


@PAGES
def test_a_phone_shows_each_verdict_and_why_without_scrolling(
    html: str, last: str, tmp_path: Path, opened: Callable[..., Opened]
) -> None:
    file = tmp_path / "page.html"
    file.write_text(html, encoding="utf-8")
    found = opened(file, ready=False, **PHONE)
    assert found.page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [one.bounding_box() for one in found.page.locator(f"tbody tr {last}").all() if one.is_visible()]
    assert len(boxes) >= 2
    assert all(box["x"] + box["width"] <= 390 for box in boxes)
    colours = [
        found.page.locator(selector).first.evaluate("one => getComputedStyle(one).color")
        for selector in (".tone.bad", ".tone.open, .tone.good", "body")
    ]
    assert len(set(colours)) == 3


@PAGES
@pytest.mark.parametrize("context", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_axe_finds_no_fault(
    html: str, last: str, context: dict[str, Any], tmp_path: Path, opened: Callable[..., Opened]
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed: pip install '.[dev]'"
    )
    file = tmp_path / "page.html"
    file.write_text(html, encoding="utf-8")
    page = opened(file, ready=False, **context).page
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
