"""`benchsuite time`: a scenario from a shell line, measured as any other, with relative speeds at the end."""

from __future__ import annotations

import math
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import PythonPath
from benchsuite.cli.run import run
from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.stats.evidence import Decision


def time(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...", help="Mixers or networks: hilo, litv2_s, timm:resnet50, package.module:Class."
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
        list[str] | None, typer.Option(metavar="NAME.KEY=VALUE", help="hilo.alpha=0.9; repeatable.")
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
    from benchsuite.backbones import BACKBONES
    from benchsuite.scenario.shorthand import ShellLine, scenario, to_yaml
    from benchsuite.zoo.catalogue import known_parameters

    axes = {"resolution": resolution, "batch": batch, "dim": dim, "num_heads": heads}
    axes |= {"kernel": kernel, "dtype": dtype, "mode": mode}
    line = ShellLine(names, axes, params or (), network)
    text = to_yaml(scenario(line, known_parameters(tuple(pythonpath or ())), BACKBONES))
    if write_scenario is not None:
        _write(text, write_scenario)
    folder = out or Path("runs") / f"time-{datetime.now():%Y%m%d-%H%M%S}"
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "time.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            run(
                scenario=str(write_scenario or file),
                out=folder,
                device=device,
                dry_run=dry_run,
                pythonpath=pythonpath,
                quiet=quiet,
            )
        finally:
            if not dry_run:
                print_relative(folder)


def print_relative(folder: Path) -> None:
    """Say of each setting how many times as fast as the others its fastest is, with the 95 % interval."""
    from benchsuite.findings.relative_speed import relative
    from benchsuite.labels import cell_names, setting_names
    from benchsuite.results.store import RECORDS, read_run

    if not (folder / RECORDS).is_file():
        return
    run = read_run(folder)
    comparisons = relative(run.records, run.environment)
    settings = setting_names([one.fastest for one in comparisons])
    for one in comparisons:
        called = cell_names([one.fastest, *(cell for cell, _ in one.others)])
        if settings[one.fastest.id]:
            print(settings[one.fastest.id])
        for cell, decision in one.others:
            print(f"  {_sentence(called[one.fastest.id], called[cell.id], decision)}")


def _sentence(fastest: str, other: str, decision: Decision) -> str:
    times = f"{decision.ratio:.2f}"
    if not math.isnan(decision.lo):
        times += f" ± {(decision.hi - decision.lo) / 2:.2f}"
    if decision.side == "above":
        return f"{fastest} is {times} times as fast as {other}"
    why = "no significant difference" if decision.side == "same" else f"undecided: {decision.reason}"
    return f"{fastest} and {other}: {why} ({times} times as fast)"


def _write(text: str, file: Path) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror}") from error
