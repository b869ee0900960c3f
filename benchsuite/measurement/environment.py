"""The machine and the software that a number comes from. Everything here is read, nothing is changed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from benchsuite.measurement import allocator, host, nvml
from benchsuite.measurement.tf32 import tf32_settings

PACKAGES = ("benchsuite", "torch", "fvcore", "numpy", "triton")
GPU_FIELDS = {
    "name": "name",
    "uuid": "uuid",
    "driver": "driver_version",
    "memory_mib": "memory.total",
    "sm_clock_mhz": "clocks.sm",
    "max_sm_clock_mhz": "clocks.max.sm",
    "memory_clock_mhz": "clocks.mem",
    "power_limit_w": "power.limit",
    "temperature_c": "temperature.gpu",
}


def describe(device: str, command: list[str]) -> dict[str, Any]:
    """Environment of a run on `device`, JSON-able.

    Args:
        command: the command line, so that a reader can repeat it.

    A field that cannot be read is None, never guessed.
    """
    return {
        "started_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "machine": platform.node(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "packages": _versions(),
        "device": device,
        "cpu": cpu(),
        "allocator": {"library": allocator.library(), "can_retain": allocator.can_retain()},
        "gpu": gpu(device, ask_smi=True),
        "flags": _flags(),
        "git": _git(Path(__file__).resolve().parent),
    }


def _versions() -> dict[str, str | None]:
    return {name: version(name) for name in PACKAGES}


def version(package: str) -> str | None:
    """Of an installed package; None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu() -> dict[str, Any]:
    """Model, cores, threads and memory of the host."""
    return {
        "model": _cpu_model(),
        "logical_cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "memory_bytes": _physical_memory(),
    }


def _cpu_model() -> str | None:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def gpu(device: str, *, ask_smi: bool = False) -> dict[str, Any] | None:
    """What torch, and if asked for nvidia-smi, say of the CUDA device; None for another kind.

    nvidia-smi takes a second or two: once a run, when it is described.
    """
    where = torch.device(device)
    if where.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(where)
    uuid = str(getattr(properties, "uuid", ""))
    return {
        "name": properties.name,
        "index": where.index,
        "uuid": uuid or None,
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]  # torch gives it no types
        "nvidia_smi": _nvidia_smi(uuid) if ask_smi else None,
    }


def driver(device: str) -> str | None:
    """Version of the driver of a CUDA device, by NVML, else as the kernel tells it; None for another kind."""
    if torch.device(device).type != "cuda":
        return None
    card, _ = nvml.for_device(device)
    told = card.about().get("driver") if card is not None else None
    return told or host.read(host.ROOT / "proc/driver/nvidia/version").partition("\n")[0] or None


def _nvidia_smi(uuid: str) -> dict[str, str] | None:
    """Driver, clocks, power limit and temperature, asked by UUID, since torch and the driver may count
    devices differently."""
    if shutil.which("nvidia-smi") is None:
        return None
    select = [f"--id=GPU-{uuid.removeprefix('GPU-')}"] if uuid else []
    query = [
        "nvidia-smi",
        *select,
        f"--query-gpu={','.join(GPU_FIELDS.values())}",
        "--format=csv,noheader,nounits",
    ]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    values = [value.strip() for value in answer.splitlines()[0].split(",")] if answer.strip() else []
    return dict(zip(GPU_FIELDS, values, strict=False)) or None


def _flags() -> dict[str, Any]:
    """Settings that change speed or precision; the worker sets them per cell and dtype."""
    matmul, convolutions = tf32_settings()
    return {
        "float32_matmul_precision": matmul,
        "cudnn_tf32": convolutions,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "python_executable": sys.executable,
    }


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that this code runs from; None for an installed package."""
    if shutil.which("git") is None:
        return None

    def ask(*words: str) -> str:
        # Without this, asking for the status rewrites the index: nothing here may be changed.
        command = ["git", "--no-optional-locks", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        if not ask("ls-files", "--", __file__):  # an installed copy inside somebody else's repository
            return None
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
