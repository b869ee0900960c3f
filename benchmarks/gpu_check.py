"""`make gpu-check`: everything that only a GPU can show, in under eight minutes and without a network.

    python benchmarks/gpu_check.py [--out DIR]

runs in a checkout, with a Python that has torch and the other packages; nothing is installed. Each step is a
command with a log of its own; one that fails stops no other.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUDGET_S = 470.0
"""For all steps together."""
SCENARIOS = ("hilo", "litv2_table4", "zoo")
"""Single layers, networks, and every mixer; their profile `quick`."""
_MARK = "mark.gpu"
_TAIL = 15
"""Lines of the log of a step that failed that are printed."""
_INTERRUPTED = 130

Run = Callable[[Sequence[str], Path, float], int | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One command.

    Attributes:
        command: words after the Python interpreter; empty if it cannot be run.
        limit_s: after which it has failed, if the budget of all steps lasts so long.
        missing: why it cannot be run.
        needed: whether not being able to run it is a failure.
    """

    name: str
    command: tuple[str, ...] = ()
    limit_s: float = 0.0
    missing: str = ""
    needed: bool = False


def steps(root: Path, out: Path, *, cuda: bool, pytest: bool) -> list[Step]:
    """What is to be run in a checkout.

    Args:
        out: where runs are written.
        cuda: whether there is a GPU that torch can use.
        pytest: whether it can be imported.
    """
    runs = [
        Step(
            f"run {name}",
            ("-m", "benchsuite", "run", name, "--profile", "quick", "--out", str(out / name)),
            limit_s=150.0,
        )
        for name in SCENARIOS
    ]
    test = Step("selftest", ("-m", "benchsuite", "selftest", "--device", "auto", "--out", str(out)), 240.0)
    return [_gpu_tests(root, cuda=cuda, pytest=pytest), test, *runs]


def _gpu_tests(root: Path, *, cuda: bool, pytest: bool) -> Step:
    """Of all tests only the files that hold such: others may need packages that are not here."""
    name = "gpu tests"
    if not cuda:
        return Step(name, missing="torch sees no CUDA device here; tests that need none: make test")
    if not pytest:
        return Step(name, missing="pytest is not installed", needed=True)
    files = sorted(
        str(path.relative_to(root))
        for path in (root / "tests").rglob("test_*.py")
        if _MARK in path.read_text(encoding="utf-8")
    )
    if not files:
        return Step(name, missing="no tests here; run it in a checkout", needed=True)
    # Without the options of pyproject.toml, some of which need plugins.
    options = ("-o", "addopts=", "-W", "ignore::pytest.PytestConfigWarning", "-p", "no:cacheprovider")
    return Step(name, ("-m", "pytest", "-q", "-m", "gpu", *options, *files), limit_s=240.0)


def check(todo: Sequence[Step], out: Path, run: Run, now: Callable[[], float] = time.monotonic) -> bool:
    """Run the steps, say of each in a line how it went, and whether all is well.

    Args:
        out: where the log of each step is written.
        run: a command, its log, its limit in seconds → exit code, None if it took too long.
    """
    began, sound = now(), True
    for step in todo:
        if not step.command:
            _say("FAIL" if step.needed else "skip", step.name, "not run: " + step.missing)
            sound = sound and not step.needed
            continue
        left = BUDGET_S - (now() - began)
        if left <= 0:
            _say("FAIL", step.name, f"not run: the {BUDGET_S:g} s of all steps are used up")
            sound = False
            continue
        log, start = out / f"{step.name.replace(' ', '-')}.log", now()
        limit = min(step.limit_s, left)
        code = run([sys.executable, *step.command], log, limit)
        lines = (
            log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []
        )
        took = f"{now() - start:.0f} s"
        if code == 0:
            _say("ok", step.name, f"{took}, {lines[-1].strip() if lines else 'said nothing'}")
            continue
        sound = False
        why = f"took longer than {limit:.0f} s" if code is None else f"exit code {code} after {took}"
        _say("FAIL", step.name, f"{why}; {log}")
        for line in lines[-_TAIL:]:
            print(f"      {line}")
    return sound


def run_step(command: Sequence[str], log: Path, limit_s: float) -> int | None:
    """Run a command with its output in a file; with all that it started, it ends after `limit_s`."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=HERE.parent,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:  # too late, or Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _say(word: str, name: str, words: str) -> None:
    print(f"{word:<4}  {name:<16}  {words}", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 if all is well, 1 if a step failed, 130 if it was stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="folder for logs and runs; default runs/gpu-check-<time>")
    out: Path = parser.parse_args(words).out or Path("runs") / f"gpu-check-{datetime.now():%Y%m%d-%H%M%S}"
    out = out.resolve()
    cuda = _cuda()
    out.mkdir(parents=True, exist_ok=True)
    todo = steps(HERE.parent, out, cuda=bool(cuda), pytest=importlib.util.find_spec("pytest") is not None)
    print(cuda or "no CUDA device: only what runs on a CPU too", flush=True)
    try:
        sound = check(todo, out, run_step)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED
    print(f"all is well; logs and runs in {out}" if sound else f"NOT all is well; logs and runs in {out}")
    return 0 if sound else 1


def _cuda() -> str:
    """The name of the GPU that "auto" means; empty if there is none. Leaves no context on it."""
    question = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
    asked = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines() or ["no reason given"]
        sys.exit(f"{sys.executable} cannot import torch: {lines[-1]}\n  name another with PYTHON=")
    return asked.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
