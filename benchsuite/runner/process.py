"""Worker processes seen from their parent: send a call, wait for the answer, notice death or silence.

Every message is a pickle behind its length in eight bytes, so that an answer can be awaited with a deadline.
A call has a number; its answer has the same, and the process that gave it: a copy of the worker that a
module made with `fork` cannot answer in its place. A worker is the leader of a session, which ends with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchsuite.errors import WorkerDied, WorkerTimeout
from benchsuite.plugins import search_path, worker_environment
from benchsuite.results.record import Failure
from benchsuite.worker.pipe import STOPS, receive, send
from benchsuite.worker.worker_reply import WorkerReply

_LAST_WORDS = 400
"""Bytes of a dead worker's stderr that go into the message."""
_OOM_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))
"""Where Linux counts the processes that it has killed for want of memory, as "oom_kill N"."""
ANSWERS = "benchsuite.worker.calls"
"""Module whose functions a worker answers with."""
_BEGIN = (
    "import sys; sys.path[:] = sys.argv[2:]; from benchsuite.worker.serve import serve; serve(sys.argv[1])"
)
"""What a worker runs. It looks for modules where it is told, and not first in the current folder."""


class Worker:
    """A process that holds torch and answers calls, one at a time. Another one takes its place once it is
    gone, which is no fault of the call that comes then.

    A process is not waited for when it is started: torch is imported while the parent does other things.

    Args:
        pythonpath: folders that it looks in for modules before all others.
        answers: module whose functions it answers with.
        cores: CPU cores that it may use; None for all that its parent may.
        setup: arguments of `set_up`, which comes before the first call of each process; None for none.
    """

    def __init__(
        self,
        pythonpath: Sequence[str] = (),
        answers: str = ANSWERS,
        cores: Sequence[int] | None = None,
        setup: tuple[object, ...] | None = None,
    ) -> None:
        self._pythonpath, self._answers, self._cores = tuple(pythonpath), answers, cores
        self.setup = setup
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def call(self, function: str, *arguments: object, timeout_s: float | None = None, stage: str = "") -> Any:
        """Run a function of `worker/calls.py` in the process and return what it returns.

        Args:
            stage: for a function that gives a `WorkerReply`, which the end of the process then is, too; the
                stage of its `Failure` if no answer came in time.

        Raises:
            BenchsuiteError: what the function raised, if it was one of ours.
            WorkerDied: the process ended without an answer.
            WorkerTimeout: no answer within `timeout_s`; the process was killed.
        """
        lost: WorkerDied | WorkerTimeout | None = None
        try:
            process = self._ready(timeout_s)
            assert process.stdin is not None
            assert process.stdout is not None
            before = _oom_counts()
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            self._calls += 1
            expected, answered = (self._calls, process.pid), None
            send(process.stdin, (self._calls, function, arguments))
            while answered != expected:  # what answers another call, or is another process, is not heard
                *number_and_pid, ok, value = receive(process.stdout, deadline)
                answered = tuple(number_and_pid)
        except (EOFError, BrokenPipeError):
            lost = self._obituary(process, before)
        except (pickle.UnpicklingError, ValueError, TypeError):
            _kill(process)
            lost = WorkerDied("something else wrote into the answers of the worker process")
        except TimeoutError:
            _kill(process)
            lost = WorkerTimeout(timeout_s or 0.0)
        except (WorkerDied, WorkerTimeout) as error:  # while it was set up
            lost = error
        if lost is not None:
            if stage:
                return _reply_of(lost, stage)
            raise lost
        if not ok:
            raise value
        if stage and value.poisoned:
            self.close()
        return value

    def close(self) -> None:
        """End the process, even if it is measuring, and its pipes; a further call starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._stderr.close()

    def _start(self) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        # The profiler of torch logs each start and stop to stderr unless told not to.
        settings = {"KINETO_LOG_LEVEL": "99"} | worker_environment(self._pythonpath)
        with _stops_blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, self._answers, *search_path(self._pythonpath)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=settings,
                bufsize=0,
                start_new_session=True,
            )
        self._calls, self._fresh = 0, True
        if self._cores is not None and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):  # long before it has any thread but one
                os.sched_setaffinity(self._process.pid, self._cores)

    def _ready(self, timeout_s: float | None) -> subprocess.Popen[bytes]:
        """The process, another one where it is gone; set up, if a fresh one is to be."""
        if not self.alive:
            self.close()
            self._start()
        fresh, self._fresh = self._fresh, False
        if fresh and self.setup is not None:
            try:
                self.call("set_up", *self.setup, timeout_s=timeout_s)
            except BaseException:
                self.close()
                raise
        assert self._process is not None
        return self._process

    def _obituary(self, process: subprocess.Popen[bytes], before: Sequence[bytes]) -> WorkerDied:
        code = process.wait()
        _end_children(process.pid)
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _LAST_WORDS))
        words = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = f": {words[-1]}" if words else ""
        if code >= 0:
            return WorkerDied(f"the worker process exited with code {code}{last}", kind=f"exit code {code}")
        name = signal.Signals(-code).name
        if code == -signal.SIGKILL and _oom_kills(_oom_counts()) > _oom_kills(before):
            message = "the system ran out of memory and killed the worker process"
            return WorkerDied(message, kind=name, out_of_memory=True)
        return WorkerDied(f"the worker process was killed by {name}{last}", kind=name)


def _reply_of(lost: WorkerDied | WorkerTimeout, stage: str) -> WorkerReply[Any]:
    if isinstance(lost, WorkerTimeout):
        return WorkerReply(status="timeout", failure=Failure(stage=stage, kind="Timeout", message=str(lost)))
    failure = Failure(stage="worker", kind=lost.kind or "WorkerDied", message=str(lost))
    return WorkerReply(status="oom" if lost.out_of_memory else "crash", failure=failure)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children at once, whatever they do."""
    if process.poll() is None:
        process.kill()
    _end_children(process.pid)
    process.wait()


def _end_children(pid: int) -> None:
    """End what a worker has started and left in its process group."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


@contextlib.contextmanager
def _stops_blocked() -> Iterator[None]:
    """A process that is started within begins with STOPS blocked, until it can ignore them by itself."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _oom_counts() -> list[bytes]:
    """What the kernel counts just now. Read around every call, and parsed only where a worker has died."""
    counts = []
    for path in _OOM_COUNTERS:
        with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
            counts.append(file.readall())
    return counts


def _oom_kills(counts: Sequence[bytes]) -> int:
    """How many processes the kernel has killed for want of memory; 0 where it does not say."""
    kills = 0
    for line in b"\n".join(counts).splitlines():
        name, _, value = line.partition(b" ")
        if name == b"oom_kill" and value.isdigit():
            kills += int(value)
    return kills
