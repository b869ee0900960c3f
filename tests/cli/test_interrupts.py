"""What signals mean to a command: the first asks or ends, an echo of it means nothing, the next one ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from benchsuite.cli import interrupts
from benchsuite.cli.interrupts import asked_to_stop, stopped_at_once

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
TERM, HUP, INT = "SIGTERM", "SIGHUP", "SIGINT"


def send(name: str) -> None:
    signal.raise_signal(signal.Signals[name])


class Clock:
    now = 1000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A clock that stands still unless it is moved."""
    moment = Clock()
    monkeypatch.setattr(interrupts, "time", SimpleNamespace(monotonic=lambda: moment.now))
    monkeypatch.setattr(interrupts, "_last", interrupts._Request())
    before = {name: signal.getsignal(signal.Signals[name]) for name in (TERM, HUP, INT)}
    yield moment
    assert before == {name: signal.getsignal(signal.Signals[name]) for name in (TERM, HUP, INT)}


@pytest.mark.parametrize("name", [TERM, HUP, INT])
def test_the_first_signal_only_asks_and_a_later_one_ends(clock: Clock, name: str) -> None:
    with asked_to_stop() as stopping:
        assert not stopping()
        send(name)
        assert stopping()
        clock.now += 2.5
        with pytest.raises(KeyboardInterrupt):
            send(name)


@pytest.mark.parametrize("name", [TERM, HUP])
def test_what_timeout_sends_twice_is_one_request_until_the_report_is_written(clock: Clock, name: str) -> None:
    with stopped_at_once():
        with asked_to_stop() as stopping:
            send(TERM)
            clock.now += 1.5
            send(name)
            assert stopping()
        send(name)  # the report is being made
        clock.now += 1.0
        with pytest.raises(KeyboardInterrupt):
            send(name)


def test_ctrl_c_twice_is_meant_however_quickly_it_comes() -> None:
    with asked_to_stop():
        send(TERM)
        with pytest.raises(KeyboardInterrupt):
            send(INT)


@pytest.mark.parametrize("name", [TERM, HUP, INT])
def test_what_was_stopped_is_taken_away_in_peace(name: str) -> None:
    with stopped_at_once():
        with pytest.raises(KeyboardInterrupt):
            send(name)
        for again in (TERM, HUP, INT):
            send(again)


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_at_once(), asked_to_stop() as stopping:
            send(HUP)
            assert not stopping()
    finally:
        signal.signal(signal.SIGHUP, before)
