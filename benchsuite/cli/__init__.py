"""The command line: parse, call one function, print, exit with one of `errors.EXIT_CODES`."""

from __future__ import annotations

import errno
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, NoReturn, cast

import typer

from benchsuite.cli import (
    across_runs,
    baseline,
    gate,
    health,
    profile,
    results,
    run,
    scenarios,
    time,
    tune,
    zoo,
)
from benchsuite.cli.interrupts import stopped_at_once
from benchsuite.errors import (
    BAD_INPUT,
    EXIT_SENTENCE,
    FAILED,
    FINE,
    INTERNAL,
    INTERRUPTED,
    BenchsuiteError,
    UsageError,
)
from benchsuite.streams import guarded, reader_gone

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRONG_WORDS = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])
"""Root of what typer raises on words that it does not take; the class itself is not in its public names."""

app = typer.Typer(
    name="benchsuite",
    help="Measure what vision token mixers really cost: MACs, latency, throughput and peak memory.",
    epilog=EXIT_SENTENCE,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from benchsuite.version import __version__

        print(f"benchsuite {__version__}")
        raise typer.Exit


COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "time": time.time,
    "init": scenarios.init,
    "status": across_runs.status,
    "profile": profile.profile,
    "check": scenarios.check,
    "schema": scenarios.schema,
    "list": zoo.list_,
    "show": zoo.show,
    "count": zoo.count,
    "parity": zoo.parity,
    "merge": across_runs.merge,
    "export": results.export,
    "report": results.report,
    "figure": results.figure,
    "extract": results.extract,
    "claims": results.claims,
    "analyse": zoo.analyse,
    "compare": across_runs.compare,
    "history": across_runs.history,
    "publish": across_runs.publish,
    "gate": gate.gate,
    "noise": baseline.noise,
    "gate-report": gate.gate_report,
    "doctor": health.doctor,
    "selftest": health.selftest,
    "tune": tune.tune,
}
"""Name → function, in the order in which help shows them."""

for _name, _function in COMMANDS.items():
    app.command(_name, epilog=EXIT_SENTENCE if _name.startswith("gate") else None)(_function)
app.add_typer(baseline.app, name="baseline")


def main() -> NoReturn:
    """Entry point: each end is one of `EXIT_CODES`, and every error of ours one message."""
    with guarded() as out, stopped_at_once():
        logging.basicConfig(level=logging.WARNING, format="%(message)s")
        try:
            code = int(app(standalone_mode=False) or FINE)
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  each has its exit code
            code = _code_of(error)
        out.flush()
        if out.failure is not None and not reader_gone(out.failure):
            code = code or _of_system(out.failure)
    sys.exit(code)


def _code_of(error: BaseException) -> int:
    """The exit code of what a command raised, which is said on stderr."""
    if isinstance(error, _WRONG_WORDS):
        error.show()
        return BAD_INPUT
    if isinstance(error, BenchsuiteError):
        print(error if isinstance(error, UsageError) else f"benchsuite: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    return _of_system(error) if isinstance(error, OSError) else _broken()


def _of_system(error: OSError) -> int:
    """The code of what the system refused: a full disk, a file that is none; said in one line."""
    if reader_gone(error):
        return FINE
    full = error.errno in _FULL
    if error.filename is None and not full:
        return _broken()
    what = "cannot be written" if full else "cannot be used"
    print(f"benchsuite: {error.filename or 'the output'} {what}: {error.strerror}", file=sys.stderr)
    return FAILED if full else BAD_INPUT


def _broken() -> int:
    """Say that the fault is ours, with what a report of it needs."""
    traceback.print_exc()
    print("benchsuite: an internal error; the lines above say where. Please report it", file=sys.stderr)
    return INTERNAL
