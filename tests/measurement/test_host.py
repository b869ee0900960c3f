"""Readers of /proc and /sys, on folders that the test fills."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchsuite.measurement import host

TICKS = os.sysconf("SC_CLK_TCK")


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_where_there_is_nothing_to_read_nothing_is_known(tmp_path: Path) -> None:
    assert host.cpu_mhz((0, 1), tmp_path) is None
    assert host.thermal_throttles((0,), tmp_path) is None
    assert host.busy_seconds((0,), tmp_path) is None
    assert host.process_times(tmp_path) == {}
    assert host.memory(tmp_path) == {}
    assert host.governor((0,), tmp_path) is None
    assert host.boost(tmp_path) is None
    assert host.quota_cores(tmp_path) is None


def test_the_clock_is_the_mean_over_the_cores_that_are_asked(tmp_path: Path) -> None:
    folder = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq"
    put(
        tmp_path,
        {folder.format(0): "2000000\n", folder.format(1): "3000000\n", folder.format(2): "9000000\n"},
    )
    assert host.cpu_mhz((0, 1), tmp_path) == 2500


def test_of_many_cores_a_few_are_asked_for_their_clock(tmp_path: Path) -> None:
    folder = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq"
    put(tmp_path, {folder.format(core): "1000000" for core in range(64) if core % 8})
    assert host.cpu_mhz(range(64), tmp_path) is None  # the eight of them that are asked do not say
    put(tmp_path, {folder.format(core): "2000000" for core in range(0, 64, 8)})
    assert host.cpu_mhz(range(64), tmp_path) == 2000


def test_without_cpufreq_the_clock_is_that_of_cpuinfo(tmp_path: Path) -> None:
    put(tmp_path, {"proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2700.0\n\ncpu MHz\t\t: 2900.0\n"})
    assert host.cpu_mhz((0, 1), tmp_path) == 2800


def test_heat_counts_for_the_cores_and_once_for_their_package(tmp_path: Path) -> None:
    folder = "sys/devices/system/cpu/cpu{}/thermal_throttle/{}_throttle_count"
    counts = {
        folder.format(core, part): str(count)
        for core, part, count in [(0, "core", 3), (1, "core", 4), (0, "package", 10), (1, "package", 10)]
    }
    assert host.thermal_throttles((0, 1), put(tmp_path, counts)) == 17


def test_busy_time_is_of_the_usable_cores_without_idling_and_counts_guests_once(tmp_path: Path) -> None:
    # user nice system idle iowait irq softirq steal guest guest_nice
    lines = [
        "cpu  9 9 9 9 9 9 9 9 9 9",
        "cpu0 100 1 20 5000 7 2 3 4 50 1",
        "cpu1 9999 0 0 0 0 0 0 0 0 0",
        "intr 5",
    ]
    put(tmp_path, {"proc/stat": "\n".join(lines)})
    assert host.busy_seconds((0,), tmp_path) == pytest.approx((100 + 1 + 20 + 2 + 3 + 4) / TICKS)


def test_a_processs_name_may_hold_spaces_and_brackets(tmp_path: Path) -> None:
    stat = "77 (a (b) c) S 1 77 77 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0"
    put(tmp_path, {"proc/77/stat": stat, "proc/self/stat": stat, "proc/78/stat": ""})
    assert host.process_times(tmp_path) == {77: host.ProcessTime("a (b) c", 300 / TICKS)}


def test_shares_are_of_processes_that_were_there_all_the_time_the_busiest_first() -> None:
    before = {1: host.ProcessTime("a", 5.0), 2: host.ProcessTime("b", 0.0), 3: host.ProcessTime("c", 1.0)}
    after = {
        1: host.ProcessTime("a", 6.0),
        2: host.ProcessTime("b", 3.0),
        3: host.ProcessTime("c", 1.0),
        4: host.ProcessTime("d", 9.0),
    }
    assert host.shares(before, after, 2.0) == [(2, "b", 1.5), (1, "a", 0.5)]


def test_memory_is_in_bytes(tmp_path: Path) -> None:
    text = "MemTotal:  1000 kB\nMemAvailable: 400 kB\nSwapTotal: 100 kB\nSwapFree: 40 kB\nHuge: 0\n"
    found = host.memory(put(tmp_path, {"proc/meminfo": text}))
    assert found == {"total": 1_024_000, "available": 409_600, "swap_total": 102_400, "swap_used": 61_440}


def test_cores_under_several_governors_name_all_of_them(tmp_path: Path) -> None:
    folder = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
    put(tmp_path, {folder.format(0): "powersave\n", folder.format(1): "performance\n", folder.format(2): "x"})
    assert host.governor((0,), tmp_path) == "powersave"
    assert host.governor((0, 1), tmp_path) == "performance/powersave"


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("intel_pstate/no_turbo", "0", True),
        ("intel_pstate/no_turbo", "1", False),
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
    ],
)
def test_boost_is_read_from_either_driver(tmp_path: Path, file: str, text: str, expected: bool) -> None:
    assert host.boost(put(tmp_path, {f"sys/devices/system/cpu/{file}": text})) is expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_a_containers_limit_is_in_cores(
    tmp_path: Path, files: dict[str, str], expected: float | None
) -> None:
    put(tmp_path, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert host.quota_cores(tmp_path) == expected


def test_ours_are_this_process_its_family_and_its_twin(tmp_path: Path) -> None:
    me, parent = os.getpid(), os.getppid()
    stat = "{} (x) S {} 0 0"
    twin, neighbour, child, stranger = 900_001, 900_002, 900_003, 900_004
    parents = {twin: parent, neighbour: parent, child: me, stranger: 1}
    files = {f"proc/{pid}/stat": stat.format(pid, other) for pid, other in parents.items()}
    lines = {me: "python\0-m\0worker", twin: "python\0-m\0worker", neighbour: "python\0train", stranger: "x"}
    files |= {f"proc/{pid}/cmdline": line for pid, line in lines.items()}
    put(tmp_path, files)
    assert [host.is_ours(pid, tmp_path) for pid in (me, parent, twin, child)] == [True] * 4
    assert [host.is_ours(pid, tmp_path) for pid in (neighbour, stranger, 900_005)] == [False] * 3
