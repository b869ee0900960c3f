from __future__ import annotations

import pytest

from benchsuite.labels import Noun, noun
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
