"""Which functions of the package a command enters, in all its processes, and the stack at the clock.

A `sitecustomize` module on PYTHONPATH turns the profile hook of every process on that names `benchsuite` in
its command; each writes what it saw when it ends, the worker also the stack at the first reading of the
clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_HOOK = """
import atexit, json, os, sys, threading, time
ROOT, OUT = os.environ["HOUSE_ROOT"], os.environ["HOUSE_OUT"]
seen, clock, waits = set(), [], []

def stack(frame):
    names = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(ROOT):
            names.append(frame.f_code.co_filename[len(ROOT) + 1:] + ":" + frame.f_code.co_qualname)
        frame = frame.f_back
    return names[::-1]

def hook(frame, event, arg):
    if not frame.f_code.co_filename.startswith(ROOT):
        return
    if event == "call":
        seen.add(frame.f_code.co_filename[len(ROOT) + 1:] + ":" + frame.f_code.co_qualname)
    elif event == "c_call":
        name = getattr(arg, "__name__", "")
        if name in ("perf_counter_ns", "perf_counter") and not clock and IN_WORKER:
            clock.append((time.monotonic_ns(), stack(frame)))
        elif name in ("select", "poll", "read", "recv_bytes") and not IN_WORKER:
            waits.append((time.monotonic_ns(), stack(frame)))

def write():
    sys.setprofile(None)
    with open(os.path.join(OUT, "%d.json" % os.getpid()), "w") as file:
        json.dump({"seen": sorted(seen), "clock": clock, "waits": waits[-4000:], "worker": IN_WORKER}, file)

words = " ".join(open("/proc/self/cmdline").read().split("\\0"))
IN_WORKER = "serve" in words
if "benchsuite" in words:
    atexit.register(write)
    kill = os._exit
    threading.setprofile(hook)
    sys.setprofile(hook)
    if IN_WORKER:  # a worker is killed in the end and never says good-bye
        def keep_writing():
            while True:
                time.sleep(0.2)
                write_now = os.path.join(OUT, "%d.json" % os.getpid())
                with open(write_now + ".tmp", "w") as file:
                    json.dump({"seen": sorted(seen), "clock": clock, "waits": [], "worker": True}, file)
                os.replace(write_now + ".tmp", write_now)
        threading.Thread(target=keep_writing, daemon=True).start()
"""

ONE_CELL = """
name: one
title: One cell
sweep: {mixer: hilo, resolution: 224, batch: 1, dim: 64, num_heads: 2}
measure: {rounds: 3, max_rounds: 3, warmup_s: 0.2, min_samples: 3, max_samples: 10, max_s: 0.5}
"""


@dataclass(frozen=True)
class Entered:
    """What a run of one cell went through.

    Attributes:
        functions: of the package, as "file:name", that any of its processes entered; comprehensions and
        lambdas count
            with the function that holds them.
        to_the_clock: functions on the stack when the worker first reads the clock: those of the parent that
        waits
            for it, then those of the worker.
    """

    functions: frozenset[str]
    to_the_clock: tuple[str, ...]

    @property
    def files(self) -> set[str]:
        """The files of these functions."""
        return {name.partition(":")[0] for name in self.functions}


def one_cell_run() -> Entered:
    """Run a scenario of one cell under the hook.

    Raises:
        SystemExit: the run failed; with what it printed.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "hook").mkdir()
        (folder / "out").mkdir()
        (folder / "hook" / "sitecustomize.py").write_text(_HOOK)
        (folder / "one.yaml").write_text(ONE_CELL)
        path = os.pathsep.join([str(folder / "hook"), str(ROOT)])
        told = {"PYTHONPATH": path, "HOUSE_ROOT": str(ROOT / "benchsuite"), "HOUSE_OUT": str(folder / "out")}
        command = [
            sys.executable,
            "-m",
            "benchsuite",
            "run",
            str(folder / "one.yaml"),
            "--out",
            str(folder / "run"),
        ]
        done = subprocess.run(command, check=False, env=os.environ | told, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the run of one cell failed:\n{done.stdout}{done.stderr}")
        return _joined([json.loads(path.read_text()) for path in sorted((folder / "out").glob("*.json"))])


def _joined(processes: list[dict[str, list]]) -> Entered:
    seen = {name for process in processes for name in process["seen"] if not _inner(name)}
    when, worker = min(tuple(process["clock"][0]) for process in processes if process["clock"])
    waits = [
        wait for process in processes if not process["worker"] for wait in process["waits"] if wait[0] < when
    ]
    parent = max(waits)[1] if waits else []
    return Entered(frozenset(seen), tuple(name for name in [*parent, *worker] if not _module(name)))


def _inner(name: str) -> bool:
    return name.endswith(("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>", "<module>"))


def _module(name: str) -> bool:
    return name.endswith("<module>")
