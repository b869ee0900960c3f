"""Runs that are hit by SIGKILL and SIGSTOP at random instants, and then resumed to their end. Linux only.

    python benchmarks/storm.py                     # 40 of each while measuring, 20 while planning
    python benchmarks/storm.py --times 3 --scripted    # quick: workers without torch

The phase of a run is known from what it has written: while it plans it has no folder, while it measures it
has fewer records than cells. A run stands still while that is looked at and the signal is sent. A number in
the table is a fault, but for the first column; any makes the exit code 1. What is hit, and when, follows from
the seed; how far the run is by then does not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # as a script it finds the package that it lies beside

import pytest  # noqa: E402

from benchsuite.errors import FAILED, FINE  # noqa: E402
from benchsuite.io import LOCK, lines  # noqa: E402
from benchsuite.results.codec import decode  # noqa: E402
from benchsuite.results.store import RECORDS, REPORT, SCENARIO  # noqa: E402
from tests.real_command import RealRun, Table, in_session, stopped, table, wait_until  # noqa: E402

TEXT = """
name: storm
title: A few tiny cells
sweep:
  mixer: [{name: 'tests.planted:TakesItsTime', label: slow}, {name: 'tests.planted:Fine', label: fine}]
  resolution: 32
  dim: 16
  num_heads: 4
  batch: [2, 4, 8]
  device: cpu
measure: {warmup_calls: 1, warmup_s: 0, min_samples: 4, max_samples: 4, rounds: 2, threads: 1,
  ceilings: false, timeout_s: %g}
