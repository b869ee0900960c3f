"""Text from outside: what is stored is valid Unicode, and what is shown commands no terminal."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.text import (
    ESCAPE,
    all_storable,
    bounded,
    escaped,
    in_markdown,
    in_spreadsheet,
    numbered,
    printable,
    storable,
)

ANY = st.text(st.characters(codec=None, exclude_categories=()))
"""Lone surrogates and control characters included."""


@given(ANY)
def test_what_is_storable_encodes_and_is_stored_as_it_is_from_then_on(text: str) -> None:
    assert storable(text).encode("utf-8").decode("utf-8") == storable(text)
    assert storable(storable(text)) == storable(text)


@given(st.text())
def test_valid_text_is_stored_as_it_is(text: str) -> None:
    assert storable(text) == text


def test_pairs_of_surrogates_are_joined_and_lone_ones_escaped() -> None:
    assert storable("a\ud83d\ude00b") == "a😀b"
    assert storable("\ude00\ud83d") == "\\ude00\\ud83d"
    data = {"\udcff": ["\udc80", 1, 0.5, None, ("x", math.nan, -math.inf)]}
    assert all_storable(data) == {"\\udcff": ["\\udc80", 1, 0.5, None, ["x", None, None]]}


@given(ANY)
def test_what_is_shown_holds_no_character_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown if c not in "\t\n")
    assert shown.encode("utf-8").decode("utf-8") == shown


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\r", "\x9b", "\x7f", "\u202e", "\u2066", "\u2028"])
def test_control_characters_are_escaped_as_json_does(character: str) -> None:
    assert json.loads(f'"{printable(character)}"') == character
    assert printable(f"a\tb\n{character}") == f"a\tb\n{escaped(character)}"


def test_a_stream_of_ascii_escapes_what_it_lacks_as_json_does() -> None:
    text = "µ é 😀 \udcff"
    assert text.encode("ascii", ESCAPE) == rb"\u00b5 \u00e9 \ud83d\ude00 \udcff"
    assert json.loads(f'"{text.encode("ascii", ESCAPE).decode()}"') == text


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = "a" * 900 + "z" * 100
    assert bounded(text, 1000) == text
    short = bounded(text, 100)
    assert len(short) == 100
    assert bounded(short, 100) == short
    assert re.fullmatch(r"a{30,} … \[900 characters and more left out\] … z{10,}", short)


def test_a_spreadsheet_computes_nothing() -> None:
    for text in ("=1", "+1", "-1", "@x", "\tx"):
        assert in_spreadsheet(text) == f"'{text}"
    assert [in_spreadsheet(text) for text in ("", "a=1", "1")] == ["", "a=1", "1"]


def test_markdown_shows_html_and_keeps_a_text_in_its_cell() -> None:
    assert in_markdown("<img src=x onerror=alert(1)>\n& |") == "&lt;img src=x onerror=alert(1)&gt; &amp; \\|"


def test_names_that_repeat_are_numbered_in_order() -> None:
    assert numbered(["a", "b", "a", "a", "a-2"]) == ["a", "b", "a-2", "a-3", "a-2-2"]
