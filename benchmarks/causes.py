"""What makes the same cell fast in one process and slow in the next, on this machine?

    python benchmarks/causes.py [--cpu-time]

Two minutes on an idle machine. Prints one table a question; docs/design/0018 is written from them. The
processes of all variants take turns, so that a drift of the machine falls on all alike. With --cpu-time a
sample is what the process has spent of a core, which waiting for one does not: for a machine that is busy.
Two threads, and what a core loses beside another, cannot be told by it and are left out.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Clock = Callable[[], float]
RETAIN = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
CELLS: Mapping[str, tuple[str, str]] = {
    "MSA 28 × 28 math": ("msa", "math"),
    "HiLo 28 × 28 sdpa": ("hilo", "sdpa"),
    "DW block 28 × 28": ("dw_block", "math"),
}
VARIANTS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, str]]] = {
    "1 thread, retained": ({}, RETAIN),
    "system's allocator": ({}, {}),
    "no huge pages": ({"huge": False}, RETAIN),
    "huge pages asked for": ({}, RETAIN | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
    "pinned to the last core": ({"core": -1}, RETAIN),
    "2 threads": ({"threads": 2}, RETAIN),
}
PROCESSES = 5
LOOKS = 8
_THP_DISABLE = 41
_CHAIN = """
#include <stdio.h>
#include <time.h>
int main(void) {
    struct timespec a, b; unsigned long x = 1, n = 300000000UL;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (unsigned long i = 0; i < n; i++) __asm__ volatile("add $1, %0" : "+r"(x));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    printf("%.4f", n / ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)));
    return x == 0;
}
"""
"""One addition a cycle, each on the result of the one before: additions per nanosecond are GHz."""


def built(name: str, kernel: str) -> Callable[[], object]:
    """A step on a new module and a new input."""
    from pkgutil import resolve_name

    import torch

    from benchsuite.mixers import MIXERS

    kind = resolve_name(MIXERS[name])
    arguments = {"dim": 384, "num_heads": 12, "kernel": kernel} if kind.layout == "BNC" else {"dim": 384}
    module = kind(**arguments).eval()
    if kind.layout == "BNC":
        x = torch.randn(1, 28 * 28, 384)
        return lambda: module(x, (28, 28))
    x = torch.randn(1, 28, 28, 384)
    return lambda: module(x)


def median_s(
    step: Callable[[], object], warm_s: float, sampled_s: float, clock: Clock = time.perf_counter
) -> float:
    end = clock() + warm_s
    while clock() < end:
        step()
    samples, end = [], clock() + sampled_s
    while clock() < end:
        start = clock()
        step()
        samples.append(clock() - start)
    return statistics.median(samples)


def looked(looks: int, clock: Clock, *, rebuild: bool) -> dict[str, list[float]]:
    """The medians of each cell at each look, the cells in turns."""
    steps = {cell: built(*of) for cell, of in CELLS.items()}
    found: dict[str, list[float]] = {cell: [] for cell in CELLS}
    for _ in range(looks):
        for cell, of in CELLS.items():
            if rebuild:
                steps[cell] = built(*of)
            found[cell].append(median_s(steps[cell], 0.1, 0.2, clock))
    return found


def child(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a fresh process measures."""
    if asked.get("huge") is False:
        ctypes.CDLL(None).prctl(_THP_DISABLE, 1, 0, 0, 0)
    if "core" in asked:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[asked["core"]]})
    import torch

    torch.set_num_threads(asked.get("threads", 1))
    with torch.inference_mode():
        if "busy_s" in asked:
            return {"macs_per_s": convolved(asked["busy_s"])}
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        clock = time.process_time if asked.get("cpu_time") else time.perf_counter
        medians = looked(asked.get("looks", 1), clock, rebuild=bool(asked.get("rebuild")))
        after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
    return {
        "medians": medians,
        "faults": after.ru_minflt - before.ru_minflt,
        "system_share": (after.ru_stime - before.ru_stime) / wall,
        "voluntary": after.ru_nvcsw - before.ru_nvcsw,
        "involuntary": after.ru_nivcsw - before.ru_nivcsw,
    }


def convolved(seconds: float) -> float:
    """Multiply–adds per second of a convolution in the widest vectors, over some seconds."""
    import torch

    x = torch.randn(16, 384, 14, 14).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(384, 384, 1, 1)
    step = lambda: torch.nn.functional.conv2d(x, weight)  # noqa: E731
    return 16 * 196 * 384**2 / median_s(step, 0.2, seconds)


