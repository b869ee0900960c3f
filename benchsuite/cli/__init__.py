"""The command line: parse, call one function, print, exit.

Exit codes: 0 fine, 1 regression or mismatch, 2 bad input, 3 cells failed that the scenario did not expect to
fail, 4 not comparable, 5 inconclusive (only where that was asked for).
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from benchsuite.cli import (
    analyse,
    baseline,
    compare,
    doctor,
    extract,
    gate,
    gate_measured,
    gate_output,
    history,
    merge,
    profile,
    publish,
    results,
    run,
    scenarios,
    selftest,
    status,
    zoo,
)
from benchsuite.cli.options import BAD_INPUT, FAILED_CELLS
from benchsuite.errors import BenchsuiteError, UsageError

app = typer.Typer(
    name="benchsuite",
    help="Measure what vision token mixers really cost: MACs, latency, throughput and peak memory.",
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
        from benchsuite import __version__

        print(f"benchsuite {__version__}")
        raise typer.Exit


COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "status": status.status,
    "profile": profile.profile,
    "check": scenarios.check,
    "schema": scenarios.schema,
    "list": zoo.list_,
    "show": zoo.show,
    "count": zoo.count,
    "parity": zoo.parity,
    "merge": merge.merge,
    "export": results.export,
    "report": results.report,
    "extract": extract.extract,
    "claims": results.claims,
    "analyse": analyse.analyse,
    "compare": compare.compare,
    "history": history.history,
    "publish": publish.publish,
    "gate": gate.gate,
    "noise": gate_measured.noise,
    "gate-report": gate_output.gate_report,
    "doctor": doctor.doctor,
    "selftest": selftest.selftest,
}
"""Name → function, in the order in which help shows them."""

for _name, _function in COMMANDS.items():
    app.command(_name)(_function)
app.add_typer(baseline.app, name="baseline")


def main() -> NoReturn:
    """Entry point: every error of ours becomes one message and its exit code, never a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_INPUT)
    except BenchsuiteError as error:
        print(f"benchsuite: {error}", file=sys.stderr)
        sys.exit(FAILED_CELLS)
    except BrokenPipeError:  # the reader of a pipe, head say, has gone
        _silence_stdout()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        print(
            f"benchsuite: {error.filename or 'the output'} cannot be written: {error.strerror}",
            file=sys.stderr,
        )
        _silence_stdout()
        sys.exit(FAILED_CELLS)
    sys.exit(0)


def _silence_stdout() -> None:
    """What is still to be flushed has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
