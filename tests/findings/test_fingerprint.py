"""Field by field: what a difference between two machines means for their numbers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from benchsuite.findings.fingerprint import PROPERTIES, Finding, findings, gravest, over_sessions, settings

CPU: dict[str, Any] = {
    "started_at": "2026-01-05T10:00:00+00:00",
    "command": ["benchsuite", "run", "hilo"],
    "machine": "box",
    "os": "Linux-6.8",
    "python": "3.11.7",
    "torch": "2.13.0",
    "packages": {"benchsuite": "0.1.0", "fvcore": "0.1.5", "numpy": "2.4.6", "triton": "3.3"},
    "device": "cpu",
    "cpu": {
        "model": "Xeon 8480",
        "logical_cores": 16,
        "usable_cores": 16,
        "threads": 8,
        "instructions": "AVX512",
        "load_1min": 0.5,
        "memory_bytes": 64 << 30,
    },
    "gpu": None,
    "flags": {
        "float32_matmul_precision": "highest",
        "cudnn_tf32": False,
        "cudnn_benchmark": False,
        "cudnn_deterministic": False,
        "cuda_visible_devices": "0",
        "omp_num_threads": "8",
        "python_executable": "/usr/bin/python3",
    },
    "git": {"commit": "0123abc", "dirty": False},
    "selftest": {"date": "2026-01-04T10:00:00+00:00", "noise_percent": 2.0, "passed": True, "age_days": 1.0},
}
GPU: dict[str, Any] = CPU | {
    "device": "cuda:0",
    "gpu": {
        "name": "NVIDIA H200",
        "index": 0,
        "uuid": "aaaa",
        "memory_bytes": 150 << 30,
        "multiprocessors": 132,
        "compute_capability": "9.0",
        "cuda": "12.8",
        "cudnn": 91002,
        "nvidia_smi": {
            "driver": "570.1",
            "power_limit_w": "700.00",
            "max_sm_clock_mhz": "1980",
            "sm_clock_mhz": "345",
            "memory_clock_mhz": "3201",
            "temperature_c": "30",
        },
    },
}


def with_(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a description with one value replaced."""
    changed = copy.deepcopy(base)
    *way, last = path.split(".")
    at = changed
    for key in way:
        at = at[key]
    at[last] = value
    return changed


TABLE: list[tuple[str, Any, str | None, str | None]] = [
    # property, another value, level on a CPU, level on a GPU
    ("machine", "other", "note", "note"),
    ("os", "Linux-5.15", "note", "note"),
    ("python", "3.12.1", "warn", "warn"),
    ("torch", "2.14.0", "warn", "warn"),
    ("packages.benchsuite", "0.2.0", "warn", "warn"),
    ("packages.fvcore", "0.1.6", "note", "note"),
    ("packages.numpy", "2.5.0", "note", "note"),
    ("packages.triton", "3.4", "note", "warn"),
    ("cpu.model", "EPYC", "refuse", "warn"),
    ("cpu.instructions", "AVX2", "refuse", "note"),
    ("cpu.threads", 4, "refuse", "note"),
    ("cpu.usable_cores", 8, "warn", "note"),
    ("cpu.logical_cores", 32, "warn", "note"),
    ("cpu.memory_bytes", 32 << 30, "note", "note"),
    ("cpu.load_1min", 3.0, "warn", "note"),
    ("flags.float32_matmul_precision", "high", "warn", "warn"),
    ("flags.cudnn_tf32", True, None, "warn"),
    ("flags.cudnn_benchmark", True, None, "warn"),
    ("flags.cudnn_deterministic", True, None, "warn"),
    ("flags.omp_num_threads", "4", "note", "note"),
    ("flags.cuda_visible_devices", "1", None, None),
    ("flags.python_executable", "/opt/python", None, None),
    ("git.commit", "4567def", "note", "note"),
    ("git.dirty", True, "warn", "warn"),
    ("selftest.passed", False, "warn", "warn"),
    ("selftest.noise_percent", 5.0, "note", "note"),
    ("started_at", "2027-01-01T00:00:00+00:00", None, None),
    ("command", ["benchsuite"], None, None),
]
GPU_TABLE: list[tuple[str, Any, str | None]] = [
    ("device", "cuda:1", None),
    ("gpu.name", "NVIDIA A100", "refuse"),
    ("gpu.multiprocessors", 66, "refuse"),
    ("gpu.memory_bytes", 75 << 30, "warn"),
    ("gpu.uuid", "bbbb", "warn"),
    ("gpu.cuda", "12.6", "warn"),
    ("gpu.cudnn", 90701, "warn"),
    ("gpu.nvidia_smi.driver", "560.2", "warn"),
    ("gpu.nvidia_smi.power_limit_w", "500.00", "warn"),
    ("gpu.nvidia_smi.max_sm_clock_mhz", "1755", "warn"),
    ("gpu.nvidia_smi.sm_clock_mhz", "1980", "note"),
    ("gpu.nvidia_smi.memory_clock_mhz", "2619", "note"),
    ("gpu.nvidia_smi.temperature_c", "60", "note"),
    ("gpu.index", 3, None),
]


