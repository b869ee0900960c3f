"""Reports opened in a real Chromium, without a screen and without a network.

`make browser` installs what is needed; where it is absent, these tests are skipped and say why.
BENCHSUITE_CHROMIUM names another Chromium than the ones looked for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchsuite.report.page import render
from benchsuite.results.store import Run, read_run

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
"""Kept by CI, looked at by people."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker of xdist takes all of them, so that one browser does."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


def _chromium() -> str:
    named = os.environ.get("BENCHSUITE_CHROMIUM")
    found = named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("no Chromium here: `make browser` installs Debian's, BENCHSUITE_CHROMIUM names another")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'"
    )
    path = _chromium()
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        )
        yield started
        started.close()


@dataclass
class Opened:
    """A page with what went wrong on it.

    Attributes:
        errors: messages of the console and exceptions that nobody caught.
        requests: addresses of everything it asked for, itself left out.
    """

    page: Any
    file: Path
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def shot(self, name: str, *, full: bool = False) -> bytes:
        """A screenshot, kept in build/screenshots: JPEG, which takes a third of the time of PNG."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.jpg"
        picture: bytes = self.page.screenshot(path=path, full_page=full, type="jpeg", quality=70)
        return picture

    def rows(self) -> list[str]:
        """Ids of the rows of the table of all cells, as shown."""
        ids: list[str] = self.page.eval_on_selector_all(
            "table.cells tbody tr[id]", "rows => rows.map(r => r.id)"
        )
        return ids

    def marks(self) -> int:
        """Number of marks in the explorer's chart."""
        return int(self.page.locator(".explorer .mark").count())


@pytest.fixture(scope="session")
def browsing(browser: Any) -> Callable[..., Any]:
    """A context of the browser with these settings, made once. Reports keep nothing but their address."""
    made: dict[str, Any] = {}

    def make(**settings: Any) -> Any:
        key = repr(sorted(settings.items()))
        if key not in made:
            made[key] = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | settings))
            made[key].set_default_timeout(15_000)
        return made[key]

    return make


@pytest.fixture
def opened(browsing: Callable[..., Any]) -> Iterator[Callable[..., Opened]]:
    """Opens a report and waits until its scripts have built the page; whatever goes wrong fails the test."""
    pages: list[Opened] = []

    def open_page(file: Path, fragment: str = "", *, ready: bool = True, **settings: Any) -> Opened:
        page = browsing(**settings).new_page()
        found = Opened(page, file)
        page.on("console", lambda message: found.errors.append(message.text))
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        pages.append(found)
        page.goto(f"{file.as_uri()}{fragment}")
        if ready:
            page.wait_for_selector("html[data-ready]", state="attached")
        return found

    yield open_page
    for found in pages:
        found.page.close()
    for found in pages:
        assert found.errors == []
        assert {url.partition("#")[0] for url in found.requests} <= {found.file.as_uri()}


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes the report of runs."""

    def make(*runs: Run) -> Path:
        return render(runs, out=tmp_path_factory.mktemp("report") / "report.html")

    return make


@pytest.fixture(scope="session")
def hilo(report: Callable[..., Path], repository: Path) -> Path:
    """The report of a real run: 8 mixers at 3 resolutions on 2 kernels."""
    return report(read_run(repository / "reports" / "hilo-cpu"))
