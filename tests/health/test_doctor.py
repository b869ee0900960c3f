"""What the doctor says of a machine, fact by fact; and that it can look at this one."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from benchsuite.cli.health import doctor
from benchsuite.errors import DeviceError, UsageError
from benchsuite.health import system_info as checkup
from benchsuite.health.doctor import Diagnosis, findings
from benchsuite.health.system_info import OPTIONAL, system_info
from benchsuite.measurement.nvml import GpuProcess
from tests.doubles.fake_nvml import FakeNvml

GIB = 1 << 30


def machine(
    cpu: dict[str, Any] | None = None,
    memory: dict[str, int] | None = None,
    torch: dict[str, Any] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Facts of a machine with nothing to complain of, but for what is given."""
    fine_cpu = {
        "model": "Fast CPU",
        "logical_cores": 8,
        "usable_cores": 8,
        "threads": 4,
        "instructions": "AVX512",
        "load_1min": 0.1,
        "mhz": 3000.0,
        "governor": "performance",
        "boost": False,
        "quota_cores": None,
    }
    fine_torch = {
        "version": "2.13.0",
        "cuda": None,
        "cudnn": None,
        "kernels": {"math": True, "sdpa": True, "flash": True},
        "tf32": None,
    }
    fine_memory = {"total": 32 * GIB, "available": 20 * GIB, "swap_total": 0, "swap_used": 0}
    return {
        "device": "cpu",
        "os": "Linux",
        "python": "3.11.7",
        "cpu": fine_cpu | (cpu or {}),
        "memory": fine_memory if memory is None else memory,
        "torch": fine_torch | (torch or {}),
        "gpus": [],
        "nvidia_driver": None,
        "packages": dict.fromkeys(OPTIONAL, "1.0"),
        "processes": [],
    } | others


def with_gpu(**fields: Any) -> dict[str, Any]:
    fine = {
        "device": "cuda:0",
        "nvml": "",
        "name": "NVIDIA H200",
        "driver": "580.1",
        "power_limit_w": 700.0,
        "persistence": True,
        "sm_clock_mhz": 345,
        "max_sm_clock_mhz": 1980,
        "temperature_c": 35,
        "throttle": ["idle"],
        "processes": 1,
        "other_processes": 0,
        "mig": False,
    }
    return machine(gpus=[fine | fields], device="cuda:0", nvidia_driver="NVRM version: 580.1")


def complaints(known: dict[str, Any]) -> list[Diagnosis]:
    return [finding for finding in findings(known) if finding.level != "ok"]


def only(known: dict[str, Any]) -> Diagnosis:
    (finding,) = complaints(known)
    return finding


def test_a_machine_in_good_order_is_told_so() -> None:
    assert complaints(machine()) == []
    assert complaints(with_gpu()) == []
    assert [finding.what for finding in findings(machine())] == [
        "load 0.1 on 8 cores",
        "frequency governor performance",
        "20 GiB of 32 GiB memory is free",
    ]


def test_load_names_its_cores_its_effect_and_its_remedy() -> None:
    busy = [{"pid": 7, "name": "make", "cores": 0.1}]
    finding = only(
        machine({"logical_cores": 2, "usable_cores": 2, "threads": 2, "load_1min": 2.1}, processes=busy)
    )
    assert finding == Diagnosis(
        "warn",
        "load 2.1 on 2 cores",
        "other work steals time: steps take longer, and differ from one to the next",
        "stop it, or wait until the load is gone",
    )


@pytest.mark.parametrize(("load", "level"), [(1.9, None), (2.0, "note"), (3.9, "note"), (4.0, "warn")])
def test_load_is_judged_by_the_cores_there_are(load: float, level: str | None) -> None:
    assert [finding.level for finding in complaints(machine({"load_1min": load}))] == (
        [level] if level else []
    )


def test_a_load_that_nobody_causes_may_be_over() -> None:
    finding = only(machine({"load_1min": 6.0}))
    assert finding.effect.startswith("if it is still going on")
    assert finding.remedy == "wait a minute and look again"


def test_busy_processes_are_named() -> None:
    busy = [{"pid": 7, "name": "train", "cores": 3.0}, {"pid": 8, "name": "sleepy", "cores": 0.05}]
    finding = only(machine(processes=busy))
    assert finding.level == "warn"
    assert finding.what == "busy: train (pid 7, 3.0 cores)"


