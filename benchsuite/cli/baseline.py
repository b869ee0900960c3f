"""`benchsuite baseline`: write, show and renew what a gate holds later runs against."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import PythonPath, warn, width
from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.gate.baseline import Baseline

app = typer.Typer(
    help="Write, show and renew baselines for `benchsuite gate --baseline`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def exact(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Files, or shipped ones.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("baselines/exact.json"),
    pythonpath: PythonPath = None,
) -> None:
    """Count MACs, parameters and operators of every cell on "meta", and keep them. Times nothing.

    Paths of scenarios are kept as seen from the file's folder.
    """
    import os

    from benchsuite.gate.baseline import write
    from benchsuite.gate.counting import count_scenarios

    here = out.parent
    sources = [os.path.relpath(one, here) if Path(one).is_file() else one for one in scenarios]
    found = count_scenarios(sources, beside=here, pythonpath=pythonpath or ())
    write(found, out)
    _wrote(found, out)


@app.command()
def update(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, each one process.")],
    out: Annotated[Path, typer.Option(help="Folder of the baselines.")] = Path("baselines"),
) -> None:
    """Keep what runs measured as the baseline of their machine: one file a scenario and machine.

    Three runs or more say how far processes differ there; with fewer a gate can tell large changes only.
    """
    from benchsuite.findings.fingerprint import over_sessions
    from benchsuite.gate.against_baseline import self_test_noise
    from benchsuite.gate.baseline import machine_digest, of_runs, write
    from benchsuite.results.store import read_run

    read = [read_run(path) for path in runs]
    warn(tuple(text for run in read for text in run.warnings))
    names = dict.fromkeys(str(run.scenario.get("name", run.path.name)) for run in read)
    if len(names) > 1:
        raise UsageError(f"these runs are of several scenarios: {', '.join(names)}; give runs of one")
    machines = [machine for run in read for machine in run.environments.values()]
    for one in over_sessions(machines[:1], machines[1:]):
        if one.level == "refuse":
            raise UsageError(
                f"these runs are of several machines, and a baseline is of one: {one.label} is {one.old} and "
                f"{one.new}"
            )
    told = [noise for machine in machines if (noise := self_test_noise(machine)) is not None]
    found = of_runs(read, max(told, default=None))
    if not found.cells:
        raise UsageError(f"{runs[0]}: has no records, so there is nothing to keep")
    file = out / f"{next(iter(names))}-{machine_digest(found.machine)}.json"
    write(found, file)
    _wrote(found, file)
    if len(read) < 3:
        print("with fewer than three runs nobody knows how far processes differ here", file=sys.stderr)


@app.command()
def accept(
    file: Annotated[Path, typer.Argument(help="A baseline of exact numbers.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CELL:]METRIC...", help="What is meant: HiLo:macs, or macs."),
    ] = None,
    cells: Annotated[
        bool, typer.Option("--cells", help="Also cells that came, went, or changed their status.")
    ] = False,
    pythonpath: PythonPath = None,
) -> None:
    """Count anew, and take over those changes that are named."""
    from benchsuite.gate.baseline import read, write
    from benchsuite.gate.counting import count_scenarios
    from benchsuite.gate.exact import parse_accepted, renewed

    old = read(file)
    if old.kind != "exact":
        raise UsageError(
            f"{file} is a baseline of a run: write it anew with `benchsuite baseline update RUN`"
        )
    if not changes and not cells:
        raise UsageError("name what is meant, as CELL:METRIC or METRIC (HiLo:macs), or give --cells")
    accepted = parse_accepted(changes or ())
    new = count_scenarios(old.sources, beside=file.parent, pythonpath=pythonpath or ())
    after, taken, idle = renewed(old, new, accepted, cells=cells)
    if idle:
        raise UsageError(f"{', '.join(map(str, idle))}: nothing of it changed; {file} is as it was")
    write(after, file)
    for line in taken:
        print(f"accepted  {line}")
    print(f"baseline  {file}")


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A baseline.")]) -> None:
    """Show what a baseline holds."""
    from benchsuite.gate.baseline import read
    from benchsuite.gate.formats.baseline import head, rows
    from benchsuite.text_table import fitted

    found = read(file)
    for line in head(found):
        print(line)
    print()
    print(fitted(rows(found), width()))


def _wrote(baseline: Baseline, file: Path) -> None:
    print(f"baseline  {file}: {len(baseline.cells)} cells, {file.stat().st_size / 1000:.0f} kB")
