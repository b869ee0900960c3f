"""The machine as it is described: what is read, and what a field is when it cannot be."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchsuite.measurement import environment, host, machine_cache, nvml
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.cuda import CudaDevice
from tests.doubles.fake_nvml import FakeNvml


def test_the_description_of_this_machine_is_complete_and_json() -> None:
    found = environment.describe("cpu", ["benchsuite", "run", "hilo"])
    assert json.loads(json.dumps(found)) == found
    assert found["command"] == ["benchsuite", "run", "hilo"]
    assert found["torch"] == torch.__version__
    assert found["cpu"]["threads"] == torch.get_num_threads()
    assert found["cpu"]["model"]
    assert found["cpu"]["memory_bytes"] > 0
    assert found["packages"]["numpy"]
    assert found["gpu"] is None
    assert found["flags"]["float32_matmul_precision"] == torch.get_float32_matmul_precision()


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert environment.version("no-such-package-at-all") is None


SMI = "NVIDIA H200, GPU-abc, 580.1, 143771, 1980, 1980, 3201, 700.00, 31\n"


def test_driver_clocks_and_power_are_asked_of_the_gpu_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(stdout=SMI)

    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(subprocess, "run", run)
    found = nvml.ask_nvidia_smi("abc")
    assert "--id=GPU-abc" in asked[0]
    assert found is not None
    assert found["driver"] == "580.1"
    assert found["sm_clock_mhz"] == "1980"
    assert found["power_limit_w"] == "700.00"
    assert list(found) == list(nvml.SMI_FIELDS)


@pytest.mark.parametrize(
    "failure",
    [FileNotFoundError(), subprocess.CalledProcessError(9, "x"), subprocess.TimeoutExpired("x", 20)],
)
def test_an_nvidia_smi_that_fails_leaves_the_field_empty(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def run(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(subprocess, "run", run)
    assert nvml.ask_nvidia_smi("abc") is None


def test_without_nvidia_smi_or_git_nothing_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    found = environment.describe("cpu", [])
    assert found["git"] is None
    assert nvml.ask_nvidia_smi("abc") is None


def test_the_gpu_is_described_from_torchs_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(
        name="NVIDIA H200",
        uuid="abc",
        total_memory=150_000_000_000,
        multi_processor_count=132,
        major=9,
        minor=0,
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    found = CudaDevice(0).describe(ask_tools=True)
    assert found is not None
    assert found["name"] == "NVIDIA H200"
    assert found["compute_capability"] == "9.0"
    assert found["nvidia_smi"] is None


def test_nvidia_smi_is_asked_once_a_run_and_the_driver_of_a_fingerprint_is_nvmls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(stdout=SMI)

    properties = SimpleNamespace(
        name="NVIDIA H200", uuid="abc", total_memory=1, multi_processor_count=132, major=9, minor=0
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(shutil, "which", lambda word: word if word == "nvidia-smi" else None)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(nvml, "for_device", lambda _: (FakeNvml(), ""))
    described = environment.describe("cuda:0", [])
    for _ in range(3):  # as for ceilings, the self-test, and what they are kept under
        assert machine_cache.fingerprint("cuda:0")["driver"] == FakeNvml().about()["driver"]
    assert described["gpu"]["nvidia_smi"]["driver"] == "580.1"
    assert [command[0] for command in asked] == ["nvidia-smi"]


def test_without_nvml_the_driver_is_what_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(nvml, "for_device", lambda _: (None, nvml.MISSING))
    monkeypatch.setattr(host, "ROOT", tmp_path)
    assert CudaDevice(0).driver() is None
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text("NVRM version: 580.1\nGCC version: 12\n")
    assert CudaDevice(0).driver() == "NVRM version: 580.1"
    assert CpuDevice().driver() is None
