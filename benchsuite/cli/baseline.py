"""Commands `baseline` and `noise`: files that a gate compares with, or takes its limits from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.gate import nothing_by_halves
from benchsuite.cli.options import Overrides, Profiles, PythonPath, print_page, say, warn
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
    from benchsuite.gate.exact_baseline import count_scenarios

    here = out.parent
    sources = [os.path.relpath(one, here) if Path(one).is_file() else one for one in scenarios]
    baseline = count_scenarios(sources, beside=here, pythonpath=pythonpath or ())
    write(baseline, out)
    _wrote(baseline, out)


@app.command()
def update(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, each one process.")],
    out: Annotated[Path, typer.Option(help="Folder of the baselines.")] = Path("baselines"),
) -> None:
    """Keep what runs measured as the baseline of their machine: one file a scenario and machine.

    Three runs or more say how far processes differ there; with fewer a gate can tell large changes only.
    """
    from benchsuite.gate.baseline import file_name, of_machine, write
    from benchsuite.results.store import read_run

    read = [read_run(path) for path in runs]
    warn(tuple(text for run in read for text in run.warnings))
    baseline = of_machine(read)
    file = out / file_name(baseline.name, baseline.machine)
    write(baseline, file)
    _wrote(baseline, file)
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
    from benchsuite.gate.accept import parse_accepted
    from benchsuite.gate.baseline import read, write
    from benchsuite.gate.exact_baseline import count_scenarios, renewed

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
    from benchsuite.gate.formats.console import baseline_page

    print_page(baseline_page(read(file)))


def noise(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    pairs: Annotated[int, typer.Option(help="Pairs of processes; more know the noise better.")] = 9,
    out: Annotated[Path | None, typer.Option(help="File to write; default noise-<scenario>.json.")] = None,
    profile: Profiles = None,
    set_: Overrides = None,
    filter: Annotated[str, typer.Option("--filter", help="Only these cells.")] = "",
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    pythonpath: PythonPath = None,
) -> None:
    """Compare a scenario's code with itself on this machine, and propose limits for its gate.

    The file goes to `benchsuite gate --noise FILE`: no cell is then called slower within its own noise.
    """
    from benchsuite.gate.formats.console import noise_page
    from benchsuite.gate.interleave import GateProgress
    from benchsuite.gate.measure import measure_noise
    from benchsuite.gate.noise import write_noise
    from benchsuite.gate.request import GateRequest, plan

    if pairs < 3:
        raise UsageError(f"--pairs must be 3 or more, not {pairs}: noise is the spread of several")
    request = GateRequest(
        reference=scenario,
        out=Path(),
        profiles=tuple(profile or ()),
        overrides=tuple(set_ or ()),
        filter=filter,
        device=device,
        pythonpath=tuple(pythonpath or ()),
    )
    with nothing_by_halves():
        planned = plan(request)
        for note in planned.notes:
            say(note)
        progress = GateProgress(planned.cells, planned.scenario.gate, say)
        measured = measure_noise(request, planned, progress, pairs)
    file = out or Path(f"noise-{planned.scenario.name}.json")
    write_noise(measured, file)
    page = noise_page(measured, file)
    if not measured.cells:
        print(*page.above, sep="\n")
        raise UsageError(f"{measured.scenario}: no cell could be timed, so there is no noise to speak of")
    print_page(page)


def _wrote(baseline: Baseline, file: Path) -> None:
    print(f"baseline  {file}: {len(baseline.cells)} cells, {file.stat().st_size / 1000:.0f} kB")
