"""`benchsuite gate … --baseline FILE`: cells compared with a stored baseline."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from benchsuite.cli.gate_output import Files, write_formats
from benchsuite.cli.options import width
from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.gate.result import GateResult


def against(
    file: Path,
    names: Sequence[str],
    *,
    accept: Sequence[str] = (),
    pythonpath: Sequence[str] = (),
    noise: Path | None = None,
    missing: str | None = None,
    strict: bool = False,
    out: Path | None = None,
    command: str = "",
    files: Files,
) -> NoReturn:
    """Compare runs, or counts, with a baseline, print what was found, and exit with what that means.

    Args:
        names: run folders for a baseline of a run, each one process; scenarios for one of exact numbers,
            where none means those that the baseline names.
        noise: what `benchsuite noise` wrote: by how much two processes differ on this machine.
        out: folder that the result goes to.
        missing: "fail" or "warn"; None takes the baseline's.
    """
    from benchsuite.gate.result import RESULT, write

    result = judge(
        file, names, accept=accept, pythonpath=pythonpath, noise=noise, missing=missing,
        command=command,
    )  # fmt: skip
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(result, out / RESULT)
    write_formats(result, files)
    _print(result, strict=strict)
    print(_what_to_do(result, file, pythonpath), end="", file=sys.stderr)
    raise typer.Exit(result.strict_exit_code if strict else result.exit_code)


def judge(
    file: Path,
    names: Sequence[str],
    *,
    accept: Sequence[str] = (),
    pythonpath: Sequence[str] = (),
    noise: Path | None = None,
    missing: str | None = None,
    command: str = "",
) -> GateResult:
    """What holding runs, or counts, against a baseline finds.

    Raises:
        UsageError: the baseline, a run or a scenario cannot be used; or they have no cell in common.
    """
    from benchsuite.gate.against_baseline import exact_result, run_result
    from benchsuite.gate.baseline import read
    from benchsuite.gate.counting import count_scenarios
    from benchsuite.gate.exact import parse_accepted
    from benchsuite.gate.noise import read_noise
    from benchsuite.results.store import read_run
    from benchsuite.scenario.gate_settings import MISSING_POLICIES

    if missing is not None and missing not in MISSING_POLICIES:
        raise UsageError(f"--missing {missing}: allowed: {', '.join(MISSING_POLICIES)}")
    baseline = read(file)
    accepted = parse_accepted(accept)
    if baseline.kind == "exact":
        now = count_scenarios(names or baseline.sources, beside=file.parent, pythonpath=pythonpath)
        return exact_result(
            baseline, now, accepted=accepted, missing=missing, command=command, base=str(file)
        )
    if not names:
        raise UsageError(f"{file} is a baseline of a run: name the run folders to compare with it")
    return run_result(
        baseline,
        [read_run(Path(name)) for name in names],
        accepted=accepted,
        noise=read_noise(noise) if noise else None,
        missing=missing,
        command=command,
        base=str(file),
    )


def _print(result: GateResult, *, strict: bool) -> None:
    from benchsuite.gate.formats.terminal import conclusion, rows
    from benchsuite.gate.formats.wording import headline
    from benchsuite.text_table import fitted

    print(f"base       {result.base}")
    print(f"candidate  {result.candidate}")
    print(f"machine    {result.machine}")
    for one in result.differences:
        print(f"{one.level:<9}  {one.label}: {one.old} in the baseline, {one.new} now; {one.why}")
    for note in result.notes:
        print(f"note       {note}")
    shown = [row for row in rows(result) if row["verdict"] != "equal" or row["why"]]
    if shown and not result.refused:
        print()
        print(fitted(shown, width()))
    print()
    print(headline(result))
    if strict and result.strict_exit_code == 5:
        print(conclusion(result, strict=strict))


def _what_to_do(result: GateResult, file: Path, pythonpath: Sequence[str]) -> str:
    """How to accept what changed, by name; empty if there is nothing to accept."""
    from benchsuite.gate.result import COUNTED

    names = [
        f"{cell.id}:{change.metric}"
        for cell in result.of(*COUNTED)
        for change in cell.changes
        if change not in cell.accepted
    ]
    exact = result.rule is None
    search = "".join(f" --pythonpath {shlex.quote(one)}" for one in pythonpath)
    text = ""
    if names:
        text = "If these changes are meant, accept each by name and commit the file:\n"
        verb = f"benchsuite baseline accept {file}" if exact else "benchsuite gate … --accept"
        text += "".join(f"  {verb} {name}{search if exact else ''}\n" for name in names[:10])
        if len(names) > 10:
            text += f"  and {len(names) - 10} more; a metric alone, as `macs`, accepts it in every cell\n"
    if exact and (cells := result.of("missing", "broken", "failed", "no longer counted")):
        text += f"If the {len(cells)} cells that came, went or changed their status are meant:\n"
        text += f"  benchsuite baseline accept {file} --cells{search}\n"
    return text