def test_a_process_that_takes_little_of_a_large_machine_is_noted() -> None:
    finding = only(machine(processes=[{"pid": 7, "name": "backup", "cores": 0.5}]))
    assert finding.level == "note"


@pytest.mark.parametrize(
    ("cpu", "level", "what"),
    [
        ({"usable_cores": 4}, "note", "4 of 8 cores may be used"),
        ({"quota_cores": 1.5}, "warn", "CPU time is limited to 1.5 of 8 cores"),
        ({"threads": 16}, "warn", "torch runs 16 threads on 8 cores"),
        ({"governor": "powersave"}, "note", "frequency governor powersave"),
        ({"governor": None}, "note", "the system says nothing of the CPU's frequency governor"),
        ({"boost": True}, "note", "the CPU may boost its clock"),
    ],
)
def test_what_the_cpu_would_spoil(cpu: dict[str, Any], level: str, what: str) -> None:
    finding = only(machine(cpu))
    assert (finding.level, finding.what) == (level, what)
    assert finding.effect


def test_a_limit_above_the_usable_cores_is_none() -> None:
    assert complaints(machine({"quota_cores": 8.0})) == []


def test_little_memory_and_a_swap_in_use_are_told() -> None:
    low = {"total": 32 * GIB, "available": 2 * GIB, "swap_total": 8 * GIB, "swap_used": 3 * GIB}
    assert [(finding.level, finding.what) for finding in complaints(machine(memory=low))] == [
        ("warn", "2 GiB of 32 GiB memory is free"),
        ("note", "3 GiB of swap is in use"),
    ]
    assert complaints(machine(memory={})) == []


def test_a_driver_that_torch_makes_nothing_of_is_a_warning() -> None:
    finding = only(machine(nvidia_driver="NVRM version: 580.1"))
    assert finding.level == "warn"
    assert finding.what == "there is an NVIDIA driver, but torch is built without CUDA and sees no GPU"


def test_kernels_that_a_gpu_lacks_are_named() -> None:
    known = with_gpu()
    known["torch"]["kernels"] = {"math": True, "flash": False, "cudnn": False}
    assert only(known).what == "no attention kernel flash, cudnn on cuda:0"


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        ({"throttle": ["hw_thermal"]}, "warn", "slowed down now (hw_thermal)"),
        ({"temperature_c": 88}, "warn", "88 °C"),
        ({"throttle": ["power_cap"]}, "note", "at its power limit"),
        ({"throttle": ["user_clocks"]}, "note", "somebody has set its clocks"),
        ({"other_processes": 1}, "warn", "1 process of others"),
        ({"other_processes": 2}, "warn", "2 processes of others"),
        ({"mig": True}, "note", "MIG"),
        ({"persistence": False}, "note", "persistence mode is off"),
        ({"nvml": "nvidia-ml-py is not installed"}, "note", "nvidia-ml-py is not installed"),
    ],
)
def test_what_the_gpu_would_spoil(fields: dict[str, Any], level: str, words: str) -> None:
    finding = only(with_gpu(**fields))
    assert finding.level == level
    assert finding.what.startswith("cuda:0 (NVIDIA H200): ")
    assert words in finding.what
    assert finding.effect


def test_what_is_unknown_of_a_gpu_is_not_spoken_of() -> None:
    bare = {"device": "cuda:0", "name": "NVIDIA H200", "nvml": "no driver"}
    assert only(machine(gpus=[bare], device="cuda:0")).what == "cuda:0 (NVIDIA H200): no driver"


def test_missing_packages_say_what_they_would_bring_where_it_is_of_use() -> None:
    without = dict.fromkeys(OPTIONAL)
    told = [finding.what for finding in complaints(machine(packages=without))]
    assert "pyarrow is not installed; it would bring export to Parquet" in told
    assert not [what for what in told if "nvidia-ml-py" in what]
    known = with_gpu()
    known["packages"] = without
    assert [finding for finding in complaints(known) if "nvidia-ml-py" in finding.what]


