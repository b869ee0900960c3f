"""`benchsuite selftest`: prove the instrument on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.errors import INTERRUPTED, MISMATCH, UsageError

if TYPE_CHECKING:
    from benchsuite.health.selftest import Selftest

FILE = "selftest.json"
_WORDS = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "–"}
_WIDTH = 160
"""Of the table where stdout is no terminal."""


def selftest(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="Less of everything; the result is not kept for the machine.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help=f"Also write {FILE} into this folder.")
    ] = None,
) -> None:
    """Prove the instrument on this machine, in some three minutes: the same cell against itself, things of
    known cost, and other people's clocks. Says what a difference must exceed here to mean something.

    Warnings are about the machine. A FAIL is about the instrument, and makes the exit code 1.
    """
    from benchsuite.health.selftest import FULL, QUICK
    from benchsuite.health.selftest import selftest as test
    from benchsuite.runner.workers import ProcessExecutor

    if out is not None:
        _require_folder(out)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler of torch logs each start and stop
    try:
        done = test(device, QUICK if quick else FULL, ProcessExecutor, _say, ("benchsuite", *sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    _print_table(done)
    _keep(done, out)
    _print_sum(done)
    if not done.passed:
        raise typer.Exit(MISMATCH)


def _say(words: str) -> None:
    print(f"{words} …", file=sys.stderr, flush=True)


def _require_folder(out: Path) -> None:
    """Refuse a folder that cannot be written to, before any time is spent."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be made: {error.strerror}") from error


def _print_table(done: Selftest) -> None:
    import shutil

    from benchsuite.text_table import fitted

    rows = [
        {
            "": _WORDS[one.level],
            "check": one.name,
            "found": one.value,
            "limit": one.limit,
            "means": one.means,
        }
        for one in done.verdicts
    ]
    print(fitted(rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH))
    print()


def _keep(done: Selftest, out: Path | None) -> None:
    import json

    from benchsuite.cli.options import write
    from benchsuite.measurement.machine_cache import keep_selftest, selftest_file

    if not done.quick:
        keep_selftest(done.document)
        print(f"kept in {selftest_file(done.fingerprint)}")
    if out is not None:
        write(json.dumps(done.document, indent=2, ensure_ascii=False) + "\n", out / FILE)
        print(f"written to {out / FILE}")


def _print_sum(done: Selftest) -> None:
    from benchsuite.health.verdict import share

    failed = sum(one.level == "fail" for one in done.verdicts)
    warned = sum(one.level == "warn" for one in done.verdicts)
    sound = "the instrument is sound" if done.passed else f"{failed} FAILED: do not trust numbers from here"
    warnings = f", {warned} warning{'s' if warned > 1 else ''} about the machine" if warned else ""
    if done.noise is not None:
        print(
            f"noise: {share(done.noise.ratio)} of a ratio within a run; "
            f"drift: {share(done.noise.drift)} of a latency from run to run"
        )
    print(f"{done.device}: {sound}{warnings}, {done.seconds:.0f} s")
