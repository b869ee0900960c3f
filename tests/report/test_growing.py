"""What is said of growth, on runs that make it true and on runs that do not."""

from __future__ import annotations

from collections.abc import Sequence

from benchsuite.report.growing import fitted, grows, growth_table
from benchsuite.report.points import Point, points
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record

SIDES = (224, 448, 896, 1792)  # 196 to 12,544 tokens at stride 16


def sweep(
    name: str, exponent: float, bumps: Sequence[float] = (), sides: Sequence[int] = SIDES
) -> list[Record]:
    """Latency as a power of the tokens, times `bumps`; memory that does not grow."""
    factors = [*bumps, *[1.0] * len(sides)]
    return [
        make_record(name, resolution=side, latency=1e-5 * (side / 16) ** (2 * exponent) * factor)
        for side, factor in zip(sides, factors, strict=False)
    ]


def cells(*records: Record) -> list[Point]:
    return points(to_frame(records))


def latency(text: str) -> str:
    """The sentence about latency."""
    return next((part for part in text.split("With ") if "latency" in part), "")


def test_the_ends_are_named_where_the_intervals_of_both_tell() -> None:
    text = grows(cells(*sweep("msa", 1.9), *sweep("between", 1.5), *sweep("hilo", 1.1)))
    assert latency(text) == (
        "the math kernel, latency per step of msa grows as tokens^1.90 [1.90, 1.90], that of hilo grows as "
        "tokens^1.10 [1.10, 1.10], between 196 and 12,544 tokens."
    )


def test_exponents_that_intervals_leave_open_are_not_held_against_each_other() -> None:
    rough = (1.0, 1.6, 0.7, 1.2)
    assert latency(grows(cells(*sweep("msa", 1.3, rough), *sweep("hilo", 1.2, rough[::-1])))) == ""


def test_one_name_alone_is_told_with_its_interval() -> None:
    text = latency(grows(cells(*sweep("msa", 1.5, (1.02, 0.98, 1.0, 1.01)))))
    assert text.startswith("the math kernel, latency per step of msa grows as tokens^1.50 [1.4")
    assert text.endswith("], between 196 and 12,544 tokens. ")


def test_three_sizes_are_told_with_their_residual() -> None:
    text = latency(grows(cells(*sweep("msa", 1.5, sides=SIDES[:3]))))
    assert "tokens^1.50 [1.50, 1.50] (3 sizes, at most 0.0 % off), between 196 and 3,136 tokens" in text


def test_names_that_were_measured_over_other_sizes_are_not_held_against_each_other() -> None:
    records = [*sweep("msa", 1.9), *sweep("between", 1.5), *sweep("short", 1.0, sides=SIDES[:3])]
    assert "short" not in grows(cells(*records))
    assert "that of between grows as tokens^1.50" in grows(cells(*records))


def test_two_sizes_say_nothing() -> None:
    assert grows(cells(*sweep("msa", 1.9, sides=SIDES[:2]))) == ""
    assert growth_table(cells(*sweep("msa", 1.9, sides=SIDES[:2]))) is None
    assert grows([]) == ""


def test_a_failed_size_is_left_out_of_the_law() -> None:
    records = [*sweep("msa", 1.9), make_record("msa", resolution=3584, status="oom")]
    (law,) = [one.law for one in fitted(cells(*records)) if one.metric == "latency_s"]
    assert law.sizes == 4


def test_the_table_has_every_exponent() -> None:
    table = growth_table(cells(*sweep("msa", 1.9), *sweep("hilo", 1.1)))
    assert table is not None
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    still = ["0.00 [0.00, 0.00]", "0.0 %"]  # memory is the same at every size
    assert rows == [
        ["msa", "math", "1.90 [1.90, 1.90]", "0.0 %", *still, "4: 196 to 12,544"],
        ["hilo", "math", "1.10 [1.10, 1.10]", "0.0 %", *still, "4: 196 to 12,544"],
    ]
    assert len(table.headers) == 7


def test_networks_grow_with_pixels() -> None:
    records = [make_network(resolution=side, latency=1e-6 * side**2) for side in SIDES]
    assert "LITv2-S grows as pixels^1.00" in grows(cells(*records))


def test_the_table_states_an_interval_from_four_sizes_on() -> None:
    def exponent(sides: tuple[int, ...]) -> str:
        table = growth_table(cells(*sweep("msa", 1.9, sides=sides)))
        assert table is not None
        return table.rows[0].cells[2].text

    assert "[" not in exponent(SIDES[:3])
    assert exponent(SIDES[:3])
    assert "[" in exponent(SIDES[:4])
