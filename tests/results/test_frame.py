"""The tidy frame: columns, units, what is missing, and the formats it is exported to."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import benchsuite
from benchsuite.errors import UsageError
from benchsuite.results import metrics
from benchsuite.results.codec import decode, encode
from benchsuite.results.frame import export, frame_of, to_frame
from benchsuite.results.kernels import kernel_ran
from benchsuite.results.metrics import METRICS
from benchsuite.results.record import Cost, Memory, Record, Usage
from benchsuite.results.store import Run, RunWriter
from benchsuite.stats.evidence import STOPPED_CONFIDENCE, estimate
from tests.builders import make_cell, make_record

COLUMNS = tuple(metrics.QUANTITIES)
STEPS = tuple(0.010 + 0.001 * i for i in range(11))  # 10 to 20 ms, median 15 ms


def results(*records: Record) -> Run:
    return Run(path=Path("run"), scenario={}, environment={}, records=records)


def row(record: Record) -> dict[str, object]:
    return dict(to_frame([record]).to_dict("records")[0])


def test_the_first_columns_are_those_that_the_documentation_promises() -> None:
    promised = (
        "cell subject name resolution batch dtype mode kernel device status reason params macs latency_s "
        "latency_lo_s latency_hi_s samples throughput peak_memory_bytes"
    )
    assert tuple(promised.split()) == COLUMNS[:19]


def test_parameters_that_learn_are_a_column_of_their_own() -> None:
    cost = Cost(params=36, trainable_params=30, macs=1)
    old = Cost(params=36, macs=1)  # of a record that did not tell them apart
    frame = to_frame([make_record(cost=cost), make_record(make_cell(name="old"), cost=old)])
    assert list(frame["params"]) == [36, 36]
    assert frame["trainable_params"].isna().tolist() == [False, True]
    assert frame["trainable_params"][0] == 30


def test_no_records_make_an_empty_frame_with_all_columns() -> None:
    frame = to_frame([])
    assert tuple(frame.columns) == COLUMNS
    assert frame.empty
    assert frame["latency_s"].dtype == float


def test_every_metric_and_the_ends_of_its_interval_are_columns() -> None:
    for metric in METRICS.values():
        assert {metric.key, *(metric.interval or ())} <= set(COLUMNS)


ROUNDS = [[0.9, 1.0, 1.2], [1.05], [0.98, 1.02], [0.9, 0.95, 5.0], [1.1, 1.1]]
"""Seconds in five rounds, whose medians are 1, 1.05, 1, 0.95 and 1.1."""


def visited(rounds: Sequence[Sequence[float]] = ROUNDS, batch: int = 2, **timing: Any) -> Record:
    """A record of these rounds."""
    samples = [one for samples in rounds for one in samples]
    record = make_record(make_cell(batch=batch), samples, rounds=[len(samples) for samples in rounds])
    assert record.timing is not None
    return replace(record, timing=replace(record.timing, **timing))


def test_latency_is_the_median_of_rounds_with_their_interval_and_the_tails_of_all_samples() -> None:
    found = row(visited())
    interval = estimate([1.0, 1.05, 1.0, 0.95, 1.1])
    assert (found["latency_s"], found["rounds"], found["samples"]) == (1.0, 5, 11)
    assert (found["latency_lo_s"], found["latency_hi_s"]) == (interval.lo, interval.hi)
    assert found["precision"] == pytest.approx((interval.hi - interval.lo) / 2)
    assert found["latency_p5_s"] == 0.9
    assert found["latency_p95_s"] == pytest.approx(3.1)


def test_rounds_that_ended_by_precision_have_an_interval_that_knows_it() -> None:
    found = row(visited(stopped_by="precision"))
    assert found["latency_hi_s"] == estimate([1.0, 1.05, 1.0, 0.95, 1.1], confidence=STOPPED_CONFIDENCE).hi


def test_the_drift_of_the_machine_widens_the_interval_of_its_own_session_and_not_the_precision() -> None:
    tested = {"selftest": {"noise_percent": 1.8, "drift_percent": 5.0}}
    frame = to_frame([visited(), replace(visited(), session=2)], {1: {}, 2: tested})
    here, there = frame.to_dict("records")
    wide = estimate([1.0, 1.05, 1.0, 0.95, 1.1], drift=0.05)
    assert (there["latency_lo_s"], there["latency_hi_s"]) == (wide.lo, wide.hi)
    assert there["latency_hi_s"] > here["latency_hi_s"]
    assert there["precision"] == here["precision"]
    assert (there["noise"], there["drift"], here["noise"]) == (pytest.approx(0.018), 0.05, 0.0)
    assert math.isnan(here["drift"])


def test_throughput_is_images_per_second_and_its_interval_is_that_of_the_latency_turned_round() -> None:
    found = row(visited(batch=30))
    interval = estimate([1.0, 1.05, 1.0, 0.95, 1.1])
    assert found["throughput"] == 30
    assert found["throughput_lo"] == pytest.approx(30 / interval.hi)
    assert found["throughput_hi"] == pytest.approx(30 / interval.lo)


def test_what_the_system_did_is_told_for_each_call_and_as_a_share_of_the_time() -> None:
    one = {"user_s": 0.1, "voluntary_switches": 0, "involuntary_switches": 0, "major_faults": 0}
    usage = (
        Usage(calls=10, wall_s=1.0, system_s=0.5, minor_faults=50, **one),  # type: ignore[arg-type]
        Usage(calls=30, wall_s=3.0, system_s=0.1, minor_faults=30, **one),  # type: ignore[arg-type]
    )
    found = row(visited(usage=usage, varies_most="rounds", threads=3, allocator="retain"))
    assert (found["page_faults"], found["system_share"]) == (2.0, pytest.approx(0.15))
    assert (found["varies_most"], found["threads_used"], found["allocator_used"]) == ("rounds", 3, "retain")
    assert math.isnan(row(visited())["page_faults"])


@pytest.mark.parametrize("record", [make_record(samples=STEPS[:5]), visited([STEPS[:3], STEPS[2:]])])
def test_fewer_than_three_rounds_have_a_median_and_no_interval(record: Record) -> None:
    found = row(record)
    assert found["latency_s"] == pytest.approx(0.012 if found["rounds"] == 1 else 0.01350)
    for key in ("latency_lo_s", "latency_hi_s", "throughput_lo", "throughput_hi"):
        assert math.isnan(found[key])


def test_what_a_failed_cell_lacks_is_missing_and_never_zero() -> None:
    found = row(make_record(status="oom"))
    measured = "params macs macs_exact flops latency_s samples throughput peak_memory_bytes stopped_by"
    for key in measured.split():
        assert pd.isna(found[key]), key
    assert (found["status"], found["reason"]) == ("oom", "a planted oom")


def test_a_measured_cell_has_no_reason() -> None:
    assert pd.isna(row(make_record())["reason"])


@pytest.mark.parametrize(("size", "shown"), [((64, 64), 64), ((64, 128), "64x128"), ((128, 64), "128x64")])
def test_a_resolution_is_a_number_only_where_the_image_is_square(
    size: tuple[int, int], shown: object
) -> None:
    found = row(make_record(make_cell(resolution=size)))
    assert found["resolution"] == shown
    assert (found["height"], found["width"]) == size
    assert found["tokens"] == size[0] * size[1] // 256


def test_macs_are_exact_unless_operators_were_not_counted() -> None:
    lower = make_record(cost=Cost(params=1, macs=500, uncounted={"aten::fold": 1}))
    frame = to_frame([make_record(), lower])
    assert frame["macs_exact"].tolist() == [True, False]
    assert frame["flops"].tolist() == [2000, 1000]


def test_memory_is_split_into_what_was_there_before_and_what_the_step_added() -> None:
    memory = Memory(
        peak_allocated_bytes=900,
        peak_reserved_bytes=2048,
        weights_bytes=300,
        input_bytes=100,
        method="cuda_allocator",
    )
    found = row(make_record(memory=memory))
    assert found["peak_memory_bytes"] == 900
    assert found["activations_bytes"] == 500
    assert found["peak_reserved_bytes"] == 2048


def test_arguments_of_the_mixer_are_json_in_a_stable_order() -> None:
    one = row(make_record(make_cell(config={"window_size": 2, "alpha": 0.5})))
    other = row(make_record(make_cell(config={"alpha": 0.5, "window_size": 2})))
    assert one["config"] == other["config"] == '{"alpha": 0.5, "window_size": 2}'


def test_csv_reads_back_with_the_same_numbers() -> None:
    text = export([results(make_record(samples=STEPS), make_record(make_cell(batch=4), status="oom"))], "csv")
    assert isinstance(text, str)
    read = pd.read_csv(io.StringIO(text))
    assert tuple(read.columns) == COLUMNS
    assert read["latency_s"][0] == pytest.approx(0.015)
    assert read["macs"][0] == 1000
    assert pd.isna(read["macs"][1])


def test_rounds_are_told_by_their_medians_and_in_a_file_as_text() -> None:
    turned = visited([STEPS[:5], STEPS[5:7], STEPS[7:]])
    assert row(turned)["rounds_s"] == pytest.approx((0.012, 0.0155, 0.0185))
    assert row(make_record(samples=STEPS))["rounds_s"] == pytest.approx((0.015,))
    assert row(make_record(status="oom"))["rounds_s"] is None
    text = export([results(turned, make_record(make_cell(batch=4), status="oom"))], "csv")
    assert isinstance(text, str)
    told = pd.read_csv(io.StringIO(text))["rounds_s"]
    assert [float(one) for one in told[0].split(" ")] == pytest.approx([0.012, 0.0155, 0.0185])
    assert pd.isna(told[1])


def test_parquet_reads_back_with_mixed_resolutions_and_columns_that_are_all_missing() -> None:
    pytest.importorskip("pyarrow")
    data = export([results(make_record(), make_record(make_cell(resolution=(64, 128))))], "parquet")
    assert isinstance(data, bytes)
    read = pd.read_parquet(io.BytesIO(data))
    assert tuple(read.columns) == COLUMNS
    assert read["resolution"].tolist() == ["64", "64x128"]
    assert read["reason"].isna().all()


def test_parquet_without_pyarrow_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"Parquet needs pyarrow: pip install 'benchsuite\[parquet\]'"):
        export([results(make_record())], "parquet")


def test_several_runs_are_one_table_with_a_column_that_says_which() -> None:
    one, other = results(make_record(samples=STEPS)), results(make_record(status="oom"))
    other = replace(other, path=Path("=other"))
    read = pd.read_csv(io.StringIO(str(export([one, other], "csv"))))
    assert tuple(read.columns) == ("run", *COLUMNS)
    assert read["run"].tolist() == [str(one.path), "'=other"]
    assert read["status"].tolist() == ["ok", "oom"]


def test_a_run_folder_is_loaded_into_a_frame(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path / "run", {"name": "test"}, {})
    writer.append(make_record())
    writer.close()
    loaded = benchsuite.load(tmp_path / "run")
    assert loaded.frame()["name"].tolist() == ["MSA"]
    assert loaded.run.scenario == {"name": "test"}
    first, row = repr(loaded).splitlines()
    assert first == f"{tmp_path / 'run'}: 1 record"
    assert row.startswith("MSA ")


def test_a_run_is_held_against_the_ceilings_of_its_own_machine() -> None:
    """1000 MACs on each of 2 images in 1 s are 4000 FLOP/s; the machine multiplies 10⁴ times a second."""
    memory = Memory(
        peak_allocated_bytes=900,
        weights_bytes=300,
        input_bytes=100,
        output_bytes=100,
        method="torch_profiler",
    )
    record = make_record(samples=[1.0] * 6, memory=memory)
    ceilings = {"device": "cpu", "threads": 1, "macs_per_s": {"fp32": 1e4}, "copy_bytes_per_s": 1e4}
    run = Run(path=Path("run"), scenario={}, environment={"ceilings": ceilings}, records=(record,))
    found = frame_of(run).iloc[0]
    assert found["achieved_flops_per_s"] == pytest.approx(4000)
    assert found["ceiling_share"] == pytest.approx(0.2)
    assert found["intensity"] == pytest.approx(4000 / 500)
    alone = row(record)
    assert alone["intensity"] == pytest.approx(4000 / 500)
    assert pd.isna(alone["ceiling_share"])


def test_what_each_part_of_training_holds_has_a_column() -> None:
    memory = Memory(
        peak_allocated_bytes=1000,
        weights_bytes=100,
        input_bytes=50,
        output_bytes=60,
        gradient_bytes=100,
        optimizer_bytes=200,
        process_bytes=5000,
        method="torch_profiler",
    )
    found = row(make_record(memory=memory))
    parts = ("output_bytes", "gradient_bytes", "optimizer_bytes", "process_bytes")
    assert [found[key] for key in parts] == [60, 100, 200, 5000]
    assert found["activations_bytes"] == 1000 - 100 - 50 - 200


@pytest.mark.parametrize(
    ("kernel", "seen", "column", "shown"),
    [
        ("sdpa", None, None, "sdpa"),
        ("math", (), "none", "math"),
        ("sdpa", ("flash",), "flash", "sdpa (flash)"),
        ("sdpa", ("math",), "math", "sdpa (math)"),
        ("sdpa", ("flash", "math"), "flash math", "sdpa (flash, math)"),
        ("flash", ("flash",), "flash", "flash"),
        ("mem_efficient", ("efficient",), "efficient", "mem_efficient"),
        ("math", ("flash",), "flash", "math (flash)"),
    ],
)
def test_the_backend_of_attention_is_a_column_and_told_where_it_is_not_the_kernel(
    kernel: Any, seen: Any, column: str | None, shown: str
) -> None:
    record = make_record(make_cell(kernel=kernel), attention_backend=seen)
    assert row(record)["attention_backend"] == column
    assert kernel_ran(kernel, column) == shown
    assert decode(encode(record)) == record
