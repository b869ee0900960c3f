"""What the names stand for."""

from __future__ import annotations

from benchsuite.report.names import names_table
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record

SRA = {"stage3": {"name": "sra", "params": {"sr_ratio": 2}}, "stage4": "msa"}
TWINS = {"stage3": {"alternate": [{"name": "lsa", "params": {"window_size": 7}}, "gsa"]}, "stage4": "msa"}


def rows(*records: Record) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in names_table(reported_cells(records)).rows]


def heads(*records: Record) -> list[str]:
    return [header.text for header in names_table(reported_cells(records)).headers]


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
