"""Comparison of two machines, and of what their numbers may be compared for: one row for each property, and
what a difference means.

Pure: two descriptions (`environment.json`) → findings. "refuse": times of the two mean different things.
"warn": a difference of times may come from here. "note": it explains numbers, and seldom moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["refuse", "warn", "note"]
LEVELS: tuple[Level, ...] = ("refuse", "warn", "note")
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Property:
    """One row of the table.

    Attributes:
        path: where it stands in a description: "gpu.nvidia_smi.driver".
        cpu, gpu: what a difference means for times on the host, and on a GPU; None: nothing.
        why: what it does to numbers.
        differs: whether two known values differ.
    """

    path: str
    label: str
    cpu: Level | None
    gpu: Level | None
    why: str
    differs: Callable[[Any, Any], bool] = lambda old, new: bool(old != new)


@dataclass(frozen=True, slots=True)
class Finding:
    """A property in which two machines differ, or that only one of them tells.

    Attributes:
        old, new: the two values; None where it is not known.
    """

    path: str
    label: str
    level: Level
    old: Any
    new: Any
    why: str


def _beyond(share: float) -> Callable[[Any, Any], bool]:
    """Two numbers, which nvidia-smi gives as text, of which one is larger by more than a share."""

    def differs(old: Any, new: Any) -> bool:
        try:
            low, high = sorted((float(old), float(new)))
        except ValueError:  # "[N/A]"
            return bool(old != new)
        return high > (1 + share) * low

    return differs


def _by_a_core(old: float, new: float) -> bool:
    return abs(old - new) > 1


def _either(old: Any, new: Any) -> bool:
    return bool(old or new)


def _not_both(old: Any, new: Any) -> bool:
    return not (old and new)


def _other_kind(old: str, new: str) -> bool:
    """Tell if one is a GPU and the other is none; which of several GPUs it is, the UUID tells."""
    return old.partition(":")[0] != new.partition(":")[0]


PROPERTIES: tuple[Property, ...] = (
    Property("device", "Device", "refuse", "refuse", "a CPU and a GPU are not comparable", _other_kind),
    Property("gpu.name", "GPU", None, "refuse", "models differ in speed"),
    Property("gpu.multiprocessors", "GPU multiprocessors", None, "refuse", "a part of a GPU, or a variant"),
    Property("gpu.memory_bytes", "GPU memory", None, "warn", "a variant of the model, or a part of a GPU"),
    Property("gpu.uuid", "GPU UUID", None, "warn", "GPUs of one model differ by some per cent"),
    Property("gpu.nvidia_smi.driver", "Driver", None, "warn", "it sets clocks, and compiles some kernels"),
    Property("gpu.cuda", "CUDA", None, "warn", "other libraries, so other kernels"),
    Property("gpu.cudnn", "cuDNN", None, "warn", "it chooses the algorithms of convolutions"),
    Property("gpu.nvidia_smi.power_limit_w", "GPU power limit", None, "warn", "a lower limit lowers clocks"),
    Property("gpu.nvidia_smi.max_sm_clock_mhz", "Highest SM clock", None, "warn", "time goes with the clock"),
    Property(
        "gpu.nvidia_smi.sm_clock_mhz",
        "SM clock at the start",
        None,
        "note",
        "it rises under load; a clock that was set by hand would stay",
        _beyond(0.05),
    ),
    Property(
        "gpu.nvidia_smi.memory_clock_mhz",
        "GPU memory clock at the start",
        None,
        "note",
        "it rises under load; a clock that was set by hand would stay",
        _beyond(0.05),
    ),
    Property(
        "gpu.nvidia_smi.temperature_c",
        "GPU temperature at the start",
        None,
        "note",
        "a GPU that begins hot is slowed down sooner",
        _beyond(0.25),
    ),
    Property("cpu.model", "CPU", "refuse", "warn", "models differ in speed; on a GPU, of launches"),
    Property("cpu.instructions", "CPU instructions", "refuse", "note", "torch takes other kernels"),
    Property("cpu.threads", "CPU threads", "refuse", "note", "time goes with the number of threads"),
    Property("cpu.usable_cores", "Usable cores", "warn", "note", "threads share cores where there are fewer"),
    Property("cpu.logical_cores", "Logical cores", "warn", "note", "a larger machine has larger caches"),
    Property("cpu.memory_bytes", "Memory", "note", "note", "large cells may swap, or fail, on one only"),
    Property("cpu.load_1min", "Load at the start", "warn", "note", "others took time on one", _by_a_core),
    Property("machine", "Machine", "note", "note", "machines of one model differ by some per cent"),
    Property("os", "Operating system", "note", "note", "its scheduler and its pages"),
    Property("torch", "PyTorch", "warn", "warn", "other kernels, other dispatch"),
    Property("packages.triton", "triton", "note", "warn", "it makes the kernels of compiled cells"),
    Property("packages.benchsuite", "benchsuite", "warn", "warn", "what it measures, and how, may differ"),
    Property("packages.fvcore", "fvcore", "note", "note", "it counts MACs"),
    Property("packages.numpy", "numpy", "note", "note", "nothing timed depends on it"),
    Property("python", "Python", "warn", "warn", "its speed is that of all small steps"),
    Property(
        "flags.float32_matmul_precision",
        "Precision of fp32 products",
        "warn",
        "warn",
        "TF32 or bf16 is faster",
    ),
    Property("flags.cudnn_tf32", "TF32 in convolutions", None, "warn", "TF32 is several times faster"),
    Property("flags.cudnn_benchmark", "cuDNN benchmark", None, "warn", "cuDNN then tries algorithms"),
    Property("flags.cudnn_deterministic", "cuDNN deterministic", None, "warn", "it rules out algorithms"),
    Property("flags.omp_num_threads", "OMP_NUM_THREADS", "note", "note", "see CPU threads"),
    Property("flags.cuda_visible_devices", "Visible GPUs", None, None, "the UUID says which it is"),
    Property("flags.python_executable", "Python executable", None, None, "see Python"),
    Property(
        "selftest.passed", "Self-test passed", "warn", "warn", "an instrument may read wrongly", _not_both
    ),
    Property(
        "selftest.noise_percent", "Noise in the self-test (%)", "note", "note", "one is noisier", _beyond(1.0)
    ),
    Property("git.commit", "Commit of benchsuite", "note", "note", "the code that is measured may differ"),
    Property(
        "git.dirty", "Uncommitted changes", "warn", "warn", "the commit does not identify the code", _either
    ),
)
"""Every property that is compared. A flag that is not named here is one that warns."""

_FLAG = "it may change speed or precision"
_SETTING = "the two runs were measured differently"
_HARMLESS = ("timeout_s", "memory_limit", "retry", "ceilings", "metrics")
"""Settings of a scenario that decide what is given up on or measured besides, and move no time."""


def findings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Finding]:
    """Differences of two machines, the gravest first.

    A property that only one of them tells is at most a warning: nobody knows whether it differs.
    """
    where = "gpu" if old.get("gpu") or new.get("gpu") else "cpu"
    found = [one for row in (*PROPERTIES, *_other_flags(old, new)) for one in _compared(row, where, old, new)]
    return sorted(found, key=lambda one: LEVELS.index(one.level))


def over_sessions(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Differences of any of some machines from any of some others, each difference once, the gravest
    first."""
    others = list(new)
    every = [one for a in old for b in others for one in findings(a, b)]
    distinct = {(one.path, repr(one.old), repr(one.new)): one for one in every}
    return sorted(distinct.values(), key=lambda one: LEVELS.index(one.level))


def settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Finding]:
    """Differences in how two stored scenarios measure; a setting that one does not know is no difference."""
    before, after = old.get("measure") or {}, new.get("measure") or {}
    return [
        Finding(f"measure.{key}", f"Setting {key}", "warn", before[key], value, _SETTING)
        for key, value in after.items()
        if key not in _HARMLESS and key in before and before[key] != value
    ]


def gravest(found: Iterable[Finding]) -> Level | None:
    """The gravest level; None if nothing differs."""
    return min((one.level for one in found), key=LEVELS.index, default=None)


def _compared(row: Property, where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[Finding]:
    level = row.gpu if where == "gpu" else row.cpu
    before, after = _at(old, row.path), _at(new, row.path)
    if level is None or (before is None and after is None):
        return
    if before is None or after is None:
        softer: Level = "warn" if level == "refuse" else "note"
        yield Finding(row.path, row.label, softer, before, after, f"unknown on one side; {row.why}")
    elif row.differs(before, after):
        yield Finding(row.path, row.label, level, before, after, row.why)


def _other_flags(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[Property]:
    """A row for each flag of the two that the table does not name."""
    known = {row.path for row in PROPERTIES}
    for name in dict.fromkeys((*(old.get("flags") or {}), *(new.get("flags") or {}))):
        if f"flags.{name}" not in known:
            yield Property(f"flags.{name}", f"Flag {name}", "warn", "warn", _FLAG)


def _at(description: Mapping[str, Any], path: str) -> Any:
    """The value at a path, None if it is not there; nvidia-smi's words for "cannot be read" count as none."""
    value: Any = description
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    unread = value == "" or (isinstance(value, str) and value.startswith("[") and value.endswith("]"))
    return None if unread else value