def levels(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.path, one.level) for one in found]


def test_a_machine_is_like_itself() -> None:
    assert findings(CPU, CPU) == findings(GPU, GPU) == findings({}, {}) == []
    assert gravest([]) is None


@pytest.mark.parametrize(("path", "value", "cpu", "gpu"), TABLE)
def test_a_difference_is_found_alone_at_its_level(
    path: str, value: Any, cpu: str | None, gpu: str | None
) -> None:
    for base, level in ((CPU, cpu), (GPU, gpu)):
        expected = [] if level is None else [(path, level)]
        assert levels(findings(base, with_(base, path, value))) == expected
        assert levels(findings(with_(base, path, value), base)) == expected


@pytest.mark.parametrize(("path", "value", "level"), GPU_TABLE)
def test_a_difference_of_gpus_is_found_alone_at_its_level(path: str, value: Any, level: str | None) -> None:
    assert levels(findings(GPU, with_(GPU, path, value))) == ([] if level is None else [(path, level)])


def test_every_property_has_a_row_in_these_tables() -> None:
    tested = {path for path, *_ in (*TABLE, *GPU_TABLE)}
    assert {row.path for row in PROPERTIES} <= tested
    assert len({row.path for row in PROPERTIES}) == len(PROPERTIES)
    assert all(row.why and row.label for row in PROPERTIES)


def test_a_cpu_and_a_gpu_are_not_comparable_and_that_comes_first() -> None:
    found = findings(CPU, GPU)
    assert (found[0].path, found[0].level, found[0].old, found[0].new) == (
        "device",
        "refuse",
        "cpu",
        "cuda:0",
    )
    assert [one.path for one in found if one.level == "refuse"] == ["device"]


@pytest.mark.parametrize("order", ["there", "back"])
def test_what_only_one_side_tells_is_at_most_a_warning(order: str) -> None:
    for path, level in (("cpu.threads", "warn"), ("torch", "note")):
        sides = [CPU, with_(CPU, path, None)]
        (one,) = findings(*(sides if order == "there" else sides[::-1]))
        assert (one.path, one.level) == (path, level)
        assert one.why.startswith("unknown on one side")
        assert None in (one.old, one.new)


def test_values_that_the_driver_cannot_read_count_as_unknown() -> None:
    unread = with_(GPU, "gpu.nvidia_smi.power_limit_w", "[N/A]")
    assert findings(unread, unread) == []
    assert levels(findings(GPU, unread)) == [("gpu.nvidia_smi.power_limit_w", "note")]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gpu.nvidia_smi.sm_clock_mhz", "350"),
        ("gpu.nvidia_smi.temperature_c", "34"),
        ("cpu.load_1min", 1.2),
        ("selftest.noise_percent", 3.0),
    ],
)
def test_what_always_moves_a_little_is_no_difference(path: str, value: Any) -> None:
    assert findings(GPU, with_(GPU, path, value)) == []


def test_uncommitted_changes_and_failed_self_tests_are_told_even_if_both_sides_have_them() -> None:
    for path, value in (("git.dirty", True), ("selftest.passed", False)):
        both = with_(CPU, path, value)
        assert levels(findings(both, both)) == [(path, "warn")]


def test_a_flag_that_nobody_foresaw_warns() -> None:
    new = with_(GPU, "flags.sdpa_flash", False)
    assert levels(findings(with_(GPU, "flags.sdpa_flash", True), new)) == [("flags.sdpa_flash", "warn")]
    assert levels(findings(GPU, new)) == [("flags.sdpa_flash", "note")]


def test_the_gravest_comes_first() -> None:
    changed = with_(with_(with_(CPU, "os", "x"), "torch", "x"), "cpu.model", "x")
    found = findings(CPU, changed)
    assert [one.level for one in found] == ["refuse", "warn", "note"]
    assert gravest(reversed(found)) == "refuse"


def test_differences_of_several_sessions_are_told_once_each() -> None:
    resumed = with_(CPU, "torch", "2.14.0")
    assert levels(over_sessions([CPU, CPU], [CPU])) == []
    assert levels(over_sessions([CPU], [CPU, resumed, resumed])) == [("torch", "warn")]


def test_settings_that_move_times_warn_and_others_do_not() -> None:
    old = {"measure": {"rounds": 3, "timeout_s": 600.0, "metrics": ["cost"]}}
    new = {"measure": {"rounds": 5, "timeout_s": 60.0, "metrics": ["latency"], "check": True}}
    (one,) = settings(old, new)
    assert (one.path, one.level, one.old, one.new) == ("measure.rounds", "warn", 3, 5)
    assert settings({}, new) == []
