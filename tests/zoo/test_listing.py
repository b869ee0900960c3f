"""`list backbones` and `show backbone`: what a network is, where its mixers stand, and which others fit."""

from __future__ import annotations

import json

import pytest

from benchmarks._called import called
from benchsuite.backbones import BACKBONES
from benchsuite.backbones._choice import GRIDLESS
from benchsuite.mixers import MIXERS


def test_every_network_is_listed_with_its_paper() -> None:
    rows = json.loads(called("list", "backbones", "--format", "json").out)
    assert [row["name"] for row in rows] == list(BACKBONES)
    assert all(row["summary"] for row in rows)
    (row,) = (row for row in rows if row["name"] == "litv2_s")
    assert (row["paper"], row["params"]) == ("2022 arXiv:2205.13213", "28 M")


@pytest.fixture(scope="module")
def litv2() -> str:
    answer = called("show", "backbone", "litv2_s")
    assert answer.code == 0
    return answer.out


def test_a_page_has_our_counts_beside_published_ones(litv2: str) -> None:
    assert "27,844,000" in litv2  # as in the paper's 28 M
    assert "published  28 M" in litv2


def test_a_page_says_where_mixers_stand_and_which_others_fit(litv2: str) -> None:
    lines = litv2.splitlines()
    third = lines.index(next(line for line in lines if line.startswith("  stage3")))
    assert lines[third] == "  stage3  6 blocks of 14 × 14 tokens, 384 channels, 12 heads"
    assert lines[third + 1].split() == ["mixes", "with", "hilo"]
    assert "mixes with  hilo, not with its default parameters\n    takes       with default" in litv2
    fourth = lines[lines.index(next(line for line in lines if line.startswith("  stage4"))) + 2]
    unfit = fourth.partition(" but ")[2].split(", ")
    assert "hilo" in unfit  # windows of 2 do not divide a grid of 7
    assert set(unfit) < set(MIXERS)


def test_a_plain_network_says_which_mixers_it_takes() -> None:
    out = called("show", "backbone", "deit_s").out
    assert set(" ".join(out.partition("takes")[2].split()).split(", ")) == GRIDLESS & set(MIXERS)


def test_an_unknown_network_gets_the_near_one_and_exit_2() -> None:
    answer = called("show", "backbone", "lityv2_s")
    assert answer.code == 2
    assert 'did you mean "litv2_s"?' in answer.err
