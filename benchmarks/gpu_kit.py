"""What only a GPU can show: `make gpu-check`, in under eight minutes, and `make gpu-proof`, the rest.

    python benchmarks/gpu_kit.py check [--out DIR] [--wheels DIR]
    python benchmarks/gpu_kit.py proof [--out DIR] [--wheels DIR] [--budget SECONDS] [STEP ...]

runs in a checkout without a network, with a Python that has torch; it changes nothing of that Python.
Packages that are missing are taken from a folder of wheels. Each step of `gpu_steps.py` is a command whose
output is printed as it comes and kept in a folder of its own; one that fails stops no other. `proof` goes on
where it was left: steps that went well are not run again, and a run that was broken off is resumed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from gpu_expect import Seen  # noqa: E402  after the checkout is on the path
from gpu_steps import OUT, Step, check, proof  # noqa: E402

BUDGETS = {"check": 470.0, "proof": float("inf")}
"""Seconds for all steps together."""
LONGEST_S = 590.0
"""For one step, whatever it is thought to take."""
SLACK, SHORTEST_S = 2.0, 180.0
"""A step may take so many times as long as it should, and so long in any case."""
NEEDED = (
    "numpy pandas matplotlib PIL jinja2 typer pydantic yaml rich safetensors fvcore torch_tb_profiler".split()
)
"""Modules that every command imports, beside torch."""
_TAIL = 15
"""Lines of a step that failed that are printed again."""
_FAILED_CELLS, _INTERRUPTED = 3, 130
"""Exit codes of `benchsuite run`, and of this script."""

Run = Callable[[Sequence[str], Path, float], int | None]


@dataclass(frozen=True, slots=True)
class Here:
    """What there is on this machine.

    Attributes:
        gpu: name of the GPU; empty without one.
        missing: modules that cannot be imported.
    """

    gpu: str
    missing: frozenset[str] = frozenset()


def lacking(step: Step, here: Here) -> str:
    """Why a step cannot be run here; empty if it can."""
    if step.on_gpu and not here.gpu:
        return "torch sees no CUDA device here"
    missing = sorted(here.missing & {*step.modules})
    return (
        f"{', '.join(missing)} cannot be imported; carry wheels and name their folder: WHEELS=DIR"
        if missing
        else ""
    )


class Sitting:
    """Runs steps one after the other and says of each in a line how it went.

    Args:
        out: where each step has a folder, and `steps.json` says what went well.
        run: command, log, limit in seconds → exit code, None if it took too long.
        budget_s: for all steps together.

    Attributes:
        skipped: steps that need a GPU where there is none.
    """

    def __init__(
        self, out: Path, here: Here, run: Run, budget_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._out, self._here, self._run, self._now = out, here, run, now
        self._ends = now() + budget_s
        self._took_s = self._thought_s = 0.0
        self.skipped = 0

    def steps(self, todo: Sequence[Step]) -> bool:
        """Run the steps that have not gone well yet; whether all is well."""
        well = [self._step(step) for step in todo]
        return all(well)

    def limit_s(self, step: Step) -> float:
        """Seconds that a step may take: more where those before it took longer than they should."""
        slower = max(1.0, self._took_s / self._thought_s) if self._thought_s else 1.0
        return min(LONGEST_S, max(SHORTEST_S, SLACK * slower * step.seconds), self._ends - self._now())

    def _step(self, step: Step) -> bool:
        if why := lacking(step, self._here):
            failed = bool(self._here.gpu)
            self.skipped += not failed
            _say("FAIL" if failed else "skip", step.name, f"not run: {why}")
            return not failed
        kept = self._kept().get(step.name, {})
        if kept.get("ok"):
            _say("ok", step.name, f"{kept['seconds']:.0f} s, before")
            return True
        limit = self.limit_s(step)
        if limit <= 0:
            _say("left", step.name, "the time of this sitting is used up; the same command goes on here")
            return False
        folder = self._folder(step)
        folder.mkdir(parents=True, exist_ok=True)
        log, start = folder / "log.txt", self._now()
        _say("...", step.name, f"up to {limit:.0f} s, thought to take {step.seconds:.0f} s")
        code = self._run(self._command(step, again=bool(kept)), log, limit)
        took = self._now() - start
        self._took_s, self._thought_s = self._took_s + took, self._thought_s + step.seconds
        judged = bool(step.expects) and code == _FAILED_CELLS  # which of them may fail, the step says
        wrong = ([] if judged else _what_went_wrong(code, limit)) or self._unexpected(step)
        self._keep(step.name, {"ok": not wrong, "seconds": took, "wrong": wrong})
        lines = _lines(log)
        if not wrong:
            _say("ok", step.name, f"{took:.0f} s, {lines[-1].strip() if lines else 'said nothing'}")
            return True
        _say("FAIL", step.name, f"{wrong[0]} ({took:.0f} s); {folder}")
        for line in [*wrong[1:], *(lines[-_TAIL:] if code != 0 else [])]:
            print(f"      {line}", flush=True)
        return False

    def _command(self, step: Step, *, again: bool) -> list[str]:
        """The words of a step's command; those that go on with its run if it left one."""
        written = self._folder(step) / "run"
        words = [str(written) if word == OUT else word for word in step.command]
        if step.run and again and (written / "scenario.json").is_file():
            words = ["-m", "benchsuite", "run", "--resume", str(written), "--retry", "crash,timeout,error"]
        return words if words[0] == "nvidia-smi" else [sys.executable, *words]

    def _unexpected(self, step: Step) -> list[str]:
        """What did not come out as it should."""
        if not step.expects:
            return []
        seen, before = self._seen(step.name), self._seen(step.after) if step.after else None
        return [sentence for expected in step.expects for sentence in expected(seen, before)]

    def _seen(self, name: str) -> Seen:
        from benchsuite.errors import BenchsuiteError
        from benchsuite.results.store import read_run

        folder = self._out / name
        log = "\n".join(_lines(folder / "log.txt"))
        try:
            run = read_run(folder / "run")
        except BenchsuiteError:
            return Seen(log=log)
        return Seen(run.records, run.environment, log)

    def _folder(self, step: Step) -> Path:
        return self._out / step.name

    def _kept(self) -> dict[str, dict[str, object]]:
        try:
            found: dict[str, dict[str, object]] = json.loads((self._out / "steps.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _keep(self, name: str, state: Mapping[str, object]) -> None:
        text = json.dumps(self._kept() | {name: dict(state)}, indent=2)
        (self._out / "steps.json").write_text(text + "\n", encoding="utf-8")


def _what_went_wrong(code: int | None, limit_s: float) -> list[str]:
    if code is None:
        return [f"took longer than {limit_s:.0f} s"]
    return [f"exit code {code}"] if code else []


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.is_file() else []


def run_step(command: Sequence[str], log: Path, limit_s: float, environment: Mapping[str, str]) -> int | None:
    """Run a command, print what it says as it says it, and put it into a file; with all that it started, it
    ends after `limit_s`."""
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            file.write(f"{error}\n".encode())
            return 127
        copier = threading.Thread(target=_copied, args=(process, file), daemon=True)
        copier.start()
        try:
            return process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:  # also after Ctrl-C
            _kill(process)
            copier.join(10.0)  # something that it started elsewhere may hold its output open


def _copied(process: subprocess.Popen[bytes], file: IO[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout as said:
        for line in said:
            file.write(line)
            file.flush()
            sys.stdout.write("    " + line.decode("utf-8", errors="replace"))
            sys.stdout.flush()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def installed(wheels: Path, site: Path) -> None:
    """Put carried wheels into a folder of their own, unless they are there; leaves Python itself as it is.

    Raises:
        SystemExit: there are none, or they do not fit this Python.
    """
    files = sorted(str(file) for file in wheels.glob("*.whl"))
    if not files:
        sys.exit(f"{wheels} holds no wheels")
    done = site / "wheels.txt"
    if done.is_file() and done.read_text(encoding="utf-8").splitlines() == files:
        return
    options = ["--no-index", "--no-deps", "--no-compile", "--upgrade", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *options, "--target", str(site), *files]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"the wheels of {wheels} cannot be installed for {sys.executable}")
    done.write_text("\n".join(files), encoding="utf-8")


def look(environment: Mapping[str, str], modules: Sequence[str]) -> Here:
    """The GPU that "auto" means, and what cannot be imported; asked of a process, which leaves no context."""
    question = (
        "import importlib.util as u, sys, torch\n"
        "print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')\n"
        "print(*(name for name in sys.argv[1:] if u.find_spec(name) is None))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", question, *modules],
        env={**environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines() or ["no reason given"]
        sys.exit(f"{sys.executable} cannot import torch: {lines[-1]}\n  name another with PYTHON=")
    gpu, missing = asked.stdout.split("\n")[:2]
    return Here(gpu.strip(), frozenset(missing.split()))


def _say(word: str, name: str, words: str) -> None:
    print(f"{word:<4}  {name:<16}  {words}", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 if all is well, 1 if not, 130 if it was stopped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kit", choices=BUDGETS)
    parser.add_argument("steps", nargs="*", metavar="STEP", help="of these steps only, such as hilo")
    parser.add_argument(
        "--out", type=Path, help="folder of all output; default runs/gpu-check-<time>, runs/gpu-proof"
    )
    parser.add_argument("--wheels", type=Path, help="folder of wheels of packages that this Python lacks")
    parser.add_argument(
        "--budget", type=float, metavar="SECONDS", help="end after so long; go on another time"
    )
    given = parser.parse_intermixed_args(words)
    named = f"gpu-check-{datetime.now():%Y%m%d-%H%M%S}" if given.kit == "check" else "gpu-proof"
    out: Path = (given.out or Path("runs") / named).resolve()
    out.mkdir(parents=True, exist_ok=True)
    site = out / "site"
    if given.wheels:
        installed(given.wheels.resolve(), site)
        sys.path[:0] = [str(site)]
    paths = [*([str(site)] if given.wheels else []), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "XDG_CACHE_HOME": str(out / "cache"),
    }
    environment = {**os.environ, **own}
    todo = {"check": check, "proof": proof}[given.kit](ROOT)
    if unknown := {*given.steps} - {step.name for step in todo}:
        parser.error(
            f"no step {', '.join(sorted(unknown))}; there are {', '.join(step.name for step in todo)}"
        )
    here = look(environment, [*NEEDED, *(module for step in todo for module in step.modules)])
    if lost := sorted(here.missing & {*NEEDED}):
        sys.exit(f"{sys.executable} lacks {', '.join(lost)}: carry wheels and name their folder, WHEELS=DIR")
    print(here.gpu or "no CUDA device: only what runs on a CPU too", flush=True)
    sitting = Sitting(
        out, here, lambda *step: run_step(*step, environment), given.budget or BUDGETS[given.kit]
    )
    try:
        sound = sitting.steps([step for step in todo if not given.steps or step.name in given.steps])
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED
    skipped = f", {sitting.skipped} not run for want of a GPU" if sitting.skipped else ""
    print(f"{'all is well' if sound else 'NOT all is well'}{skipped}; everything is in {out}")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
