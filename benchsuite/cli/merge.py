"""`benchsuite merge`: shards and partial runs as one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import Runs, warn
from benchsuite.errors import UsageError, nearest


def merge(
    runs: Runs,
    out: Annotated[Path, typer.Option(help="New folder for the merged run.")],
    on_conflict: Annotated[
        str,
        typer.Option(
            help="What counts where runs differ in a cell: refuse (default), first, last, newest, ok."
        ),
    ] = "refuse",
    complete: Annotated[
        bool, typer.Option("--complete", help="Refuse if cells of the scenario are missing.")
    ] = False,
    mixed_versions: Annotated[
        bool, typer.Option("--mixed-versions", help="Join runs of different versions of benchsuite.")
    ] = False,
) -> None:
    """Join shards and partial runs of one scenario into one run, which report, resume and export take.

    Every record keeps the machine that it was measured on. Cells that no run has are named; with --complete
    they are refused.
    """
    from benchsuite.results.join import CHOICES
    from benchsuite.runner.merge import merge as merge_runs

    if on_conflict not in CHOICES:
        near = nearest(on_conflict, CHOICES)
        hint = f'; did you mean "{near}"?' if near else ""
        meaning = "\n".join(f"    {word:8}{what}" for word, what in CHOICES.items())
        raise UsageError(f'--on-conflict: unknown choice "{on_conflict}"{hint}\n  allowed:\n{meaning}')
    merged = merge_runs(runs, out, on_conflict=on_conflict, complete=complete, mixed_versions=mixed_versions)
    warn(merged.notes)
    twice = f", {merged.twice} of them in more than one run with the same result" if merged.twice else ""
    sessions = f"{merged.machines} session{'' if merged.machines == 1 else 's'}"
    print(
        f"records  {merged.records} of {sessions} from {len(runs)} run{'' if len(runs) == 1 else 's'}{twice}"
    )
    if merged.missing:
        print(f"missing  {len(merged.missing)}; measure them with: benchsuite run --resume {out}")
    print(f"merged   {out}")
