"""`benchsuite init`: write a first scenario for one's own mixer or network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchsuite.errors import UsageError


def init(
    target: Annotated[
        str, typer.Argument(metavar="PACKAGE.MODULE:CLASS", help="Your mixer, or your network.")
    ] = "my_package.my_module:MyAttention",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("scenario.yaml"),
    network: Annotated[bool, typer.Option("--network", help="It is a whole network.")] = False,
) -> None:
    """Write a commented scenario for a mixer or network of your own, beside known ones."""
    from benchsuite.scenario.shorthand import starter

    if ":" not in target:
        raise UsageError(f'{target}: write your own as package.module:Class, such as "my_layers:MyAttention"')
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(starter(target, str(out), network=network))
    except FileExistsError:
        raise UsageError(f"{out}: is there already; name another with --out") from None
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
    print(f"{out} is written; next: benchsuite check {out}")
