"""The table of the charts: the same numbers as the frame, and the command that repeats a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchsuite.report.cells import read
from benchsuite.report.explore.browser_table import looks_of, to_table
from benchsuite.report.explore.explorer import base_command
from benchsuite.report.theme import MARKERS, SERIES, looks
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.scenario.expand import expand_detailed
from benchsuite.scenario.filters import parse
from benchsuite.scenario.model import Scenario
from tests.report.synthetic import make_record, make_run, realistic


def table_of(records: Sequence[Record], reference: str | None = None) -> dict[str, Any]:
    return to_table(read(make_run(records, report={"reference": reference} if reference else {})))


def column(table: dict[str, Any], key: str) -> list[Any]:
    """The values of a column."""
    return list(table["columns"][key]["values"])


def test_every_number_is_that_of_the_frame_and_missing_stays_missing() -> None:
    frame, table = to_frame(realistic()), table_of(realistic())
    assert table["rows"] == len(frame)
    for key in ("macs", "latency_s", "latency_lo_s", "latency_hi_s", "throughput", "peak_memory_bytes"):
        for value, expected in zip(column(table, key), frame[key], strict=True):
            if pd.isna(expected):
                assert value is None
            else:
                assert math.isclose(value, expected, rel_tol=1e-6)
    for key in ("cell", "name", "status", "kernel"):
        assert column(table, key) == list(frame[key])


def test_metrics_carry_label_unit_and_interval_and_empty_columns_are_absent() -> None:
    columns = table_of(realistic())["columns"]
    assert columns["latency_s"]["label"] == "Latency per step"
    assert (columns["latency_s"]["unit"], columns["latency_s"]["better"]) == ("s", "lower")
    assert (columns["latency_s"]["lo"], columns["latency_s"]["hi"]) == ("latency_lo_s", "latency_hi_s")
    assert columns["kernel"]["kind"] == "axis"
    assert "joules" not in columns
    assert "threads" not in columns


def test_parameters_that_vary_are_axes() -> None:
    records = [make_record(f"α={a}", config={"alpha": a, "window_size": 2}) for a in (0.1, 0.5)]
    records.append(make_record("msa"))
    table = table_of(records)
    assert column(table, "params.alpha") == [0.1, 0.5, None]
    assert "params.window_size" not in table["columns"]


def test_a_run_in_which_everything_failed_has_a_table_too() -> None:
    table = table_of([make_record("a", status="oom", macs=None)])
    assert column(table, "status") == ["oom"]
    assert not [key for key, found in table["columns"].items() if found.get("kind") == "metric"]


def test_a_name_has_the_colour_of_its_figures_and_every_marker_has_a_symbol() -> None:
    names = [f"m{i}" for i in range(len(MARKERS))]
    found = looks_of(names)
    assert len({symbol for _, symbol in found.values()}) == len(MARKERS)
    assert found["m0"] == [1, "circle"]
    assert [number for number, _ in found.values()] == [*range(1, 11), 1]
    assert looks(names)["m10"].color == looks(names)["m0"].color


def test_names_of_two_arguments_have_the_colours_of_their_figures() -> None:
    names = [f"HiLo alpha={alpha} window_size={size}" for alpha in (0.1, 0.5, 0.9) for size in (2, 7)]
    numbers = [number for number, _ in looks_of(names).values()]
    assert len(set(numbers)) == 2
    assert [SERIES[number - 1] for number in numbers] == [look.color for look in looks(names).values()]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["benchsuite", "run", "hilo", "--profile", "cpu", "--out", "/tmp/x", "-q"],
         "benchsuite run hilo --profile cpu"),
        (["benchsuite", "run", "-q", "--profile=cpu", "a b.yaml", "--set", "sweep.batch=[1, 2]"],
         "benchsuite run --profile=cpu 'a b.yaml' --set 'sweep.batch=[1, 2]'"),
        (["benchsuite", "run", "hilo", "--filter", "mixer=hilo", "--filter=x", "--device", "cuda:1"],
         "benchsuite run hilo --device cuda:1"),
        ("benchsuite run hilo --timeout 3", "benchsuite run hilo --timeout 3"),
        ("benchsuite run 'hilo", None),
        (["benchsuite", "run", "--resume", "r1"], None),
        (["benchsuite", "run", "hilo", "--new-option", "3"], "benchsuite run hilo --new-option 3"),
        (["benchsuite", "selftest"], None),
        (["python", "x.py"], None),
        (None, None),
    ],
)  # fmt: skip
def test_the_command_of_a_row_keeps_what_decides_its_cell(command: object, expected: str | None) -> None:
    assert base_command({"command": command}) == expected


def test_the_filter_of_a_row_selects_this_row_of_its_scenario_and_no_other(repository: Path) -> None:
    run = read_run(repository / "reports" / "hilo-cpu")
    document = {key: value for key, value in run.scenario.items() if key != "run"}
    cells = expand_detailed(Scenario.from_dict(document), device="cpu").cells
    measured = [record for record in run.records if record.status != "skipped"]
    assert len(measured) == 45
    for record in measured:
        assert [cell for cell in cells if parse(f"cell={record.id}").matches(cell)] == [record.cell]


def test_the_standing_is_that_of_all_kernels_at_a_resolution_under_the_same_conditions() -> None:
    records = [
        make_record("a", macs=1, latency=0.02),
        make_record("b", macs=2, latency=0.0199, noise=0.05),
        make_record("beaten", macs=3, latency=0.08),
        make_record("fused", macs=4, latency=0.001, kernel="flash"),
        make_record("bound", macs=1, latency=0.0001, exact=False),
        make_record("untimed", macs=0, status="oom"),
        make_record("beaten", macs=3, latency=0.08, resolution=448),
        make_record("beaten", macs=3, latency=0.08, dtype="fp32"),
    ]
    rough = [make_record("a", macs=1, rounds=1), make_record("b", macs=2, latency=0.009, rounds=1)]
    assert column(table_of(rough), "standing") == ["certain", None]  # medians alone tell of no chance
    assert column(table_of(records), "standing") == [
        "certain", "possible", "dominated", "certain", None, None, "certain", "certain",
    ]  # fmt: skip


def test_multiples_of_the_reference_and_rounds_are_there_for_charts_and_strips() -> None:
    records = [make_record("msa", latency=0.02), make_record("hilo", latency=0.01)]
    table = table_of([*records, make_record("x", status="oom")], "msa")
    one, two, none = column(table, "relative")
    assert (one, none) == (1.0, None)
    assert two == pytest.approx(2, rel=1e-2)
    assert column(table, "relative_lo")[1] < two < column(table, "relative_hi")[1]
    assert table["columns"]["relative"]["label"] == "× msa"
    rounds = column(table, "rounds_s")
    assert rounds[2] is None
    assert sorted(rounds[1])[2] == pytest.approx(0.01)
    assert len(rounds[1]) == 5
    assert "relative" not in table_of([records[0]])["columns"]