"""
CELLS = 6
SCRIPTED = (
    "from benchsuite.runner.workers import WORKERS, ProcessWorkers; from benchsuite.cli import main; "
    "WORKERS['process'] = lambda path: ProcessWorkers(path, 'tests.doubles.fake_worker'); main()"
)
"""Program whose workers answer from a script."""
TRIES = 10
"""Runs that may end before they are hit, and resumptions that may be needed."""
LEAVING_S = 60.0
"""How long what a killed run has started may take to notice; generous, since the host may be busy."""
FAULTS = ("lost", "duplicated", "unclean ends", "processes", "locks", "files")


def planning(folder: Path) -> bool:
    """Whether a run has not begun to measure."""
    return not folder.exists()


def measuring(folder: Path) -> bool:
    """Whether a run has begun to measure and misses records."""
    return (folder / RECORDS).is_file() and len(_records(folder)) < CELLS


@dataclass(frozen=True)
class Kind:
    """A kind of disturbance.

    Attributes:
        parent: whether the run itself is hit, and not one of its workers.
    """

    name: str
    signal: signal.Signals
    phase: Callable[[Path], bool]
    parent: bool = False


KINDS = (
    Kind("parent killed", signal.SIGKILL, measuring, parent=True),
    Kind("worker killed", signal.SIGKILL, measuring),
    Kind("worker stopped", signal.SIGSTOP, measuring),
    Kind("parent killed, planning", signal.SIGKILL, planning, parent=True),
    Kind("worker killed, planning", signal.SIGKILL, planning),
)


@dataclass(frozen=True)
class Setting:
    """How runs are started, and what an undisturbed one is like.

    Attributes:
        program: words for Python that are benchsuite.
        table: of the undisturbed run.
        kept: temporary files that it leaves, torch's caches say.
        spans: phase → its seconds there.
    """

    home: Path
    scenario: Path
    program: Sequence[str]
    table: Table
    spans: dict[Callable[[Path], bool], float]
    kept: frozenset[str] = frozenset()

    @property
    def temporary(self) -> Path:
        """Where runs put temporary files, so that they can be told from those of others."""
        return self.home / "tmp"

    def run(self, *words: str | Path) -> RealRun:
        self.temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        return RealRun(HERE.parent, *words, program=self.program, env=environment)


def undisturbed(home: Path, *, scripted: bool, timeout_s: float) -> Setting:
    """Run the scenario once, and time its phases."""
    scenario = home / "storm.yaml"
    scenario.write_text(TEXT % timeout_s)
    program = ("-c", SCRIPTED) if scripted else ("-m", "benchsuite")
    setting = Setting(home, scenario, program, {}, {})
    begun = time.monotonic()
    with setting.run(scenario, "--out", home / "undisturbed") as run:
        run.until_line("round 1: ")
        measures = time.monotonic()
        run.until_line(f"[{CELLS}/{CELLS}]")
        spans = {planning: measures - begun, measuring: time.monotonic() - measures}
        code, _, err = run.finish()
    assert code == FINE, err
    kept = frozenset(path.name for path in setting.temporary.iterdir())
    return replace(setting, table=table(home / "undisturbed"), spans=spans, kept=kept)


def hit(kind: Kind, run: RealRun, folder: Path, rng: random.Random) -> bool | None:
    """Send the signal while the run stands still. False if the phase is over, None if there is no worker."""
    run.signal(signal.SIGSTOP)
    try:
        wait_until(lambda: stopped(run.pid) or not in_session(run.pid))
        if not kind.phase(folder) or not stopped(run.pid):
            return False
        victims = [run.pid] if kind.parent else run.workers
        if not victims:
            return None
        os.kill(rng.choice(victims), kind.signal)
        return True
    finally:
        with contextlib.suppress(ProcessLookupError):
            run.signal(signal.SIGCONT)


def disturbed(kind: Kind, setting: Setting, folder: Path, rng: random.Random) -> tuple[bool, str, int]:
    """Whether a run was hit in the phase; what is wrong with its end; its session."""
    with setting.run(setting.scenario, "--out", folder) as run:
        if kind.phase is measuring:
            run.until_line("round 1: ")
        elif not kind.parent:
            run.until(lambda: run.workers)
        time.sleep(rng.random() * setting.spans[kind.phase])
        while (done := hit(kind, run, folder, rng)) is None:
            time.sleep(0.005)
        code, _, err = run.finish()
    fine = (-signal.SIGKILL,) if done and kind.parent else (FINE, FAILED)
    clean = code in fine and "Traceback" not in err
    return bool(done), "" if clean else f"exit code {code}: {err[-300:]}", run.pid


def case(kind: Kind, number: int, seed: int, setting: Setting) -> tuple[Kind, Counter[str], str]:
    """Disturb a run, resume it to its end, count what is wrong, and say what is not clean about its end."""
    try:
        return kind, *_case(kind, number, seed, setting)
    except (pytest.fail.Exception, subprocess.TimeoutExpired) as error:  # waited in vain
        return kind, Counter({"unclean ends": 1}), str(error)


def _case(kind: Kind, number: int, seed: int, setting: Setting) -> tuple[Counter[str], str]:
    rng = random.Random(f"{seed} {kind.name} {number}")
    home = setting.home / f"{kind.name} {number}".replace(" ", "-").replace(",", "")
    home.mkdir()
    setting = replace(setting, home=home)
    for attempt in range(TRIES):
        folder = home / f"run-{attempt}"
        done, wrong, session = disturbed(kind, setting, folder, rng)
        if done:
            break
    else:
        return Counter({"unclean ends": 1}), "never hit in its phase"
    sessions, before = [session], _records(folder)
    for _ in range(TRIES):
        begun = (folder / SCENARIO).is_file()
        anew = (setting.scenario, "--out", folder)
        words = ("--resume", folder, "--retry", "crash,timeout") if begun else anew
        with setting.run(*words) as run:
            code, _, err = run.finish()
        sessions.append(run.pid)
        if code == FINE:
            break
        if code != FAILED or "Traceback" in err:
            wrong = f"resumed, exit code {code}: {err[-300:]}"
    return _counted(setting, folder, before, sessions, wrong), wrong


def _counted(
    setting: Setting, folder: Path, before: Sequence[str], sessions: Sequence[int], wrong: str
) -> Counter[str]:
    after = _records(folder)
    fine = Counter(record.id for record in map(decode, after) if record.status == "ok")
    found = table(folder)
    deadline = time.monotonic() + LEAVING_S
    while (left := [pid for one in sessions for pid in in_session(one)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = [
        path.name
        for path in (*folder.iterdir(), *setting.temporary.iterdir())
        if path.name not in (RECORDS, REPORT, SCENARIO, *setting.kept)
        and not path.name.startswith("environment")
    ]
    return Counter({
        "lost": sum(found.get(id) != row for id, row in setting.table.items())
        + (after[: len(before)] != before),
        "duplicated": sum(times - 1 for times in fine.values()) + len(found.keys() - setting.table.keys()),
        "unclean ends": bool(wrong),
        "processes": len(left),
        "locks": names.count(LOCK),
        "files": len(names) - names.count(LOCK),
    })  # fmt: skip


def _records(folder: Path) -> list[str]:
    """The whole lines of the records file."""
    return [line.text for line in lines(folder / RECORDS) if line.ended]


def shared_memory() -> set[str]:
    """What lies in shared memory that no living process has mapped or open."""
    there = {str(path) for path in Path("/dev/shm").rglob("*") if not path.is_dir()}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            maps = (process / "maps").read_text(errors="replace")
            there = {path for path in there if path not in maps}
            there -= {os.readlink(link) for link in (process / "fd").iterdir()}  # noqa: PTH115  as text
    return there


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--times", type=int, default=40, help="of each while measuring; a quarter while planning"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=2, help="runs at a time")
    parser.add_argument("--timeout", type=float, default=15.0, help="seconds after which a cell is given up")
    parser.add_argument("--scripted", action="store_true", help="workers that answer from a script")
    options = parser.parse_args(words)
    times = {kind: options.times if kind.phase is measuring else options.times // 4 for kind in KINDS}
    times = {kind: max(1, count) for kind, count in times.items()}
    found: dict[Kind, Counter[str]] = {kind: Counter() for kind in KINDS}
    shared = shared_memory()
    with tempfile.TemporaryDirectory(prefix="benchsuite-storm-") as home:
        setting = undisturbed(Path(home), scripted=options.scripted, timeout_s=options.timeout)
        with ThreadPoolExecutor(options.lanes) as lanes:
            due = [(kind, n) for n in range(max(times.values())) for kind in KINDS if n < times[kind]]
            begun = [lanes.submit(case, kind, n, options.seed, setting) for kind, n in due]
            try:
                for future in as_completed(begun):
                    kind, counts, wrong = future.result()
                    found[kind] += counts + Counter({"times": 1})
                    if counts.total():
                        print(f"{kind.name}: {dict(+counts)} {wrong}", flush=True)
            except KeyboardInterrupt:
                print("stopped; so far:", flush=True)
            finally:
                for future in begun:
                    future.cancel()
    left = len(shared_memory() - shared)
    print(f"{'':<26}{'times':>7}" + "".join(f"{name:>{len(name) + 3}}" for name in FAULTS))
    for kind, counts in found.items():
        row = [counts[name] for name in FAULTS]
        print(
            f"{kind.name:<26}{counts['times']:>7}"
            + "".join(f"{number:>{len(name) + 3}}" for name, number in zip(FAULTS, row, strict=True))
        )
    print(f"shared memory left over: {left}")
    return bool(left or sum((found[kind][name] for kind in KINDS for name in FAULTS), 0))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what there is so far is printed then, too
    sys.exit(main())
