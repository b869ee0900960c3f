from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchsuite.labels import Noun, common_start_note, noun, short_names
from benchsuite.results.cell import SUBJECTS


@pytest.mark.parametrize(
    ("subjects", "single", "plural"),
    [
        (["mixer", "mixer"], "mixer", "mixers"),
        (["block"], "block", "blocks"),
        (["backbone"], "network", "networks"),
        (["backbone", "mixer"], "mixer or network", "mixers and networks"),
        (SUBJECTS, "mixer, block or network", "mixers, blocks and networks"),
        ([], "mixer", "mixers"),
    ],
)
def test_the_noun_follows_what_was_measured(subjects: list[str], single: str, plural: str) -> None:
    assert noun(subjects) == Noun(single, plural)


def test_a_number_decides_between_one_and_several() -> None:
    word = noun(["backbone"])
    assert (word.counted(1), word.counted(2), word.counted(0)) == ("1 network", "2 networks", "0 networks")
    assert word.heading == "Network"


@given(st.lists(st.text(min_size=1, max_size=60), max_size=12, unique=True))
def test_short_names_are_short_distinct_and_printable(names: list[str]) -> None:
    short = short_names(names)
    assert len(set(short.values())) == len(names)
    assert all(len(text) <= 32 and text.isprintable() for text in short.values())


def test_a_long_name_keeps_both_of_its_ends() -> None:
    name = "a mixer with many parameters alpha=0.5 window_size=7"
    assert short_names([name])[name] == "a mixer with man…5 window_size=7"
    assert short_names(["short"])["short"] == "short"


def test_a_common_start_is_left_out_of_labels_and_arguments_become_equations() -> None:
    names = ["HiLo alpha=0.5 window_size=2", "HiLo alpha=1.0 window_size=2"]
    assert short_names(names) == {
        names[0]: "α = 0.5 window = 2",
        names[1]: "α = 1.0 window = 2",
    }
    assert common_start_note(names) == " All names begin with “HiLo”, which is left out."


@pytest.mark.parametrize(
    "names", [["msa", "msa fused"], ["a x", "b x"], ["α = 0.5", "α = 0.9"], ["HiLo alpha=1"], []]
)
def test_without_a_common_start_that_something_follows_names_stay_whole(names: list[str]) -> None:
    assert list(short_names(names).values()) == names
    assert common_start_note(names) == ""
