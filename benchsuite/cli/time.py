"""`benchsuite time`: a scenario from a shell line, measured as any other, with relative speeds at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import PythonPath, write
from benchsuite.cli.run import measure
from benchsuite.errors import ScenarioError, UsageError


def time(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Mixers or networks: hilo, litv2_s, timm:NAME, torchvision:NAME, package.module:Class.",
        ),
    ],
    resolution: Annotated[str, typer.Option(help="Image sides in pixels: 224,448.")] = "224",
    batch: Annotated[str, typer.Option(help="Images per step: 1,8.")] = "1",
    dim: Annotated[str, typer.Option(help="Channels of a token; of mixers only.")] = "",
    heads: Annotated[str, typer.Option(help="Attention heads; of mixers only.")] = "",
    kernel: Annotated[str, typer.Option(help="Attention kernels: math,sdpa.")] = "",
    dtype: Annotated[str, typer.Option(help="Number formats: fp32,bf16.")] = "",
    mode: Annotated[str, typer.Option(help="inference, forward_backward or training_step.")] = "",
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    params: Annotated[
        list[str] | None, typer.Option(metavar="NAME.KEY=VALUE", help="hilo.alpha=0.5,0.9; repeatable.")
    ] = None,
    network: Annotated[bool, typer.Option("--network", help="Own classes are whole networks.")] = False,
    write_scenario: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the scenario as YAML too; it runs the same cells."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/time-<time>.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List cells, time and memory; measure nothing.")
    ] = False,
    pythonpath: PythonPath = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the relative speeds.")] = False,
) -> None:
    """Measure mixers or networks side by side without a scenario file.

    It leaves a run folder and a report as `benchsuite run` does, with the same evidence.
    """
    from benchsuite.api.runs import completed, new_folder
    from benchsuite.backbones import BACKBONES
    from benchsuite.plugins import require_folders
    from benchsuite.runner.prepare import Request
    from benchsuite.scenario.shorthand import ShellLine, option, scenario, to_yaml
    from benchsuite.zoo.catalogue import known_parameters

    axes = {"resolution": resolution, "batch": batch, "dim": dim, "num_heads": heads}
    axes |= {"kernel": kernel, "dtype": dtype, "mode": mode}
    line = ShellLine(names, axes, params or (), network)
    folders = tuple(pythonpath or ())
    require_folders(folders)
    known = known_parameters(folders, own=True)
    document = scenario(line, known, BACKBONES)
    for name in names:
        if (why := known.absent(name)) is not None:
            raise UsageError(why)
    if write_scenario is not None:
        write(to_yaml(document), write_scenario)
    request = completed(
        Request(
            reference=str(write_scenario) if write_scenario else document,
            device=device,
            pythonpath=folders,
            command=("benchsuite", *sys.argv[1:]),
        ),
        out=None if dry_run else out,
    )
    folder = out or new_folder("time")
    try:
        measure(request, folder, dry_run=dry_run, quiet=quiet)
    except ScenarioError as error:
        raise error.told_as(lambda path: option(path, document)) from None
    finally:
        if not dry_run:
            print_relative(folder)


def print_relative(folder: Path) -> None:
    """Say of each setting how many times as fast as the others its fastest is, with the 95 % interval."""
    from benchsuite.findings.relative_speed import in_words, relative
    from benchsuite.results.store import RECORDS, read_run

    if not (folder / RECORDS).is_file():
        return
    run = read_run(folder)
    for line in in_words(relative(run.records, run.environment)):
        print(line)
