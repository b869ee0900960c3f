"""A worker process seen from its parent: send a call, wait for the answer, notice its death."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from benchsuite.errors import WorkerDied
from benchsuite.run.own import worker_environment

_LAST_WORDS = 400
"""Bytes of a dead worker's stderr that go into the message."""


class Worker:
    """One process that holds torch and answers calls one at a time.

    Starting it returns at once; torch is imported while the parent does other things.

    Args:
        pythonpath: folders that it looks in for modules before those of PYTHONPATH.
    """

    def __init__(self, pythonpath: Sequence[str] = ()) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the worker
        # The profiler of torch logs each start and stop to stderr unless told not to.
        settings = {"KINETO_LOG_LEVEL": "99"} | worker_environment(pythonpath)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchsuite.run.serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=settings,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, function: str, *arguments: object) -> Any:
        """Run a function of `run/worker.py` in the worker and return what it returns.

        Raises:
            BenchsuiteError: what the function raised, if it was one of ours.
            WorkerDied: the process ended without an answer; it cannot be used again.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((function, arguments), self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            ok, value = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise WorkerDied(self._obituary()) from error
        if not ok:
            raise value
        return value

    def close(self) -> None:
        """End the process; a worker that is measuring is killed."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._stderr.close()

    def _obituary(self) -> str:
        code = self._process.wait()
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _LAST_WORDS))
        words = self._stderr.read().decode(errors="replace").strip().splitlines()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return f"the worker process {how}" + (f": {words[-1]}" if words else "")
