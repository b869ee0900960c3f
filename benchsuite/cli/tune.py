"""`benchsuite tune`: measure which kernel of a mixer is the fastest here, for the kernel "auto"."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchsuite.cli.options import say
from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from benchsuite.results.record import Record


def tune(
    mixers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MIXER...", help="Mixers; all that have the kernel compiled if none is named."
        ),
    ] = None,
    grid: Annotated[str, typer.Option(help="Token grids, a side or HEIGHTxWIDTH: 14,28x42.")] = "14,28",
    dtype: Annotated[str, typer.Option(help="Number formats: fp32,bf16.")] = "fp32",
    mode: Annotated[str, typer.Option(help="inference,forward_backward.")] = "inference",
    batch: Annotated[int, typer.Option(help="Images per step.")] = 1,
    dim: Annotated[int, typer.Option(help="Channels of a token.")] = 384,
    rounds: Annotated[int, typer.Option(help="Fresh processes that each kernel is measured in.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add to this table, not to this machine's own.")
    ] = None,
) -> None:
    """Measure the kernels of mixers, and keep the fastest as what "kernel: auto" stands for on this machine.

    Scenarios take the rows when they are loaded; runs that have begun keep theirs.
    """
    from benchsuite.health.tune import TuneRequest
    from benchsuite.health.tune import tune as measured
    from benchsuite.scenario.kernel_table import add, own_file
    from benchsuite.terminal import print_rows
    from benchsuite.zoo.catalogue import mixer_entries

    environment: dict[str, Any] = {}

    def measure(document: Mapping[str, Any]) -> Sequence[Record]:
        from benchsuite.api.runs import run

        say(
            f"measuring {', '.join(document['sweep']['mixer'])} on {', '.join(document['sweep']['kernel'])} …"
        )
        with tempfile.TemporaryDirectory(prefix="benchsuite-tune-") as folder:
            done = run(document, device=device, out=Path(folder) / "run", progress=False)
        environment.update(done.run.environment)
        for record in done.records:
            if record.failure is not None and record.status != "skipped":
                say(f"{record.cell.target} {record.cell.kernel}: {record.status}: {record.failure.message}")
        return done.records

    names = mixers or [one.name for one in mixer_entries() if "compiled" in one.kernels]
    rows = measured(
        TuneRequest(
            mixers=tuple(names),
            grids=tuple(_grid(word) for word in grid.split(",")),
            dtypes=tuple(dtype.split(",")),
            modes=tuple(mode.split(",")),
            batch=batch,
            dim=dim,
            rounds=rounds,
        ),
        measure,
    )
    add(file := out or own_file(), rows, _about(environment))
    print_rows([{**one, "grid": "×".join(map(str, one["grid"]))} for one in (asdict(row) for row in rows)])
    print(f"kept in {file}")


def _grid(word: str) -> tuple[int, int]:
    sides = word.strip().split("x")
    if len(sides) > 2 or not all(side.isdigit() and int(side) for side in sides):
        raise UsageError(f"--grid {word}: write a side or HEIGHTxWIDTH, in tokens: 14 or 28x42")
    return int(sides[0]), int(sides[-1])


def _about(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Machine, date, versions and command of a measurement."""
    cpu, gpu = environment["cpu"], environment["gpu"] or {}
    return {
        "machine": gpu.get("name") or f"{cpu['model']}, {cpu['threads']} threads",
        "date": environment["started_at"][:10],
        "versions": {name: found for name, found in environment["packages"].items() if found},
        "command": " ".join(["benchsuite", *sys.argv[1:]]),
    }
