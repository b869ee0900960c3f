"""Tables of cells: numbers, or why there are none."""

from __future__ import annotations

import dataclasses

import pytest

from benchsuite.format import si, significant
from benchsuite.results.frame import to_frame
from benchsuite.results.record import Busy, Cost
from benchsuite.summary import print_summary
from benchsuite.terminal import describe_result
from tests.builders import make_cell, make_record


def test_the_table_is_headed_by_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    network = make_cell(subject="backbone", name="LITv2-S", stride=1, dim=None, num_heads=None)
    print_summary([make_record(network), make_record(make_cell(subject="backbone", name="Swin-T"))], {})
    assert capsys.readouterr().out.splitlines()[1].startswith("network ")
    print_summary([make_record(), make_record(network)], {})
    _, header, mixer, lit = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["mixer", "or", "network", "dim", "heads"]
    assert mixer.split()[:3] == ["MSA", "32", "4"]
    assert lit.split()[:3] == ["LITv2-S", "–", "–"]


def test_below_the_table_stands_why_a_cell_that_was_timed_has_no_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cells = [make_cell(name="Own", batch=batch) for batch in (1, 2)]
    print_summary([make_record(cell, cost=None, not_counted="a") for cell in cells], {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "not counted  Own: a"
    assert sum("not counted" in line for line in lines) == 1
    assert lines[-2].split()[2] == "–"


def test_a_cell_that_the_counters_differ_on_is_named_once_with_both_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cost = Cost(params=1, macs=432_128, cross_check_macs=471_040)
    print_summary([make_record(make_cell(name="Own", batch=batch), cost=cost) for batch in (1, 2)], {})
    told = [line for line in capsys.readouterr().out.splitlines() if "differ" in line]
    assert told == [
        "counters differ  Own, 64 px: 432,128 MACs counted, 471,040 by the other counter",
    ]
    print_summary([make_record(cost=dataclasses.replace(cost, macs=471_040))], {})
    assert "differ" not in capsys.readouterr().out


def test_the_table_has_numbers_or_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    lower_bound = Cost(params=1, macs=2_500_000, uncounted={"aten::cdist": 1}, counter="test")
    print_summary(
        [
            make_record(samples=[0.0095, 0.01, 0.0105], rounds=[1, 1, 1], cost=lower_bound),
            make_record(make_cell(name="[red]HiLo"), status="oom", expected=True),
            make_record(make_cell(name="W-MSA", kernel="sdpa"), timing=None, memory=None),
        ],
        {},
    )
    fixed, header, ok, oom, untimed = capsys.readouterr().out.splitlines()
    assert fixed == "px 64 · batch 2 · dim 32 · heads 4 · dtype fp32 · mode inference · device cpu"
    assert header.split() == ["mixer", "kernel", "MACs/image", "latency", "95", "%", "images/s", "memory"]
    assert ok.split() == ["MSA", "math", "≥", "2.5", "M", "10", "ms", "±12", "%", "200", "300", "B"]
    assert oom.split() == ["[red]HiLo", "math", "–", "oom", "(expected)", "–", "–", "–"]
    assert untimed.split() == ["W-MSA", "sdpa", "1", "k", "–", "–", "–", "–"]


def test_device_time_and_what_attention_ran_on_stand_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    busy = make_record(make_cell(name="HiLo", kernel="sdpa"), attention_backend=("flash",))
    assert busy.timing is not None
    works = dataclasses.replace(busy.timing, busy=Busy(seconds=0.002, method="cuda_graph"))
    print_summary([dataclasses.replace(busy, timing=works), make_record()], {})
    _, header, hilo, msa = capsys.readouterr().out.splitlines()
    assert header.split()[-6:] == ["latency", "95", "%", "device", "images/s", "memory"]
    assert hilo.split()[:3] == ["HiLo", "sdpa", "(flash)"]
    assert hilo.split()[-5:-2] == ["2", "ms", "181.8"]
    assert msa.split()[-4] == "–"


def test_the_terminal_states_the_interval_of_the_frame(capsys: pytest.CaptureFixture[str]) -> None:
    record = make_record(samples=[0.0095, 0.01, 0.0105], rounds=[1, 1, 1])
    machine = {"selftest": {"drift_percent": 30.0}}
    row = to_frame([record], {record.session: machine}).iloc[0]
    print_summary([record], {record.session: machine})
    half = 50 * (row["latency_hi_s"] - row["latency_lo_s"]) / row["latency_s"]
    assert f"±{significant(half, 2)} %" in capsys.readouterr().out
    ends = f"[{si(row['latency_lo_s'], 's')}, {si(row['latency_hi_s'], 's')}]"
    assert ends in describe_result(record, machine)
