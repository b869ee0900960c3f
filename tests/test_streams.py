"""What commands print: a reader that leaves, a full disk and a narrow encoding end nothing halfway."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._called import called
from benchsuite import terminal
from benchsuite.results.record import Failure
from benchsuite.streams import Lasting, beneath, guarded
from benchsuite.summary import print_summary
from benchsuite.text import printable
from tests.builders import make_cell, make_record

EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b2J\r"


class Refusing(io.StringIO):
    """A stream that takes some writes, then none."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.takes = takes

    def write(self, text: str) -> int:
        if self.takes == 0:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        self.takes -= 1
        return super().write(text)


def test_a_stream_whose_reader_has_gone_takes_everything_and_keeps_the_reason() -> None:
    under = Refusing(takes=1)
    stream = Lasting(under)
    assert [stream.write(word) for word in ("one", "two", "three")] == [3, 3, 5]
    stream.flush()
    assert under.getvalue() == "one"
    assert stream.failure is not None
    assert stream.failure.errno == errno.EPIPE


def test_print_escapes_what_a_terminal_would_obey_and_colours_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with guarded():
        print(EVIL)
        print(EVIL + "x" * 10_000, file=sys.stderr)
        beneath(sys.stdout).write("\x1b[1mbold\x1b[0m\n")
    assert sys.stdout is out
    assert out.getvalue() == f"{printable(EVIL)}\n\x1b[1mbold\x1b[0m\n"
    assert "\x1b" not in err.getvalue()
    assert "characters and more left out" in err.getvalue()


def test_no_table_and_no_line_of_progress_holds_a_control_character_of_a_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failure = Failure(stage="time", kind=EVIL, message=EVIL, traceback=EVIL)
    record = make_record(make_cell(name=EVIL), status="error", failure=failure)
    with guarded():
        for display in (terminal.PlainProgress(verbose=True), terminal.LiveProgress(verbose=True)):
            display.begin(total=2, done=0)
            display.cell_begins(record.cell)
            display.workers({EVIL: EVIL})
            display.cell_ends(record, {})
            display.end()
        print_summary([record, make_record()], {})
    shown = capsys.readouterr().out
    assert "owned" in shown
    assert not any(character in shown for character in "\x07\x9b\r")
    assert "\x1b]" not in shown
    assert "\x1b[31mred" not in shown


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of shell in which $B is benchsuite; its exit code is that of benchsuite."""
    return subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "B": f"{sys.executable} -m benchsuite", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("$B list mixers | head -1; exit ${PIPESTATUS[0]}", 0),
        ("$B list mixers >&-", 0),
        ("$B list mixers 2>&- >/dev/null", 0),
        ("$B list mixers <&- >/dev/null", 0),
        ("$B nothing 2>&-", 2),
        ("$B list mixers > /dev/full", 3),
        ("$B schema > /dev/full", 3),
    ],
)
def test_a_command_whose_output_goes_nowhere_ends_as_it_would(command: str, code: int) -> None:
    done = run(command)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert len(done.stderr.splitlines()) <= (code == 3)


def test_json_stays_json_where_only_ascii_can_be_printed() -> None:
    done = run("$B list mixers --format json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads(called("list", "mixers", "--format", "json").out)


@pytest.mark.parametrize("word", ["\x1b[31m", "\udcff"])
def test_words_of_the_command_line_come_back_escaped(word: str, tmp_path: Path) -> None:
    answer = called("report", tmp_path / word)
    assert answer.code == 2
    assert answer.err.splitlines() == [
        f"{tmp_path}/{printable(word)}: no such folder; a run folder holds scenario.json and records.jsonl"
    ]
