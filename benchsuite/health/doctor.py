"""Diagnoses of a machine: what would spoil measurements, and what to do about it. Pure: facts → diagnoses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchsuite.findings.flags import BUSY_HOST, THERMAL
from benchsuite.format import byte_size, counted, significant
from benchsuite.health.system_info import OPTIONAL
from benchsuite.results.devices import kind_of

Level = Literal["ok", "note", "warn"]

BUSY_LOAD, NOTED_LOAD = 0.5, 0.25
"""Load per logical core from which on it is a warning, and a note."""
BUSY_PROCESS = 0.2
"""Share of one core from which on a process is worth naming."""
LITTLE_MEMORY = 0.1
"""Share of the memory below which what is free is little."""
MUCH_SWAP = 64 << 20
HOT_C = 85
"""Data-centre GPUs begin to slow down a few degrees above."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing about the machine.

    Attributes:
        level: "ok"; "note", which explains numbers; or "warn", which spoils them.
        what: what was found, in a line.
        effect: what it would spoil; empty if it is fine.
        remedy: what to do about it; empty if there is nothing to do.
    """

    level: Level
    what: str
    effect: str = ""
    remedy: str = ""


def findings(facts: Mapping[str, Any]) -> list[Diagnosis]:
    """Diagnoses of `health/system_info.py`'s facts; what is unknown is not spoken of."""
    return [
        *_load(facts),
        *_processes(facts),
        *_cores(facts["cpu"]),
        *_clock(facts["cpu"]),
        *_memory(facts["memory"]),
        *_torch(facts),
        *(finding for gpu in facts["gpus"] for finding in _gpu(gpu)),
        *_packages(facts),
    ]


def _load(facts: Mapping[str, Any]) -> Iterator[Diagnosis]:
    load, cores = facts["cpu"]["load_1min"], facts["cpu"]["logical_cores"]
    if load is None or not cores:
        return
    what = f"load {significant(round(load, 1), 3)} on {counted(cores, 'core')}"
    if load < NOTED_LOAD * cores:
        yield Diagnosis("ok", what)
        return
    level: Level = "warn" if load >= BUSY_LOAD * cores else "note"
    steals = "other work steals time: steps take longer, and differ from one to the next"
    if facts["processes"]:
        yield Diagnosis(level, what, steals, "stop it, or wait until the load is gone")
    else:
        yield Diagnosis(level, what, f"if it is still going on, {steals}", "wait a minute and look again")


def _processes(facts: Mapping[str, Any]) -> Iterator[Diagnosis]:
    busy = [one for one in facts["processes"] if one["cores"] >= BUSY_PROCESS]
    if not busy:
        return
    names = ", ".join(f"{one['name']} (pid {one['pid']}, {one['cores']:.1f} cores)" for one in busy)
    much = sum(one["cores"] for one in busy) > BUSY_HOST * facts["cpu"]["usable_cores"]
    effect = "they take cores, caches and memory bandwidth from timed steps"
    yield Diagnosis("warn" if much else "note", f"busy: {names}", effect, "stop them, or wait")


def _cores(cpu: Mapping[str, Any]) -> Iterator[Diagnosis]:
    usable, quota = cpu["usable_cores"], cpu["quota_cores"]
    if usable < cpu["logical_cores"]:
        what = f"{usable} of {counted(cpu['logical_cores'], 'core')} may be used"
        yield Diagnosis("note", what, "numbers hold for so many cores; others may be busy on the rest")
    if quota is not None and quota < usable:
        what = f"CPU time is limited to {significant(quota, 3)} of {counted(usable, 'core')}"
        effect = "threads beyond it are stopped every tenth of a second: samples jump by as much"
        yield Diagnosis(
            "warn", what, effect, f"lift the container's limit, or run with --threads {int(quota) or 1}"
        )
    if cpu["threads"] > usable:
        what = f"torch runs {cpu['threads']} threads on {counted(usable, 'core')}"
        effect = "threads wait for each other's cores"
        yield Diagnosis("warn", what, effect, f"unset OMP_NUM_THREADS, or run with --threads {usable}")


