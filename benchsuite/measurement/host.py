"""State of the host as Linux tells it: cores, clocks, load, memory and processes, from /proc and /sys.

Everything is read and may be missing, as it all is on other systems; then the answer is None or empty. Each
reader takes the folder that stands for "/".
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
_CPU = Path("sys/devices/system/cpu")
_ASKED_CLOCKS = 8
"""Cores whose clock is read at most: each read may make the kernel ask that core."""
_IDLE = (3, 4)
"""Columns of /proc/stat that are not work: idle, and idle while waiting for a disk."""
_WORK = 8
"""Columns up to stolen time; behind them come the guests' times, which user time holds already."""


@dataclass(frozen=True, slots=True)
class ProcessTime:
    """CPU time that a process has used since it began, in seconds."""

    name: str
    seconds: float


def usable_cores() -> tuple[int, ...]:
    """Numbers of the logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def load_1min() -> float | None:
    """Mean number of runnable tasks over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cpu_mhz(cores: Sequence[int], root: Path = ROOT) -> float | None:
    """Mean present clock of some of these cores."""
    files = _clock_files(tuple(cores), root)
    known = [int(text) / 1000 for text in map(read, files) if text.isdigit()]  # kHz
    if not known:
        lines = read(root / "proc/cpuinfo").splitlines()
        known = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return sum(known) / len(known) if known else None


def thermal_throttles(cores: Sequence[int], root: Path = ROOT) -> int | None:
    """Number of times that heat slowed down these cores, and the package of the first, since the machine
    began."""
    counts = [int(text) for text in map(read, _throttle_files(tuple(cores), root)) if text.isdigit()]
    return sum(counts) if counts else None


@functools.cache
def _clock_files(cores: tuple[int, ...], root: Path) -> tuple[Path, ...]:
    step = max(1, -(-len(cores) // _ASKED_CLOCKS))
    return tuple(root / _CPU / f"cpu{core}" / "cpufreq" / "scaling_cur_freq" for core in cores[::step])


@functools.cache
def _throttle_files(cores: tuple[int, ...], root: Path) -> tuple[Path, ...]:
    files = [root / _CPU / f"cpu{core}" / "thermal_throttle" / "core_throttle_count" for core in cores]
    return (*files, *(file.with_name("package_throttle_count") for file in files[:1]))


def busy_seconds(cores: Sequence[int], root: Path = ROOT) -> float | None:
    """Seconds that these cores have worked since the machine began, whatever for.

    Time that the hypervisor gave to other guests counts too. The clock ticks every 10 ms or so.
    """
    wanted = {f"cpu{core}" for core in cores}
    ticks = 0
    listed = False
    for line in read(root / "proc/stat").splitlines():
        name, *columns = line.split() if line.startswith("cpu") else ("",)  # one line counts every interrupt
        if name in wanted:
            listed = True
            ticks += sum(int(one) for i, one in enumerate(columns[:_WORK]) if i not in _IDLE)
    return ticks / _ticks_per_second() if listed else None


def process_times(root: Path = ROOT) -> dict[int, ProcessTime]:
    """Pid → CPU time, of every process that may be seen."""
    times = {}
    for folder in (root / "proc").iterdir() if (root / "proc").is_dir() else ():
        if not folder.name.isdigit():
            continue
        name, _, rest = read(folder / "stat").partition("(")[2].rpartition(")")  # a name may hold brackets
        fields = rest.split()
        if len(fields) > 12:
            ticks = int(fields[11]) + int(fields[12])  # utime and stime, fields 14 and 15 of proc(5)
            times[int(folder.name)] = ProcessTime(name, ticks / _ticks_per_second())
    return times


def is_ours(pid: int, root: Path = ROOT) -> bool:
    """Tell if a process belongs to this run: itself, its parent, its child, or the parent's other worker.

    Another worker is told from a neighbour in the same shell by having this process's command line.
    """
    me, parent = os.getpid(), os.getppid()
    if pid in (me, parent):
        return True
    other = _parent(pid, root)
    if other == me:
        return True
    line = read(root / "proc" / str(pid) / "cmdline")
    return other == parent and bool(line) and line == read(root / "proc" / str(me) / "cmdline")


def memory(root: Path = ROOT) -> dict[str, int]:
    """Bytes: total, available, swap_total, swap_used; those that are known."""
    kib: dict[str, int] = {}
    for line in read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        kib[name] = int(value.split()[0])
    names = {"total": "MemTotal", "available": "MemAvailable", "swap_total": "SwapTotal"}
    found = {ours: kib[theirs] * 1024 for ours, theirs in names.items() if theirs in kib}
    if "SwapFree" in kib and "SwapTotal" in kib:
        found["swap_used"] = (kib["SwapTotal"] - kib["SwapFree"]) * 1024
    return found


def governor(cores: Sequence[int], root: Path = ROOT) -> str | None:
    """Frequency governor of these cores; several are joined by "/"."""
    files = [root / _CPU / f"cpu{core}" / "cpufreq" / "scaling_governor" for core in cores]
    return "/".join(sorted({text for text in map(read, files) if text})) or None


def boost(root: Path = ROOT) -> bool | None:
    """Tell if the clock may go above its nominal value."""
    turbo_off = read(root / _CPU / "intel_pstate/no_turbo")
    if turbo_off in ("0", "1"):
        return turbo_off == "0"
    on = read(root / _CPU / "cpufreq/boost")
    return on == "1" if on in ("0", "1") else None


def quota_cores(root: Path = ROOT) -> float | None:
    """CPU time that the container may use, in cores; None if it is not limited.

    Processes beyond it are stopped until the next period of, as a rule, 0.1 s.
    """
    limit, _, period = read(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if not period:  # cgroup version 1
        limit, period = (
            read(root / "sys/fs/cgroup/cpu" / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        )
    return int(limit) / int(period) if limit.isdigit() and period.isdigit() and int(period) else None


def shares(
    before: Mapping[int, ProcessTime], after: Mapping[int, ProcessTime], seconds: float
) -> list[tuple[int, str, float]]:
    """(pid, name, cores used) between two calls of `process_times`, the busiest first."""
    used = [
        (pid, now.name, (now.seconds - before[pid].seconds) / seconds)
        for pid, now in after.items()
        if pid in before and seconds > 0
    ]
    return sorted((one for one in used if one[2] > 0), key=lambda one: -one[2])


def read(file: Path) -> str:
    """A file's text without white space around it; empty if there is none or it may not be read."""
    try:
        with file.open("rb", buffering=0) as opened:
            return opened.readall().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _parent(pid: int, root: Path) -> int | None:
    fields = read(root / "proc" / str(pid) / "stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else None


def _ticks_per_second() -> int:
    return os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
