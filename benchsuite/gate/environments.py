"""A virtual environment for each side of a gate: what `--setup` installs for one the other never sees."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchsuite.gate.interleave import SideName
from benchsuite.gate.layer import make_layer
from benchsuite.gate.processes import GateSide, failed, set_up


@contextlib.contextmanager
def installed(
    sides: Mapping[SideName, GateSide], command: str | None, logs: Path
) -> Iterator[Mapping[SideName, GateSide]]:
    """The sides, each in an environment of its own in which the command has run; as they are without one.

    An environment has all packages of the side's interpreter, and is gone afterwards. The paths of both are
    of one length, since the size of the environment variables may move the stack of a process, and with it
    its times.

    Args:
        command: of `--setup`; runs in the folder of each side, with `python` and `pip` of its environment.
        logs: folder for what it prints.

    Raises:
        SideFailed: an environment cannot be made, or the command failed.
    """
    if command is None:
        yield sides
        return
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchsuite-env-") as home:
        ready = {}
        for letter, (name, side) in zip("ab", sides.items(), strict=True):
            folder = Path(home).resolve() / letter
            try:
                python = make_layer(side.python, folder)
            except subprocess.CalledProcessError as error:
                raise failed(side, "no environment can be made for --setup", error.stderr) from None
            ready[name] = replace(side, python=str(python), env=folder)
            set_up(ready[name], command, logs / f"setup-{name}.log")
        yield ready
