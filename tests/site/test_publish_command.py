"""`benchsuite publish` as a user meets it, and the search of its index in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import Cli
from tests.report.runs import on, written
from tests.report.synthetic import make_record


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two runs on two GPUs, nothing timed, so that no figure has to be drawn."""
    return [
        written(on([make_record(latency=None)], gpu=f"NVIDIA {gpu}"), tmp_path / "runs" / gpu.lower())
        for gpu in ("H200", "A100")
    ]


def test_it_says_where_the_site_is(cli: Cli, runs: list[Path], tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert cli("publish", *runs, "--site", site) == (0, f"site     {site}/index.html (2 runs)\n", "")
    code, out, _ = cli("publish", "--site", site, "--remove", "a100")
    assert (code, out) == (0, f"site     {site}/index.html (1 run)\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--site", "{folder}/site"], "nowhere: no such folder"),
        (["--site", "{folder}/site"], "no runs, and"),
        (["{folder}/runs/h200", "--site", "{folder}/runs"], "holds other things (a100 and h200)"),
        (["{folder}/runs/h200"], "Missing option '--site'"),
    ],
)
def test_bad_input_is_explained(
    cli: Cli, runs: list[Path], tmp_path: Path, words: list[str], message: str
) -> None:
    code, _, err = cli("publish", *(word.format(folder=tmp_path) for word in words))
    assert code == 2
    assert message in err


def test_searching_hides_the_runs_without_the_word(cli: Cli, runs: list[Path], tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here to run the page's script")
    site = tmp_path / "site"
    cli("publish", *runs, "--site", site)
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking".split()
    page = subprocess.run(
        [browser, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"file://{site}/index.html#q=a100%20hilo"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    ).stdout  # fmt: skip
    if "<main>" not in page:
        pytest.skip("Chromium does not start here")
    cards = re.findall(r"<li data-words=[^>]*>", page)
    assert [" hidden" in card for card in cards] == [
        True,
        False,
    ]  # h200 comes first: of one day, the name decides
    assert '<div class="search">' in page
    assert "1 of 2 runs" in page
