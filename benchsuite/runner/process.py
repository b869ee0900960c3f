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
from collections.abc import Callable, Iterator, Sequence
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
    """One process that holds torch and answers calls one at a time.

    Starting it returns at once; torch is imported while the parent does other things.

    Args:
        pythonpath: folders that it looks in for modules before all others.
        answers: module whose functions it answers with.
        cores: CPU cores that it may use; None for all that its parent may.
    """

    def __init__(
        self, pythonpath: Sequence[str] = (), answers: str = ANSWERS, cores: Sequence[int] | None = None
    ) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the worker
        # The profiler of torch logs each start and stop to stderr unless told not to.
        settings = {"KINETO_LOG_LEVEL": "99"} | worker_environment(pythonpath)
        with _stops_blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, answers, *search_path(pythonpath)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=settings,
                bufsize=0,
                start_new_session=True,
            )
        self._calls = 0
        if cores is not None and hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):  # long before it has any thread but one
                os.sched_setaffinity(self._process.pid, cores)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(self, function: str, *arguments: object, timeout_s: float | None = None) -> Any:
        """Run a function of `worker/calls.py` in the worker and return what it returns.

        The parent sleeps until the answer comes.

        Raises:
            BenchsuiteError: what the function raised, if it was one of ours.
            WorkerDied: the process ended without an answer; it cannot be used again.
            WorkerTimeout: no answer within `timeout_s`; the process was killed and cannot be used again.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = _oom_counts()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._calls += 1
        expected, answered = (self._calls, self.pid), None
        try:
            send(self._process.stdin, (self._calls, function, arguments))
            while answered != expected:  # what answers another call, or is another process, is not heard
                *number_and_pid, ok, value = receive(self._process.stdout, deadline)
                answered = tuple(number_and_pid)
        except (EOFError, BrokenPipeError) as error:
            raise self._obituary(before) from error
        except (pickle.UnpicklingError, ValueError, TypeError) as error:
            self.kill()
            raise WorkerDied("something else wrote into the answers of the worker process") from error
        except TimeoutError:
            self.kill()
            assert timeout_s is not None
            raise WorkerTimeout(timeout_s) from None
        if not ok:
            raise value
        return value

    def kill(self) -> None:
        """End the process and its children at once, whatever they do."""
        if self._process.poll() is None:
            self._process.kill()
        self._end_children()
        self._process.wait()

    def close(self) -> None:
        """End the process and let go of its pipes; a worker that is measuring is killed."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._stderr.close()

    def _end_children(self) -> None:
        """End what the worker has started and left in its process group."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _obituary(self, before: Sequence[bytes]) -> WorkerDied:
        code = self._process.wait()
        self._end_children()
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


class RespawningWorker:
    """One worker process at a time, replaced where it dies, hangs or can do no more; each costs one question.

    Args:
        start: starts one, set up as it should be, within so many seconds, or raises as `Worker.call`.
        first: one that is started already.
    """

    def __init__(self, start: Callable[[float | None], Worker], first: Worker | None = None) -> None:
        self._start, self._worker = start, first

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker else None

    @property
    def alive(self) -> bool:
        return self._worker is not None and self._worker.alive

    def call(self, function: str, *arguments: object, timeout_s: float | None = None) -> Any:
        """`Worker.call`, in another process if the last one is gone."""
        return self._running(timeout_s).call(function, *arguments, timeout_s=timeout_s)

    def ask(
        self, stage: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> WorkerReply[Any]:
        """`call` of a function that gives a `WorkerReply`; so does the end of the process.

        Args:
            stage: of a `Failure` that says that no answer came in time.

        Raises:
            BenchsuiteError: what the function raised, if it was one of ours.
        """
        try:
            reply: WorkerReply[Any] = self._running(timeout_s).call(function, *arguments, timeout_s=timeout_s)
        except WorkerTimeout as error:
            return WorkerReply(
                status="timeout", failure=Failure(stage=stage, kind="Timeout", message=str(error))
            )
        except WorkerDied as error:
            failure = Failure(stage="worker", kind=error.kind or "WorkerDied", message=str(error))
            return WorkerReply(status="oom" if error.out_of_memory else "crash", failure=failure)
        if reply.poisoned:
            self.close()
        return reply

    def close(self) -> None:
        """End the process; a further call starts another one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _running(self, timeout_s: float | None) -> Worker:
        """The process, or another one if it is gone, which is no fault of the call that is to come."""
        if self._worker is None or not self._worker.alive:
            self.close()
            self._worker = self._start(timeout_s)
        return self._worker


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
