"""The real `benchsuite run` in a process group of its own, watched and disturbed from outside. Linux only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchsuite.results.store import RECORDS, read_run
from benchsuite.runner.recorder import ROUNDS

PATIENCE_S = 120.0
"""After which a condition counts as never to be met; generous, since the host may be busy."""

Table = Mapping[str, tuple[Any, ...]]


class RealRun:
    """A `benchsuite run` under way.

    Args:
        words: of the command line after `benchsuite run`.
        program: words for Python that are benchsuite.
        options: of `subprocess.Popen`.
    """

    def __init__(
        self,
        repository: Path,
        *words: str | Path,
        program: Sequence[str] = ("-m", "benchsuite"),
        **options: Any,
    ) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(
            [sys.executable, *program, "run", *map(str, words)],
            cwd=repository, text=True, start_new_session=True, **(pipes | options),
        )  # fmt: skip

    def __enter__(self) -> RealRun:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.finish()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """Its living worker processes, the eldest first."""
        found = [(_status(pid), pid) for pid in _pids()]
        living = [(status, pid) for status, pid in found if status and status[0] != "Z"]
        children = [(int(status[19]), pid) for status, pid in living if int(status[1]) == self.pid]
        return [pid for _, pid in sorted(children)]

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something; fails the test if the run is over before it."""
        wait_until(lambda: condition() or self._process.poll() is not None)
        if self._process.poll() is not None:
            out, err = self.finish()[1:]
            pytest.fail(f"the run ended before it could be disturbed:\n{out}{err}")

    def until_line(self, words: str) -> None:
        """Read lines of stdout up to the first that holds the words."""
        assert self._process.stdout is not None
        if not any(words in line for line in self._process.stdout):
            pytest.fail(f"no line with {words!r}:\n{self.finish()[2]}")

    def until_told(self, words: str) -> None:
        """Read lines of stderr up to the first that holds the words."""
        assert self._process.stderr is not None
        if not any(words in line for line in self._process.stderr):
            pytest.fail(f"no message with {words!r}")

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the run alone, or to its workers too, as a terminal does."""
        (os.killpg if group else os.kill)(self.pid, number)

    def kill(self) -> None:
        """End the run as the kernel does when memory is short, and see its workers gone."""
        workers = self.workers
        self.signal(signal.SIGKILL)
        self.finish()
        wait_until(lambda: not any(runs(pid) for pid in workers))

    def finish(self) -> tuple[int, str, str]:
        """Exit code, and what is left of stdout and stderr, without what a busy machine says meanwhile."""
        out, err = self._process.communicate(timeout=PATIENCE_S)
        lines = (err or "").splitlines(keepends=True)
        said = "".join(line for line in lines if not line.startswith("planning cells: "))
        return self._process.returncode, out or "", said


def finished(repository: Path, *words: str | Path, **options: Any) -> tuple[int, str, str]:
    """A run from its beginning to its end."""
    with RealRun(repository, *words, **options) as run:
        return run.finish()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("waited in vain")
        time.sleep(0.002)


def runs(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    status = _status(pid)
    return bool(status) and status[0] != "Z"


def stopped(pid: int) -> bool:
    """Whether a process stands still."""
    return _status(pid)[:1] == ["T"]


def in_session(number: int) -> list[int]:
    """The living processes of a session, which are what a run has started, and all that these have."""
    found = [(pid, _status(pid)) for pid in _pids()]
    return [pid for pid, status in found if status and status[0] != "Z" and int(status[3]) == number]


def written(folder: Path) -> int:
    """Bytes of records; -1 before the file is there."""
    path = folder / RECORDS
    return path.stat().st_size if path.is_file() else -1


def visits(folder: Path) -> int:
    """Rounds of cells that are written down; 0 before the file is there."""
    path = folder / ROUNDS
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def table(folder: Path) -> Table:
    """What a run says of its cells, but for what chance decides: times, peaks and dates."""
    found = {}
    for record in read_run(folder).records:
        cost, memory = record.cost, record.memory
        found[record.id] = (
            record.status,
            record.expected,
            dict(record.cell.config),
            (cost.macs, cost.params) if cost else None,
            (memory.weights_bytes, memory.input_bytes, memory.output_bytes) if memory else None,
        )
    return found


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
