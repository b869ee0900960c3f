"""Tables that are wider than the terminal."""

from __future__ import annotations

import pytest

from benchsuite.mixers import MIXERS
from benchsuite.text_table import fitted
from benchsuite.zoo import listing
from benchsuite.zoo.catalogue import mixer_entries
from benchsuite.zoo.listing import aligned

ROWS = [
    {"name": "msa", "year": "2017", "summary": "every token attends to every token, and that is dear"},
    {"name": "window", "year": "2021", "summary": "short"},
]


def test_what_fits_is_a_line_a_row() -> None:
    assert fitted(ROWS, 80) == aligned(ROWS)


def test_the_last_column_wraps_in_its_place_where_there_is_room_for_it() -> None:
    assert fitted(ROWS, 52).splitlines() == [
        "name    year  summary",
        "msa     2017  every token attends to every token,",
        "              and that is dear",
        "window  2021  short",
    ]


def test_without_that_room_what_does_not_fit_goes_below() -> None:
    assert fitted(ROWS, 40).splitlines() == [
        "name    year",
        "    summary",
        "msa     2017",
        "    every token attends to every token,",
        "    and that is dear",
        "window  2021",
        "    short",
    ]


def test_columns_that_go_below_follow_each_other() -> None:
    assert fitted(ROWS, 10).splitlines()[:2] == ["name", "    year ·"]
    assert "    2017 ·" in fitted(ROWS, 10).splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_mixer_is_whole_and_within_the_terminal(width: int) -> None:
    rows = [listing.row(entry) for entry in mixer_entries() if entry.name in MIXERS]
    text = fitted(rows, width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for row in rows:
        assert row["name"] in words
    # Nothing is lost: the words are those of the table that no edge cuts, in any order.
    assert sorted(word for word in words if word != "·") == sorted(
        word for word in aligned(rows).split() if word != "·"
    )
