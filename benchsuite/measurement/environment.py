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

from benchsuite.measurement import allocator, host
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.device import open_device
from benchsuite.measurement.precision import tf32_settings

PACKAGES = ("benchsuite", "torch", "fvcore", "numpy", "triton")


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
        "torch": str(torch.__version__),
        "packages": {name: version(name) for name in PACKAGES},
        "device": device,
        "cpu": cpu(),
        "allocator": {"library": allocator.library(), "can_retain": allocator.can_retain()},
        "gpu": open_device(device).describe(ask_tools=True),
        "flags": _flags(),
        "git": _git(Path(__file__).resolve().parent),
    }


def version(package: str) -> str | None:
    """Version of an installed package; None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu() -> dict[str, Any]:
    """Model, cores, threads and memory of the host."""
    return {
        "model": _cpu_model(),
        "logical_cores": os.cpu_count(),
        "usable_cores": len(host.usable_cores()),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "load_1min": host.load_1min(),
        "memory_bytes": CpuDevice().room_bytes(),
    }


def _cpu_model() -> str | None:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


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
