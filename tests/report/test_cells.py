"""What the page of a run says that stopped early."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.report import cells as run_cells
from benchsuite.report.answer import answer
from benchsuite.report.cells import read
from benchsuite.report.page import render
from benchsuite.results.store import Run, read_run
from tests.report.synthetic import make_record, make_run
from tests.report.test_page import Page


@pytest.fixture
def run(repository: Path) -> Run:
    return read_run(repository / "reports" / "hilo-cpu")


def without(run: Run, ids: Collection[str]) -> Run:
    return replace(run, records=tuple(record for record in run.records if record.id not in ids))


def one_of(run: Run, name: str, side: int, kernel: str) -> str:
    (found,) = (
        record.id
        for record in run.records
        if (record.cell.name, record.cell.resolution[0], record.cell.kernel) == (name, side, kernel)
    )
    return found


def test_a_complete_run_misses_nothing(run: Run) -> None:
    assert run_cells.missing(run) == []
    assert run_cells.progress(run, []) == ""


def test_the_page_says_on_top_how_far_a_run_came_and_names_no_winner_where_cells_are_missing(
    run: Run, tmp_path: Path
) -> None:
    part = without(run, {one_of(run, "MSA", 448, "math"), one_of(run, "HiLo", 448, "math")})
    source = render([part], out=tmp_path / "x.html").read_text(encoding="utf-8")
    found = Page(source)
    (top,) = (text for text in found.within("p") if "unfinished" in text)
    assert top.startswith("43 of 45 cells; unfinished.")
    assert source.index(top[:20]) < source.index(">Answer</h2>")
    told = answer(read(part))
    assert told[-1].startswith("No winner is named at 448 px, math:")
    assert told[1].startswith("HiLo is the fastest at 224 px")
    assert "448" not in told[1]


def test_what_was_cut_short_is_still_to_be_measured(run: Run) -> None:
    first = next(record for record in run.records if record.status == "ok")
    assert first.timing is not None
    cut = replace(first, timing=replace(first.timing, stopped_by="interrupted"))
    part = replace(run, records=(cut, *without(run, {first.id}).records))
    gaps = run_cells.missing(part)
    assert [cell.id for cell in gaps] == [first.id]
    assert run_cells.progress(part, gaps).startswith("44 of 45 cells; unfinished.")


def test_settings_and_lines_with_gaps_are_marked(run: Run) -> None:
    gone = one_of(run, "HiLo", 672, "sdpa")
    part = without(run, {gone})
    marked = [cell for cell in read(part).reported if cell.unfinished]
    assert {(cell.resolution, cell.kernel) for cell in marked} == {(672, "sdpa")}
    assert not any(cell.line_unfinished for cell in read(part).reported)


def test_of_a_scenario_that_this_version_reads_otherwise_nothing_is_said(run: Run) -> None:
    assert run_cells.missing(make_run([make_record()])) == []
    other = replace(run, records=(make_record(), *run.records[:3]))
    assert run_cells.missing(other) == []