def _clock(cpu: Mapping[str, Any]) -> Iterator[Diagnosis]:
    governor = cpu["governor"]
    if governor is None:
        effect = "clock changes cannot be seen (a virtual machine?); trust ratios within one run only"
        yield Diagnosis("note", "the system says nothing of the CPU's frequency governor", effect)
    elif governor != "performance":
        effect = "the clock rises only under load: short steps and first samples are slow"
        remedy = "cpupower frequency-set -g performance, or a longer warmup_s"
        yield Diagnosis("note", f"frequency governor {governor}", effect, remedy)
    else:
        yield Diagnosis("ok", "frequency governor performance")
    if cpu["boost"]:
        effect = "the clock depends on heat and on how many cores are busy: results drift by some per cent"
        yield Diagnosis("note", "the CPU may boost its clock", effect, "more rounds; or switch boost off")


def _memory(memory: Mapping[str, int]) -> Iterator[Diagnosis]:
    total, free = memory.get("total"), memory.get("available")
    if total and free is not None:
        what = f"{byte_size(free, 3)} of {byte_size(total, 3)} memory is free"
        if free < LITTLE_MEMORY * total:
            effect = "large cells end as out of memory, or swap"
            yield Diagnosis("warn", what, effect, "end what holds it, or leave large cells out")
        else:
            yield Diagnosis("ok", what)
    used = memory.get("swap_used", 0)
    if used > MUCH_SWAP:
        effect = "pages that come back from the disk make single samples very slow"
        yield Diagnosis(
            "note", f"{byte_size(used, 3)} of swap is in use", effect, "free memory before measuring"
        )


def _torch(facts: Mapping[str, Any]) -> Iterator[Diagnosis]:
    torch = facts["torch"]
    if facts["nvidia_driver"] and not facts["gpus"]:
        built = f"is built for CUDA {torch['cuda']}" if torch["cuda"] else "is built without CUDA"
        effect = "everything is measured on the CPU"
        remedy = "install a CUDA build of torch that fits the driver; look at CUDA_VISIBLE_DEVICES"
        yield Diagnosis(
            "warn", f"there is an NVIDIA driver, but torch {built} and sees no GPU", effect, remedy
        )
    missing = [name for name, there in torch["kernels"].items() if not there]
    if missing and not kind_of(facts["device"]).on_host:  # a CPU never has all of them
        effect = "cells with these kernels end as unsupported"
        yield Diagnosis("note", f"no attention kernel {', '.join(missing)} on {facts['device']}", effect)


def _gpu(gpu: Mapping[str, Any]) -> Iterator[Diagnosis]:
    name = f"{gpu['device']} ({gpu['name']})"
    if gpu["nvml"]:
        effect = "power state, energy and neighbours on the GPU stay unknown"
        yield Diagnosis("note", f"{name}: {gpu['nvml']}", effect)
    throttle = set(gpu.get("throttle") or ())
    temperature = gpu.get("temperature_c")
    if throttle & THERMAL:
        what = f"{name}: slowed down now ({', '.join(sorted(throttle & THERMAL))})"
        yield Diagnosis("warn", what, "times are too long", "let it cool; see to cooling and power supply")
    elif temperature is not None and temperature >= HOT_C:
        what = f"{name}: {temperature:g} °C"
        yield Diagnosis("warn", what, "it is about to slow down", "let it cool; see to its cooling")
    if "power_cap" in throttle:
        what = f"{name}: at its power limit"
        yield Diagnosis("note", what, "the clock follows what the kernels draw; usual for large products")
    if "user_clocks" in throttle:
        what = f"{name}: somebody has set its clocks"
        yield Diagnosis("note", what, "compare only with runs at the same clock", "nvidia-smi -rgc resets it")
    if gpu.get("other_processes"):
        what = f"{name}: {counted(gpu['other_processes'], 'process', 'processes')} of others on it"
        yield Diagnosis("warn", what, "they take turns with timed kernels, and hold memory", "stop them")
    if gpu.get("mig"):
        yield Diagnosis(
            "note", f"{name}: split into instances (MIG)", "neighbours share its power and memory bus"
        )
    if gpu.get("persistence") is False:
        effect = "the driver is loaded anew by each first process: the first cell starts slowly"
        yield Diagnosis("note", f"{name}: persistence mode is off", effect, "nvidia-smi -pm 1, as root")


def _packages(facts: Mapping[str, Any]) -> Iterator[Diagnosis]:
    for package, version in facts["packages"].items():
        if version is None and not (package == "nvidia-ml-py" and not facts["gpus"]):
            yield Diagnosis("note", f"{package} is not installed; it would bring {OPTIONAL[package]}")
