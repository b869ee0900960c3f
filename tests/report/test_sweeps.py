"""Which cells form a line over an axis: those that differ in nothing else, at three values or more."""

from __future__ import annotations

from typing import Any

from benchsuite.report.reported_cells import reported_cells
from benchsuite.report.sweeps import RESOLUTION, AxisSweep, over_resolution, sweeps
from benchsuite.results.record import Record
from tests.report.synthetic import make_network, make_record


def found(*records: Record) -> list[AxisSweep]:
    return sweeps(reported_cells(records))


def hilo(alpha: float, window: int = 2, **changes: Any) -> Record:
    name = f"HiLo alpha={alpha} window_size={window}"
    return make_record(name, config={"alpha": alpha, "window_size": window}, **changes)


def test_three_batches_are_a_line_and_two_are_none() -> None:
    (sweep,) = found(*(make_record("a", batch=batch) for batch in (4, 1, 2)))
    (line,) = sweep.lines
    assert (sweep.axis, line.name, [spot.at for spot in line.spots]) == ("batch", "a", [1, 2, 4])
    assert found(*(make_record("a", batch=batch) for batch in (1, 2))) == []


def test_cells_that_differ_in_another_axis_as_well_are_no_line() -> None:
    mixed = [make_record("a", batch=1), make_record("a", batch=2), make_record("a", batch=4, dtype="fp32")]
    assert found(*mixed) == []


def test_a_width_that_drags_the_heads_along_is_no_line() -> None:
    assert found(*(make_record("a", dim=64 * n, num_heads=n) for n in (1, 2, 4))) == []
    (sweep,) = found(*(make_record("a", dim=64 * n, num_heads=1) for n in (1, 2, 4)))
    assert sweep.axis == "dim"


def test_heads_and_threads_are_axes_and_torchs_own_threads_are_no_value() -> None:
    (heads,) = found(*(make_record("a", num_heads=n) for n in (1, 2, 4)))
    assert heads.axis == "num_heads"
    (threads,) = found(*(make_record("a", threads=n) for n in (None, 1, 2, 4)))
    assert [spot.at for line in threads.lines for spot in line.spots] == [1, 2, 4]


def test_a_parameter_is_an_axis_and_the_others_tell_lines_apart() -> None:
    (sweep,) = found(*(hilo(alpha, window) for window in (2, 4) for alpha in (0.0, 0.5, 1.0)))
    assert (sweep.axis, sweep.is_parameter) == ("alpha", True)
    assert [line.name for line in sweep.lines] == ["HiLo window_size=2", "HiLo window_size=4"]
    assert [spot.at for spot in sweep.lines[0].spots] == [0, 0.5, 1]


def test_a_parameter_deep_in_a_network_is_an_axis() -> None:
    (sweep,) = found(
        *(
            make_network(f"α = {alpha}", config={"mixer": {"stage3": {"params": {"alpha": alpha}}}})
            for alpha in (0.0, 0.5, 1.0)
        )
    )
    assert (sweep.axis, [line.name for line in sweep.lines]) == ("alpha", ["litv2_s"])


def test_lines_of_one_implementation_that_no_name_tells_apart_are_numbered() -> None:
    records = [
        make_record(f"{word}{alpha}", config={"alpha": alpha, "bias": word})
        for word in "xy"
        for alpha in (1, 2, 3)
    ]
    (sweep,) = found(*records)
    assert [line.name for line in sweep.lines] == ["hilo", "hilo #2"]


def test_a_flag_is_no_number_to_draw_over() -> None:
    assert found(*(make_record(str(v), config={"bias": v}) for v in (True, False, None))) == []


def test_each_set_of_conditions_is_a_sweep_and_says_what_tells_it_apart() -> None:
    both = found(*(make_record("a", batch=b, dtype=t) for b in (1, 2, 4) for t in ("fp32", "fp16")))
    assert [sweep.apart for sweep in both] == ["fp32", "fp16"]
    assert all("batch" not in sweep.conditions for sweep in both)


def test_a_line_without_any_number_is_left_out() -> None:
    assert found(*(make_record("a", batch=b, status="oom") for b in (1, 2, 4))) == []


def test_resolution_is_an_axis_like_the_others() -> None:
    sweep = over_resolution(
        reported_cells(make_record(n, resolution=r) for n in "ab" for r in (448, 224, (224, 448)))
    )
    assert sweep is not None
    assert (sweep.axis, [line.name for line in sweep.lines]) == (RESOLUTION, ["a", "b"])
    assert [spot.cell.resolution for spot in sweep.lines[0].spots] == [224, "224x448", 448]


def test_no_records_have_no_sweeps() -> None:
    assert found() == []
