"""The journal of rounds: what is written is read, whatever a kill left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import StorageError
from benchsuite.io import Journal
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record, Timing
from benchsuite.runner.recorder import ROUNDS, append_round, read_rounds, remove_rounds


def visit(name: str, number: int) -> Record:
    cell = Cell(name=name, target="msa", resolution=(224, 224), stride=16, batch=1)
    timing = Timing(
        samples_s=(0.1 * number,), method="m", warmup_calls=1, warmup_s=0.0, stopped_by="time", threads=1
    )
    return Record(id=name, cell=cell, status="ok", timing=timing, started_at="now", seconds=1.0)


def test_visits_are_read_by_cell_and_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ROUNDS)
    for number, one in ((0, visit("a", 1)), (0, visit("b", 1)), (1, visit("a", 2))):
        append_round(journal, number, one)
    journal.close()
    assert read_rounds(tmp_path) == {"a": [visit("a", 1), visit("a", 2)], "b": [visit("b", 1)]}


def test_a_round_that_was_measured_again_counts_once_and_rounds_have_no_gap(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ROUNDS)
    for number, seconds in ((0, 1), (1, 2), (1, 3), (3, 9)):
        append_round(journal, number, visit("a", seconds))
    journal.close()
    assert read_rounds(tmp_path) == {"a": [visit("a", 1), visit("a", 3)]}


def test_a_torn_line_costs_that_visit_only_and_is_cut_off_before_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ROUNDS)
    append_round(journal, 0, visit("a", 1))
    append_round(journal, 1, visit("a", 2))
    journal.close()
    file = tmp_path / ROUNDS
    file.write_bytes(file.read_bytes()[:-20])
    assert read_rounds(tmp_path) == {"a": [visit("a", 1)]}
    journal = Journal(tmp_path / ROUNDS)
    append_round(journal, 0, visit("b", 1))
    journal.close()
    assert read_rounds(tmp_path) == {"a": [visit("a", 1)], "b": [visit("b", 1)]}


def test_a_run_without_a_journal_has_no_visits(tmp_path: Path) -> None:
    assert read_rounds(tmp_path) == {}
    remove_rounds(tmp_path)
    Journal(tmp_path / ROUNDS).close()
    remove_rounds(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_journal_that_goes_away_is_noticed_at_the_next_visit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ROUNDS)
    append_round(journal, 0, visit("a", 1))
    (tmp_path / ROUNDS).unlink()
    with pytest.raises(StorageError, match=rf"^{tmp_path / ROUNDS} was removed, moved or replaced"):
        append_round(journal, 1, visit("a", 2))
    journal.close()
    assert not (tmp_path / ROUNDS).exists()


def test_a_visit_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    append_round(journal := Journal(tmp_path / ROUNDS), 0, visit("a", 1))
    journal.close()
    file = tmp_path / ROUNDS
    file.write_bytes(file.read_bytes()[:-1])
    append_round(journal := Journal(tmp_path / ROUNDS), 1, visit("a", 2))
    journal.close()
    assert read_rounds(tmp_path) == {"a": [visit("a", 1), visit("a", 2)]}