def started(asked: Mapping[str, Any], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", json.dumps(asked)]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    found: dict[str, Any] = json.loads(out)
    return found


def spread(medians: Sequence[float]) -> float:
    """Standard deviation of the logarithms, in per cent."""
    return 100 * statistics.stdev(map(math.log, medians))


def placement(cpu_time: bool) -> None:
    """The same module looked at again, built again in the same process, and in a fresh one."""
    print("\nStandard deviation of medians of 0.2 s, per cent: what varies between looks")
    asked = {"looks": LOOKS, "cpu_time": cpu_time}
    kept = answer(started(asked, RETAIN))["medians"]
    rebuilt = answer(started(asked | {"rebuild": True}, RETAIN))["medians"]
    print(f"{'':20} {'same module':>12} {'built anew':>12}")
    for cell in CELLS:
        print(f"{cell:20} {spread(kept[cell]):12.2f} {spread(rebuilt[cell]):12.2f}")


def variants(cpu_time: bool) -> None:
    """Fresh processes in turns."""
    tried = {name: of for name, of in VARIANTS.items() if not (cpu_time and "threads" in of[0])}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in tried}
    for _ in range(PROCESSES):
        for name, (asked, environment) in tried.items():
            found[name].append(answer(started({**asked, "cpu_time": cpu_time}, environment)))
    print(f"\n{PROCESSES} fresh processes each: ms (standard deviation between processes, per cent)")
    print(f"{'':24}" + "".join(f"{cell:>24}" for cell in CELLS) + "    faults  kernel %  switches own/forced")
    for name, runs in found.items():
        shown = ""
        for cell in CELLS:
            medians = [run["medians"][cell][0] for run in runs]
            shown += f"{1e3 * statistics.median(medians):15.3f} ({spread(medians):5.2f})"
        means = {
            key: statistics.fmean(run[key] for run in runs)
            for key in ("faults", "system_share", "voluntary", "involuntary")
        }
        print(
            f"{name:24}{shown}{means['faults']:10.0f}{100 * means['system_share']:10.1f}"
            f"{means['voluntary']:12.0f} / {means['involuntary']:.0f}"
        )


def denormals(clock: Clock) -> None:
    """A linear layer on numbers too small for the format, and how many of them a cell meets."""
    import torch

    torch.set_num_threads(1)
    weight = torch.randn(384, 384) * 0.05
    print("\nLinear layer, 1568 × 384 × 384, ms")
    for scale in (1.0, 1e-39):
        for flush in (False, True):
            torch.set_flush_denormal(flush)
            x = torch.randn(1568, 384) * scale
            with torch.inference_mode():
                took = median_s(lambda x=x: x @ weight, 0.1, 0.3, clock)  # type: ignore[misc]
            print(f"  input of {scale:g}, flush {flush}: {1e3 * took:.3f}")
    torch.set_flush_denormal(False)
    seen = []
    softmax = torch.Tensor.softmax

    def counting(self: Any, *args: Any, **named: Any) -> Any:
        out = softmax(self, *args, **named)
        tiny = torch.finfo(out.dtype).tiny
        seen.append(int(((out > 0) & (out < tiny)).sum()))
        return out

    torch.Tensor.softmax = counting  # type: ignore[method-assign]
    try:
        with torch.inference_mode():
            built("msa", "math")()
    finally:
        torch.Tensor.softmax = softmax  # type: ignore[method-assign]
    print(f"  denormals in the attention of MSA 28 × 28: {seen}")


def cores() -> None:
    """The clock, and what a core loses when the other one works too."""
    alone = answer(started({"busy_s": 1.0, "core": 0}, RETAIN))["macs_per_s"]
    pair = [started({"busy_s": 1.5, "core": core}, RETAIN) for core in (0, -1)]
    both = [answer(one)["macs_per_s"] for one in pair]
    print("\n1 × 1 convolution in the widest vectors, GMAC/s a core")
    print(f"  alone {alone / 1e9:.1f}; both cores at once {both[0] / 1e9:.1f} and {both[1] / 1e9:.1f}")
    if shutil.which("gcc") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "chain.c"), Path(folder, "chain")
        source.write_text(_CHAIN, encoding="utf-8")
        subprocess.run(["gcc", "-O2", str(source), "-o", str(program)], check=True)

        def clock() -> str:
            return subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout

        idle = [clock() for _ in range(5)]
        other = started({"busy_s": 2.5, "core": -1}, RETAIN)
        time.sleep(2.5)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        beside = [clock() for _ in range(5)]
        answer(other)
    print(
        f"  clock, GHz: other core idle {' '.join(idle)}; other core in the widest vectors {' '.join(beside)}"
    )


def steal() -> float:
    """Seconds that the hypervisor took from all cores so far."""
    return int(Path("/proc/stat").read_text(encoding="utf-8").split("\n")[0].split()[8]) / 100


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cpu-time", action="store_true", help="for a machine that is busy")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        print(json.dumps(child(asked.child)))
        return 0
    began, taken = time.perf_counter(), steal()
    print(
        "huge pages:", Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="utf-8").strip()
    )
    placement(asked.cpu_time)
    variants(asked.cpu_time)
    denormals(time.process_time if asked.cpu_time else time.perf_counter)
    if not asked.cpu_time:
        cores()
    print(f"\nstolen by the host: {steal() - taken:.2f} s in {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
