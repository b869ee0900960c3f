"""Signals that ask a command to stop: SIGINT (Ctrl-C), SIGTERM, and SIGHUP (its terminal was closed)."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

_STOPS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform != "win32":
    _STOPS = (*_STOPS, signal.SIGHUP)
_SAME_S = 2.0
"""Seconds in which one more SIGTERM or SIGHUP belongs to the request before it: GNU `timeout` sends its
signal to make and to the whole process group, and make passes on its own."""


@dataclass
class _Request:
    """The request to stop that came last.

    Attributes:
        at: its moment on the monotonic clock.
    """

    at: float = float("-inf")

    def again(self, number: int) -> bool:
        """Whether a signal belongs to it; a person who presses Ctrl-C twice means it."""
        return number != signal.SIGINT and time.monotonic() - self.at < _SAME_S


_last = _Request()


@contextlib.contextmanager
def stopped_at_once() -> Iterator[None]:
    """Within the context, the first signal raises KeyboardInterrupt. Further ones are ignored, so that what
    was begun is taken away in peace."""

    def stop(number: int, frame: FrameType | None) -> None:
        if _last.again(number):
            return
        for one in _STOPS:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(stop):
        yield


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Within the context, the first signal only sets what the yielded function returns.

    The next one raises KeyboardInterrupt, unless it belongs to the first (`_SAME_S`).
    """
    asked = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if not asked.is_set():
            _last.at = time.monotonic()
            asked.set()
            print("\nending the cell that is under way; once more stops at once", file=sys.stderr, flush=True)
        elif not _last.again(number):
            raise KeyboardInterrupt

    with _handled(note):
        yield asked.is_set


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals within the context. Nothing changes outside of the main thread, where signals cannot
    be had; and a SIGHUP or SIGTERM that is ignored stays so, since that is what `nohup` is for."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, handler)
        for number in _STOPS
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
