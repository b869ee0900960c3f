"""What the report says of turns, comparisons, compilation and flags."""

from __future__ import annotations

from dataclasses import replace

from benchsuite.report import trust
from benchsuite.results.record import Check, Compilation
from tests.builders import make_cell, make_record


def test_turns_are_told_where_cells_took_turns() -> None:
    record = make_record()
    assert trust.rounds([record]) is None
    assert record.timing is not None
    turned = replace(record, timing=replace(record.timing, rounds=(1, 1, 1)))
    assert trust.rounds([record, turned]) == (
        "1 cell took turns with the others of the same size and setting, in 3 rounds, so that drift of the "
        "machine falls on all alike."
    )


def test_the_comparison_names_the_cell_that_is_nearest_to_its_limit() -> None:
    assert trust.comparison([make_record()]) is None
    good = Check(reference="math fp32", error=1e-7, tolerance=1e-4, images=1)
    worse = Check(reference="math fp32", error=0.006, tolerance=0.01, images=1)
    none = Check(reference="math fp32", error=None, tolerance=0.01, images=1, reason="it routes")
    records = [
        make_record(check=good),
        make_record(make_cell(name="HiLo", dtype="bf16", kernel="sdpa"), check=worse),
        make_record(check=none),
    ]
    text = trust.comparison(records)
    assert text is not None
    assert text.startswith("2 cells computed the same as math fp32")
    assert "HiLo with sdpa bf16: 0.006 of the norm, of 0.01 allowed." in text
    assert text.endswith("1 cell could not be compared: it routes.")
    assert trust.comparison(records[2:]) == "1 cell could not be compared: it routes."


def test_compilation_is_summed_up() -> None:
    assert trust.compilation([make_record()]) is None
    one = make_record(compilation=Compilation(seconds=2.0, graphs=2, graph_breaks=1, recompiles=0))
    other = make_record(compilation=Compilation(seconds=4.0, graphs=1, graph_breaks=0, recompiles=1))
    assert trust.compilation([one, other]) == (
        "2 cells compiled in 2 s to 4 s, outside the timed region, with 1 graph break and 1 "
        "recompilation in all."
    )


def test_every_flag_is_said_with_its_cells_and_what_to_do() -> None:
    assert list(trust.flagged([make_record()])) == []
    records = [make_record(flags=("drift", "busy_host")), make_record(flags=("drift",))]
    busy, drift = trust.flagged(records)
    assert busy.startswith("busy host (1 cell: MSA). Others used more than a tenth")
    assert drift.startswith("drift (2 cells: MSA). The rounds got slower")
