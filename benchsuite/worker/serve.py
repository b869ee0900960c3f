"""The loop of a worker process: a call comes in on stdin, its answer goes out on stdout.

Started by `runner/process.py`. Ends when its parent closes the pipe or dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
import threading
from types import FrameType

from benchsuite.worker.pipe import STOPS, receive, send

_PR_SET_PDEATHSIG = 1
_BEFORE_CELLS = ("set_up", "describe")
"""Calls that load modules and leave nothing of a cell."""
_LOADS = ("count", "inspect_cell")
"""Calls of which the first loads parts of torch that stay."""


def serve(module: str) -> None:
    """Answer calls to functions of a module, until the pipe closes."""
    _die_with_parent()
    _ignore_stops()
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    # What a mixer reads or prints must not break the protocol.
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pid, main = os.getpid(), threading.get_ident()

    def in_copy() -> None:
        """A copy of this process takes no calls, keeps no pipe open, and ends with it, or earlier."""
        for pipe in (requests, answers):
            pipe.close()
        if threading.get_ident() == main:  # a thread that ends would end what it has forked
            _die_with_parent()
        for stop in STOPS:  # else a pool of a module's own could not end its processes
            signal.signal(stop, signal.SIG_DFL)
        _end_on_return()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=in_copy)

    from benchsuite.errors import BenchsuiteError

    worker = importlib.import_module(module)
    called: set[str] = set()
    while True:
        try:
            number, name, arguments = receive(requests)
        except EOFError:
            return
        try:
            answer = (True, getattr(worker, name)(*arguments))
        except BenchsuiteError as error:
            answer = (False, error)
        if os.getpid() != pid:  # a copy that nobody noticed before
            os._exit(0)
        send(answers, (number, pid, *answer))
        if name in _BEFORE_CELLS or (name in _LOADS and name not in called):
            gc.collect()  # else every collection between cells goes through all of torch, 70 ms each
            gc.freeze()
        called.add(name)


_OURS = ("benchsuite.worker.", "benchsuite.runner.", "benchsuite.measurement.")


def _end_on_return() -> None:
    """End this process where a module lets it return to whoever called the module, and would be measured in
    it once more; what a module does in a process of its own goes on."""

    def end(*_: object) -> None:
        os._exit(0)

    frame: FrameType | None = sys._getframe(2)  # who forked
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_OURS):
            frame.f_trace = end
        frame = frame.f_back
    sys.settrace(lambda *_: None)  # for which frames heed what was set above


def _ignore_stops() -> None:
    """A cell ends as it would when the run is asked to stop; what must end at once is killed."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # blocked by the parent until here


def _die_with_parent() -> None:
    """Ask Linux to end this process with its parent, so that a killed run leaves nothing that measures on."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
