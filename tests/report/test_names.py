"""What the names stand for, and the sentence that tells variants apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from benchsuite.report.names import apart, names_table
from benchsuite.report.points import points
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record

SRA = {"stage3": {"name": "sra", "params": {"sr_ratio": 2}}, "stage4": "msa"}
TWINS = {"stage3": {"alternate": [{"name": "lsa", "params": {"window_size": 7}}, "gsa"]}, "stage4": "msa"}


def rows(*records: Record) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in names_table(points(to_frame(records))).rows]


def heads(*records: Record) -> list[str]:
    return [header.text for header in names_table(points(to_frame(records))).headers]


def said(*records: Record) -> str:
    return apart(points(to_frame(records)))


def test_a_mixer_stands_for_its_implementation_arguments_and_shape() -> None:
    records = [
        make_record("HiLo", config={"alpha": 0.5, "window_size": 2}, num_heads=8),
        make_record("HiLo", config={"alpha": 0.5, "window_size": 2}, num_heads=4),
        make_record("MSA", target="msa"),
    ]
    assert heads(*records) == ["Mixer", "Implementation", "Arguments", "Channels", "Heads", "Stride (px)"]
    assert rows(*records) == [
        ["HiLo", "hilo", "alpha=0.5, window_size=2", "256", "8 and 4", "16"],
        ["MSA", "msa", "–", "256", "8", "16"],
    ]


def test_a_network_stands_for_the_mixers_of_its_stages() -> None:
    records = [
        make_network("HiLo"),
        make_network("SRA", config={"mixer": SRA}),
        make_network("T-MSA", config={"mixer": TWINS, "num_classes": 10}),
    ]
    assert heads(*records) == ["Network", "Implementation", "Mixers of its stages", "Arguments"]
    assert rows(*records) == [
        ["HiLo", "litv2_s", "its own", "–"],
        ["SRA", "litv2_s", "stage3 sra (sr_ratio=2), stage4 msa", "–"],
        ["T-MSA", "litv2_s", "stage3 lsa (window_size=7) and gsa in turn, stage4 msa", "num_classes=10"],
    ]


def test_networks_that_keep_their_mixers_need_no_column_for_them() -> None:
    assert heads(make_network("A"), make_network("B", target="swin_t")) == [
        "Network",
        "Implementation",
        "Arguments",
    ]


def test_layers_beside_networks_have_a_shape_and_networks_have_none() -> None:
    records = [make_record("MSA", target="msa"), make_network("LITv2-S", config={"mixer": SRA})]
    assert heads(*records)[0] == "Mixer or network"
    assert [row[-3:] for row in rows(*records)] == [["256", "8", "16"], ["–", "–", "–"]]
    assert rows(*records)[0][2] == "–"


def test_variants_of_a_network_are_told_apart_by_the_stages_whose_mixers_differ() -> None:
    everywhere = {"mixer": {"stage2": "pool", **SRA}}
    assert said(make_network("a", config=everywhere), make_network("b", config={"mixer": SRA})) == (
        "All 2 networks are litv2_s; they differ in the mixers of stage2."
    )
    assert said(make_network("a"), make_network("b", config={"mixer": SRA})) == (
        "All 2 networks are litv2_s; they differ in the mixers of stage3 and stage4."
    )


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"alpha": 0.5}, {"alpha": 0.9}, "alpha"),
        ({"alpha": 0.5}, {"window_size": 2}, "alpha and window_size"),
        ({"alpha": 0.5, "mixer": "x"}, {"alpha": 0.5, "mixer": "y"}, "mixer"),  # no network: a plain argument
    ],
)
def test_variants_of_a_mixer_are_told_apart_by_their_arguments(
    one: Mapping[str, Any], other: Mapping[str, Any], words: str
) -> None:
    records = [make_record("a", config=one), make_record("b", config=other)]
    assert said(*records) == f"All 2 mixers are hilo; they differ in {words}."


def test_width_tells_variants_apart_only_where_it_goes_with_the_name() -> None:
    narrow, wide = make_record("a", dim=128), make_record("b", dim=256)
    assert said(narrow, wide) == "All 2 mixers are hilo; they differ in channels."
    swept = [make_record(name, dim=dim) for name in "ab" for dim in (128, 256)]
    assert said(*swept) == ""


def test_nothing_is_said_of_one_name_or_of_several_implementations() -> None:
    assert said(make_record("a"), make_record("a", resolution=448)) == ""
    assert said(make_record("a"), make_record("b", target="msa")) == ""
    assert apart([]) == ""
