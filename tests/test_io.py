"""Lines of a records file, and the quick way in which they are read, which must not read anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from benchsuite.io import lines
from benchsuite.results.codec import decode, encode
from benchsuite.results.record import Conditions, Record
from tests.builders import make_cell, make_record

SLOW = TypeAdapter(Record)
finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = finite | st.integers(1 - 2**63, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.floats(1e-12, 1e6), min_size=1, max_size=5),
    st.dictionaries(texts, plain),
    texts,
)
@settings(max_examples=100, deadline=None)
def test_every_value_comes_back_bit_for_bit(samples: list[float], odd: dict[str, object], name: str) -> None:
    """Nested parameters, any text, numbers of 64 bits; what is absent stays absent."""
    cell = make_cell(config={"odd": odd}, name=name)
    record = make_record(cell, samples=samples, conditions=Conditions(before=odd, after={}))
    line = encode(record)
    read = decode(line)
    assert encode(read) == line
    assert read == SLOW.validate_python(json.loads(line))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"version":2,"id":', "Expecting value: line 1 column 19"),
        ('{"version":2,"id":1}', "id: Input should be a valid string"),
        ('{"version":2} {}', "Extra data: line 1 column 15"),
        ("[1]", "not a JSON object"),
    ],
)
def test_a_line_that_is_no_record_says_what_is_wrong_with_it(line: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        decode(line)
    assert str(error.value).startswith(said)


def test_lines_have_their_number_and_their_place_and_blank_ones_only_count(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes("ä\n\n  \nb\u2028c\nlast".encode())
    found = [(line.number, line.offset, line.text, line.ended) for line in lines(path)]
    assert found == [(1, 0, "ä", True), (4, 7, "b\u2028c", True), (5, 13, "last", False)]
    assert path.read_bytes()[7:12] == "b\u2028c".encode()


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert list(lines(tmp_path / "nowhere")) == []
