"""What `benchsuite doctor` looks at: the machine, its GPUs, torch, and what else runs. Nothing is
set."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

from benchsuite.measurement import host
from benchsuite.measurement.environment import version
from benchsuite.results.devices import DEVICES, kind_of

OPTIONAL: Mapping[str, str] = {
    "nvidia-ml-py": "power state, energy and neighbours on NVIDIA GPUs",
    "timm": "its networks as yardsticks",
    "pyarrow": "export to Parquet",
    "torchvision": "a fused operator for deformable token merging",
}
"""Package that may be missing → what it would bring."""
_WATCHED_S = 0.3
"""Processes are watched for at least so long; importing torch mostly takes longer."""


def system_info(device: str) -> dict[str, Any]:
    """Everything that `health/doctor.py` judges, JSON-able; what cannot be read is None or absent.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:1".

    Raises:
        DeviceError: the device is not present.
    """
    load = host.load_1min()  # before this process adds to it
    began, before = time.monotonic(), host.process_times()
    import torch

    from benchsuite.measurement import environment
    from benchsuite.measurement.device import device_class, resolve

    resolved = resolve(device)
    described = environment.describe("cpu", [])
    known = {
        "device": resolved,
        "os": described["os"],
        "python": described["python"],
        "cpu": described["cpu"] | {"load_1min": load} | _cores(),
        "memory": host.memory(),
        "torch": {
            "version": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]  # torch gives no types
            "kernels": _kernels(resolved),
            "tf32": _tf32(resolved),
        },
        "gpus": [
            _gpu(f"{row.name}:{index}")
            for row in DEVICES.values()
            if not row.on_host
            for index in range(device_class(row.name).count())
        ],
        "nvidia_driver": host.read(host.ROOT / "proc/driver/nvidia/version").partition("\n")[0] or None,
        "packages": {name: version(name) for name in OPTIONAL},
    }
    time.sleep(max(0.0, _WATCHED_S - (time.monotonic() - began)))
    known["processes"] = _busiest(before, time.monotonic() - began)
    return known


def _cores() -> dict[str, Any]:
    cores = host.usable_cores()
    return {
        "mhz": host.cpu_mhz(cores),
        "governor": host.governor(cores),
        "boost": host.boost(),
        "quota_cores": host.quota_cores(),
    }


def _busiest(before: Mapping[int, host.ProcessTime], seconds: float) -> list[dict[str, Any]]:
    """The three other processes that used most of the CPU since `before`."""
    used = host.shares(before, host.process_times(), seconds)
    others = [one for one in used if not host.is_ours(one[0])]
    return [{"pid": pid, "name": name, "cores": round(cores, 2)} for pid, name, cores in others[:3]]


def _gpu(device: str) -> dict[str, Any]:
    """One GPU as NVML sees it; as torch and nvidia-smi do where NVML cannot be asked."""
    from benchsuite.measurement.conditions import other_gpu_processes
    from benchsuite.measurement.device import open_device
    from benchsuite.measurement.nvml import reason_words

    nvml, reason = open_device(device).card()
    if nvml is None:
        return {"device": device, "nvml": reason} | _gpu_without_nvml(device)
    reasons, running = nvml.throttle_reasons(), nvml.processes()
    return {
        "device": device,
        "nvml": "",
        **nvml.about(),
        "sm_clock_mhz": nvml.sm_clock_mhz(),
        "max_sm_clock_mhz": nvml.max_sm_clock_mhz(),
        "temperature_c": nvml.temperature_c(),
        "throttle": None if reasons is None else reason_words(reasons),
        "processes": None if running is None else len(running),
        "other_processes": other_gpu_processes(nvml),
        "mig": nvml.mig(),
    }


def _gpu_without_nvml(device: str) -> dict[str, Any]:
    from benchsuite.measurement import environment

    gpu = environment.describe(device, [])["gpu"] or {}
    told = gpu.get("nvidia_smi") or {}
    numbers = {name: told.get(name) for name in ("sm_clock_mhz", "max_sm_clock_mhz", "temperature_c")}
    return {
        "name": gpu.get("name"),
        "driver": told.get("driver"),
        "power_limit_w": _number(told.get("power_limit_w")),
        **{name: _number(text) for name, text in numbers.items()},
    }


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:  # "[N/A]"
        return None


def _kernels(device: str) -> dict[str, bool]:
    """Attention kernel → whether torch can run it here, tried on a small head; in fp16 on a GPU."""
    import torch

    from benchsuite.mixers._attention import ATTENTION_KERNELS, attend

    dtype = torch.float32 if kind_of(device).on_host else torch.float16
    x = torch.zeros(1, 2, 16, 64, device=device, dtype=dtype)
    runs = {}
    for kernel in ATTENTION_KERNELS:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # torch says why not as warnings
            try:
                attend(x, x, x, kernel=kernel)
                runs[kernel] = True
            except RuntimeError:
                runs[kernel] = False
    return runs


def _tf32(device: str) -> bool | None:
    """Tell if the device has TF32: NVIDIA's from Ampere on; None for a CPU."""
    from benchsuite.measurement.device import open_device

    return None if kind_of(device).on_host else not open_device(device).missing("tf32")
