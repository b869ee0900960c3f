"""Records that are read from the journal when somebody asks for them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from benchsuite.results.store import RECORDS, RunWriter
from benchsuite.results.stored_records import RecordsInOrder, StoredRecords
from tests.builders import make_cell, make_record


@pytest.fixture
def writer(tmp_path: Path) -> RunWriter:
    return RunWriter.create(tmp_path / "run", {"name": "test"}, {})


def test_a_record_is_read_from_where_the_writer_says_that_it_put_it(writer: RunWriter) -> None:
    records = [make_record(make_cell(batch=batch, name="α" * batch)) for batch in (1, 2, 3)]
    stored = StoredRecords(writer.path / RECORDS, {})
    for record in records:
        stored.add(record.id, writer.append(record))
    assert dict(stored) == {record.id: record for record in records}
    writer.close()


def test_what_was_there_before_is_not_read_again_and_the_latest_record_counts(writer: RunWriter) -> None:
    before = make_record(status="oom")
    other = make_record(make_cell(batch=7))
    stored = StoredRecords(writer.path / RECORDS, {before.id: before, other.id: other})
    assert stored[before.id] is before
    again = make_record()
    stored.add(again.id, writer.append(again))
    assert (stored[before.id], len(stored)) == (again, 2)
    assert before.id in stored
    assert "another" not in stored
    with pytest.raises(KeyError):
        stored["another"]
    writer.close()


def test_some_of_them_in_an_order_can_be_counted_sliced_and_walked(writer: RunWriter) -> None:
    records = [make_record(make_cell(batch=batch)) for batch in (1, 2, 3)]
    stored = StoredRecords(writer.path / RECORDS, {record.id: record for record in records})
    some = RecordsInOrder(stored, [records[2].id, records[0].id])
    assert list(some) == [records[2], records[0]]
    assert (len(some), some[-1], list(some[:1])) == (2, records[0], [records[2]])
    assert records[1] not in some
    writer.close()


def test_a_kept_record_takes_no_memory_for_its_samples(writer: RunWriter) -> None:
    """A thousand samples of 24 bytes each, in a hundred records, would be 2.4 MB; an index of them is not."""
    stored = StoredRecords(writer.path / RECORDS, {})
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for batch in range(1, 101):
            record = make_record(make_cell(batch=batch), samples=[batch + i / 1024 for i in range(1000)])
            stored.add(record.id, writer.append(record))
        del record
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(stored) == 100
    assert after - before < 240_000  # a tenth of it
    writer.close()