def test_every_warning_says_what_it_spoils_and_what_to_do() -> None:
    bad_cpu = {"load_1min": 9.0, "quota_cores": 1.0, "threads": 99}
    bad = with_gpu(throttle=["sw_thermal"], other_processes=1)
    bad["cpu"] |= bad_cpu
    bad["memory"]["available"] = 1
    bad["processes"] = [{"pid": 7, "name": "train", "cores": 3.0}]
    warnings = [finding for finding in findings(bad) if finding.level == "warn"]
    assert len(warnings) == 7
    assert all(finding.effect and finding.remedy for finding in warnings)


def test_this_machine_can_be_looked_at() -> None:
    known = system_info("cpu")
    assert json.loads(json.dumps(known)) == known
    assert known["torch"]["kernels"]["math"] is True
    assert known["cpu"]["usable_cores"] >= 1
    assert len(known["processes"]) <= 3
    assert all(isinstance(finding, Diagnosis) for finding in findings(known))


def test_a_gpu_is_described_as_nvml_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = GpuProcess(os.getpid(), 5)
    card = FakeNvml(clock=1200, temperature=70, reasons=0x24, running=(mine, GpuProcess(1 << 30, 5)))
    monkeypatch.setattr("benchsuite.measurement.nvml.for_device", lambda device: (card, ""))
    gpu = checkup._gpu("cuda:1")
    assert (gpu["device"], gpu["nvml"], gpu["power_limit_w"]) == ("cuda:1", "", 700.0)
    assert (gpu["sm_clock_mhz"], gpu["temperature_c"]) == (1200, 70)
    assert gpu["throttle"] == ["power_cap", "sw_thermal"]
    assert (gpu["processes"], gpu["other_processes"], gpu["mig"]) == (2, 1, False)


def test_without_nvml_a_gpu_is_what_nvidia_smi_says_and_the_reason_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {"driver": "580.1", "sm_clock_mhz": "1980", "temperature_c": "31", "power_limit_w": "[N/A]"}
    described = {"gpu": {"name": "NVIDIA H200", "nvidia_smi": told}}
    monkeypatch.setattr("benchsuite.measurement.nvml.for_device", lambda device: (None, "not installed"))
    monkeypatch.setattr("benchsuite.measurement.environment.describe", lambda device, command: described)
    gpu = checkup._gpu("cuda:0")
    assert (gpu["name"], gpu["driver"], gpu["nvml"]) == ("NVIDIA H200", "580.1", "not installed")
    assert (gpu["sm_clock_mhz"], gpu["max_sm_clock_mhz"], gpu["power_limit_w"]) == (1980.0, None, None)
    assert only(machine(gpus=[gpu], device="cuda:0")).what == "cuda:0 (NVIDIA H200): not installed"


def test_a_device_that_is_not_there_is_bad_input() -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        system_info("cuda:99")


def test_an_unknown_format_is_bad_input() -> None:
    with pytest.raises(UsageError, match=r"no format 'yaml'; allowed: text, json"):
        doctor(format="yaml")


def test_text_has_the_machine_first_and_then_the_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = with_gpu(throttle=["hw_thermal"], temperature_c=90)
    monkeypatch.setattr("benchsuite.health.system_info.system_info", lambda device: known)
    doctor(device="auto", format="text")
    machine_text, _, finding_text = capsys.readouterr().out.partition("\n\n")
    lines = {line.split()[0]: line for line in machine_text.splitlines()}
    assert list(lines) == ["machine", "CPU", "clock", "memory", "cuda:0", "torch", "attention", "optional"]
    assert "SM clock 345 MHz, at most 1980 MHz, 90 °C, limit 700 W, processes 1" in lines["cuda:0"]
    assert "clock reasons hw_thermal, MIG off, persistence on" in lines["cuda:0"]
    assert finding_text.splitlines()[-3:] == [
        "warn  cuda:0 (NVIDIA H200): slowed down now (hw_thermal)",
        "      spoils: times are too long",
        "      remedy: let it cool; see to cooling and power supply",
    ]


def test_json_holds_facts_and_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = machine({"load_1min": 6.0})
    monkeypatch.setattr("benchsuite.health.system_info.system_info", lambda device: known)
    doctor(device="cpu", format="json")
    printed = json.loads(capsys.readouterr().out)
    assert printed["facts"] == known
    assert printed["findings"][0]["level"] == "warn"
