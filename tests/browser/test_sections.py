"""What a reader sees of the sections without unfolding, on a screen, a phone and on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opened
from tests.report.synthetic import make_record, make_run

Open = Callable[..., Opened]
PHONE = {"viewport": {"width": 400, "height": 800}}


def _boxes(page: Any, selector: str) -> list[tuple[float, float, float]]:
    """Left, right and top of what is shown of each element."""
    found: list[tuple[float, float, float]] = page.eval_on_selector_all(
        selector,
        "all => all.map(e => e.getBoundingClientRect()).map(b => [b.left, b.right, b.top])",
    )
    return found


@pytest.mark.parametrize("context", [{}, PHONE, PHONE | {"color_scheme": "dark"}])
def test_published_stands_beside_measured_with_its_interval(
    hilo: Path, opened: Open, context: dict[str, Any]
) -> None:
    found = opened(hilo, **context)
    page = found.page
    measured = page.locator(".claims.lines td.measured")
    published = page.locator(".claims.lines td.printed")
    assert measured.count() == published.count() > 10
    text = measured.nth(4).inner_text()
    assert "[" in text
    assert not page.locator(".claims.lines details[open]").count()
    width = page.viewport_size["width"]
    left, right = (_boxes(page, f".claims.lines td.{name}") for name in ("measured", "printed"))
    for one, other in zip(left, right, strict=True):
        assert one[1] <= other[0] + 1  # beside each other
        assert one[2] == pytest.approx(other[2], abs=2)
        assert one[0] >= 0
        assert other[1] <= width
    page.locator(".claims.lines").scroll_into_view_if_needed()
    found.shot(f"claims-{width}-{context.get('color_scheme', 'light')}")


def test_axe_finds_no_serious_fault_in_the_claims_on_a_phone(hilo: Path, opened: Open) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is not installed: pip install '.[dev]'"
    )
    page = opened(hilo, **PHONE).page
    found = axe.Axe().run(page, context="#run1-claims").response["violations"]
    assert [(one["id"], one["impact"]) for one in found if one["impact"] in ("serious", "critical")] == []


def test_a_long_table_of_growth_is_folded_on_the_screen_and_there_on_paper(
    report: Callable[..., Path], opened: Open
) -> None:
    records = [
        make_record(f"m{i}", resolution=size, latency=size**2 * 1e-8 * (i + 1))
        for i in range(16)
        for size in (224, 448, 896)
    ]
    page = opened(report(make_run(records))).page
    shown = "t => t.checkVisibility({contentVisibilityAuto: true})"
    table = page.locator("details table", has_text="as a power of the tokens")
    assert table.evaluate(shown) is False
    page.emulate_media(media="print")
    assert table.evaluate(shown) is True
    page.emulate_media(media="screen")
    page.locator("summary", has_text="Growth of all 16").click()
    assert table.evaluate(shown) is True
