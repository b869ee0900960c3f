"""`make reports`: reports made again from committed runs, and the table of the README."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.site.contents import site_run
from benchsuite.site.reports import BEGIN, END, rebuild, table
from tests.report.runs import on, written
from tests.report.synthetic import make_record

ROOT = Path(__file__).parents[2]
COMMAND = {"command": ["benchsuite", "run", "my scenario.yaml", "--out", "/tmp/here", "-q"]}


def a_run(folder: Path, **scenario: str) -> Path:
    return written(on([make_record(latency=None)], environment=COMMAND, **scenario), folder)


def test_a_row_says_what_on_what_when_with_what_and_how() -> None:
    run = on([make_record(), make_record("x", status="oom")], environment=COMMAND)
    assert table([site_run("hilo-gpu", run)]).splitlines()[2] == (
        "| [hilo-gpu](hilo-gpu/report.html) | HiLo against the attention of its time | NVIDIA H200 | "
        "2026-01-01 | PyTorch 2.13.0+cu128, benchsuite 0.1.0, commit 0000001 | 2 cells, 1 measured | "
        "`benchsuite run 'my scenario.yaml'` |"
    )


def test_titles_cannot_break_the_table() -> None:
    row = table([site_run("x", on([make_record()], title="a | b <b> [c](d)\nnext"))]).splitlines()[2]
    assert "a \\| b &lt;b&gt; \\[c](d) next" in row


def test_words_around_the_table_stay(tmp_path: Path) -> None:
    a_run(tmp_path / "one")
    readme = tmp_path / "README.md"
    readme.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    assert rebuild(tmp_path) == [tmp_path / "one" / "report.html", readme]
    text = readme.read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("The end.\n")
    assert "old" not in text
    assert "[one](one/report.html)" in text
    rebuild(tmp_path, pages=False)
    assert readme.read_text() == text


def test_a_readme_without_a_place_is_left_alone(tmp_path: Path) -> None:
    a_run(tmp_path / "one")
    (tmp_path / "README.md").write_text("# Mine\n")
    with pytest.raises(UsageError, match="between which the table belongs"):
        rebuild(tmp_path)
    assert (tmp_path / "README.md").read_text() == "# Mine\n"
    assert not (tmp_path / "one" / "report.html").exists()


def test_a_folder_without_a_readme_gets_one(tmp_path: Path) -> None:
    a_run(tmp_path / "one")
    rebuild(tmp_path, pages=False)
    assert (tmp_path / "README.md").read_text().startswith("# Reports\n")


def test_the_committed_index_is_that_of_the_committed_runs(tmp_path: Path) -> None:
    """Whoever commits a run must also run `make reports`."""
    import shutil

    folder = tmp_path / "reports"
    shutil.copytree(ROOT / "reports", folder, ignore=shutil.ignore_patterns("*.html"))
    rebuild(folder, pages=False)
    assert (folder / "README.md").read_text() == (ROOT / "reports" / "README.md").read_text()


def test_the_script_says_what_is_wrong(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "reports.py"), str(tmp_path)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (answer.returncode, answer.stderr) == (2, f"{tmp_path}: no run folder in it or below it\n")
