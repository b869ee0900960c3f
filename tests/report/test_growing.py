"""Exponents of growth: right for what was made by a power law, and stated from four sizes on."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.report.points import points
from benchsuite.report.sweeps import growth_tables
from benchsuite.report.tables import Table
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record

SIDES = (224, 448, 896, 1792)  # 196 to 12,544 tokens at stride 16


def over(name: str, exponent: float, sides: Sequence[int] = SIDES) -> list[Record]:
    """Latency as a power of the tokens; memory that does not grow."""
    return [
        make_record(name, resolution=side, latency=1e-5 * (side / 16) ** (2 * exponent)) for side in sides
    ]


def tables(*records: Record) -> list[Table]:
    return growth_tables(points(records))


def rows(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_every_exponent_over_tokens_is_in_the_table() -> None:
    (table,) = tables(*over("msa", 1.9), *over("hilo", 1.1))
    still = ["0.00 [0.00, 0.00]", "0.0 %"]  # memory is the same at every size
    assert rows(table) == [
        ["msa", "math", "all", "1.90 [1.90, 1.90]", "0.0 %", *still],
        ["hilo", "math", "all", "1.10 [1.10, 1.10]", "0.0 %", *still],
    ]
    assert "a power of the tokens" in table.caption


def test_three_sizes_state_no_exponent_nor_do_failures_count() -> None:
    assert tables(*over("msa", 1.9, SIDES[:3])) == []
    assert (
        tables(*over("msa", 1.9, SIDES[:3]), make_record("msa", resolution=1792, status="oom", macs=None))
        == []
    )


def test_batch_is_an_axis_like_resolution_and_a_parameter_is_none() -> None:
    (table,) = tables(*(make_record("a", batch=b, latency=b / 1e3) for b in (1, 2, 4, 8)))
    assert rows(table)[0][:4] == ["a", "math", "224 px", "1.00 [1.00, 1.00]"]
    alphas = [make_record(f"a alpha={a}", config={"alpha": a}, latency=a) for a in (0.1, 0.2, 0.4, 0.8)]
    assert tables(*alphas) == []


def test_networks_grow_with_pixels() -> None:
    (table,) = tables(*(make_network(resolution=side, latency=1e-6 * side**2) for side in SIDES))
    assert "a power of the pixels" in table.caption
    assert rows(table)[0][3].startswith("1.00")
