"""Snapshots of the machine's state: which names they hold, and what lies between two of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchsuite.measurement import conditions
from benchsuite.measurement.conditions import NAMES, StateReader, other_gpu_processes, share_of_others
from benchsuite.measurement.nvml import GpuProcess
from tests.doubles.fake_nvml import FakeNvml


def test_a_snapshot_holds_only_known_names_and_is_json() -> None:
    watch = StateReader(FakeNvml(running=(GpuProcess(os.getpid(), 1),)))
    watch.snapshot()
    found = watch.snapshot()
    assert set(found) <= set(NAMES)
    assert json.loads(json.dumps(found)) == found


def test_what_cannot_be_read_is_absent(tmp_path: Path) -> None:
    nothing = FakeNvml(None, None, None, None, None, running=None, split=None)
    assert set(StateReader(nothing, tmp_path).snapshot()) <= {"load_1min"}


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    assert not set(StateReader().snapshot()) & {"sm_clock_mhz", "throttle", "mig", "gpu_power_w"}


def test_the_state_of_the_gpu_is_told_in_words() -> None:
    found = StateReader(FakeNvml(clock=480, temperature=87, reasons=0x40, watts=99.5, split=True)).snapshot()
    assert found["sm_clock_mhz"] == 480
    assert found["max_sm_clock_mhz"] == 1980
    assert found["gpu_temperature_c"] == 87
    assert found["throttle"] == ["hw_thermal"]
    assert found["gpu_power_w"] == 99.5
    assert found["mig"] is True


def test_no_reason_at_all_is_known_and_empty() -> None:
    assert StateReader(FakeNvml(reasons=0)).snapshot()["throttle"] == []


@pytest.mark.parametrize(
    ("busy_s", "own_s", "elapsed_s", "cores", "expected"),
    [
        (4.0, 4.0, 2.0, 2, 0.0),  # all of it was ours
        (4.0, 1.0, 2.0, 2, 0.75),
        (1.0, 0.0, 2.0, 4, 0.125),
        (0.98, 1.0, 2.0, 2, 0.0),  # a tick late
        (9.0, 0.0, 2.0, 2, 1.0),  # a tick early
        (1.0, 0.0, 0.1, 2, None),  # ticks are too coarse for so short a time
    ],
)
def test_others_have_what_is_busy_and_not_ours(
    busy_s: float, own_s: float, elapsed_s: float, cores: int, expected: float | None
) -> None:
    assert share_of_others(busy_s, own_s, elapsed_s, cores) == expected


def test_shares_are_since_the_snapshot_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 13.0])
    own = iter([1.0, 2.0, 2.5])
    busy = iter([100.0, 103.0, 103.5])
    monkeypatch.setattr(conditions.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(conditions.time, "process_time", lambda: next(own))
    monkeypatch.setattr(conditions.host, "busy_seconds", lambda cores, root: next(busy))
    monkeypatch.setattr(conditions.host, "usable_cores", lambda: (0, 1))
    watch = StateReader()
    assert "cpu_others" not in watch.snapshot()
    assert watch.snapshot()["cpu_others"] == 0.5  # 3 s of work, 1 s ours, in 2 s on 2 cores
    assert watch.snapshot()["cpu_others"] == 0.0


def test_lost_cores_are_counted_since_the_snapshot_before() -> None:
    watch = StateReader()
    assert "involuntary_switches" not in watch.snapshot()
    assert watch.snapshot()["involuntary_switches"] >= 0


def test_our_own_processes_on_the_gpu_are_no_others() -> None:
    mine = (GpuProcess(os.getpid(), 1), GpuProcess(os.getppid(), None))
    assert other_gpu_processes(FakeNvml(running=mine)) == 0
    assert other_gpu_processes(FakeNvml(running=(*mine, GpuProcess(1 << 30, 5)))) == 1


@pytest.mark.parametrize("running", [None, (), (GpuProcess(1 << 30, 5),)])
def test_whose_processes_they_are_is_unknown_where_the_driver_does_not_list_this_one(
    running: tuple[GpuProcess, ...] | None,
) -> None:
    assert other_gpu_processes(FakeNvml(running=running)) is None


@pytest.mark.parametrize("running", [None, (), (GpuProcess(1 << 30, 5),)])
def test_where_no_processes_are_told_the_memory_of_others_is(running: tuple[GpuProcess, ...] | None) -> None:
    """As in a container, where the driver lists none, or by the pids of the host."""
    found = StateReader(FakeNvml(running=running), elsewhere=lambda: 7 << 30).snapshot()
    assert found["gpu_memory_elsewhere_bytes"] == 7 << 30
    assert (
        StateReader(elsewhere=lambda: 7 << 30).snapshot()["gpu_memory_elsewhere_bytes"] == 7 << 30
    )  # no NVML
    listed = StateReader(
        FakeNvml(running=(GpuProcess(os.getpid(), 1),)), elsewhere=lambda: 7 << 30
    ).snapshot()
    assert "gpu_memory_elsewhere_bytes" not in listed


def test_the_gpu_is_read_before_the_files_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(FakeNvml, "sm_clock_mhz", lambda self: order.append("gpu"))
    monkeypatch.setattr(conditions.host, "load_1min", lambda: order.append("host"))
    StateReader(FakeNvml()).snapshot()
    assert order == ["gpu", "host"]
