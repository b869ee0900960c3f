"""`benchsuite gate SCENARIO --base REF …` and `benchsuite noise`: what measures, prints and exits."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.gate_output import Files, write_formats
from benchsuite.cli.options import Overrides, Profiles, PythonPath
from benchsuite.errors import INTERRUPTED, UsageError

if TYPE_CHECKING:
    from benchsuite.gate.interleave import Turn
    from benchsuite.gate.noise import Noise
    from benchsuite.gate.request import Request
    from benchsuite.gate.result import GateResult
    from benchsuite.results.record import Cell

_BLIND = 0.10
"""Limit above which a gate sees little of what people do to code by accident."""
_WIDTH = 160
"""Of tables where stdout is no terminal."""


def measure(request: Request, *, noise: Path | None, strict: bool, files: Files) -> None:
    """Measure a gate, say what it found, and exit with what that means."""
    from benchsuite.gate.base_and_candidate import require_revisions
    from benchsuite.gate.measure import measure_gate
    from benchsuite.gate.noise import read_noise, require_fitting
    from benchsuite.gate.request import question
    from benchsuite.gate.result import RESULT
    from benchsuite.results.store import check_free

    check_free(request.out)
    require_revisions(request)
    known = read_noise(noise) if noise else None
    with _nothing_by_halves():
        asked = question(request)
        notes: tuple[str, ...] = ()
        if known is not None and noise is not None:
            pairs = asked.scenario.gate.pairs
            notes = require_fitting(known, noise, asked.environment, asked.cells, pairs)
        for note in (*asked.notes, *notes):
            print(note, file=sys.stderr)
        result = measure_gate(request, asked, _Lines(asked.cells), known.shares if known else {})
    _write(result, request.out)
    write_formats(result, files)
    _print(result, request.out / RESULT, strict=strict)
    raise typer.Exit(result.strict_exit_code if strict else result.exit_code)


def _write(result: GateResult, out: Path) -> None:
    """Write the result, from which `benchsuite gate-report` makes every format."""
    from benchsuite.gate.result import RESULT, write

    out.mkdir(parents=True, exist_ok=True)
    write(result, out / RESULT)


def _print(result: GateResult, file: Path, *, strict: bool) -> None:
    from benchsuite.gate.formats.terminal import conclusion, rows, rule_words, summary
    from benchsuite.text_table import fitted

    print(f"base       {result.base}")
    print(f"candidate  {result.candidate}")
    print(f"machine    {result.machine}")
    if result.rule is not None:
        print(f"limit      {rule_words(result.rule)}")
    for one in result.differences:
        print(f"{one.level:<9}  {one.label}: {one.old} on the base, {one.new} on the candidate; {one.why}")
    for note in result.notes:
        print(f"note       {note}")
    print()
    print(fitted(rows(result), _width()))
    print()
    print(f"{conclusion(result, strict=strict)}: {summary(result)}")
    print(f"result     {file}")
    print(f"again      {result.command}")


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
    from benchsuite.gate.noise import write_noise
    from benchsuite.gate.request import Request, question
    from benchsuite.gate.self_comparison import measure_noise

    if pairs < 3:
        raise UsageError(f"--pairs must be 3 or more, not {pairs}: noise is the spread of several")
    request = Request(
        reference=scenario,
        out=Path(),
        profiles=tuple(profile or ()),
        overrides=tuple(set_ or ()),
        filter=filter,
        device=device,
        pythonpath=tuple(pythonpath or ()),
    )
    with _nothing_by_halves():
        asked = question(request)
        for note in asked.notes:
            print(note, file=sys.stderr)
        found = measure_noise(request, asked, _Lines(asked.cells), pairs)
    file = out or Path(f"noise-{found.scenario}.json")
    write_noise(found, file)
    _print_noise(found, file)


def _print_noise(noise: Noise, file: Path) -> None:
    from benchsuite.gate.formats.terminal import noise_rows
    from benchsuite.text_table import fitted

    print(f"machine    {noise.machine}")
    for name, reason in noise.unmeasured:
        print(f"no time    {name}: {reason}")
    if not noise.cells:
        raise UsageError(f"{noise.scenario}: no cell could be timed, so there is no noise to speak of")
    print()
    print(fitted(noise_rows(noise), _width()))
    print()
    print(
        f"A limit for all cells that their noise stays below: gate: {{delta: {noise.proposed:g}}} (it is "
        f"{noise.floor:g})."
    )
    print(f"A limit for each cell: benchsuite gate {noise.scenario} --noise {file} …")
    if noise.proposed > _BLIND:
        print(
            "So noisy a machine hides most slowdowns: stop what else runs on it, take longer cells, or more "
            f"pairs (--set gate.pairs={2 * noise.pairs})."
        )
    print(f"noise      {file}")


class _Lines:
    """Progress as lines on stderr, so that stdout holds the result alone."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        from benchsuite.labels import cell_names

        self._names = cell_names(cells)
        self._began = 0.0
        self._screened = False

    def begins(self, turn: Turn) -> None:
        import time

        if not self._began:
            more = "" if turn.fresh else ", and more for what they flag"
            cells = "1 cell" if len(self._names) == 1 else f"{len(self._names)} cells"
            pairs = "1 pair" if turn.pairs == 1 else f"{turn.pairs} pairs"
            self._say(f"measuring {cells} in {pairs} of processes{more}")
        self._began = time.monotonic()

    def ends(self, turn: Turn) -> None:
        import time

        stage = "fresh pair" if self._screened else "pair"
        cells = "1 cell" if len(turn.cells) == 1 else f"{len(turn.cells)} cells"
        took = time.monotonic() - self._began
        self._say(f"{stage} {turn.pair}/{turn.pairs}  {turn.side:<9}  {cells}  {took:.1f} s")

    def flagged(self, cells: Sequence[Cell], of: int) -> None:
        self._screened = True
        if not cells:
            self._say("the screen flags no cell")
            return
        names = "; ".join(self._names[cell.id] for cell in cells)
        self._say(f"the screen flags {len(cells)} of {of} cells, which get fresh pairs: {names}")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _nothing_by_halves() -> Iterator[None]:
    """Half a gate is worth nothing, so one that is stopped decides nothing.

    Raises:
        typer.Exit: with 130, if it was stopped.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("stopped: nothing was decided", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def default_folder(scenario: str) -> Path:
    """Where a gate goes that nobody has named a folder for."""
    return Path("runs") / f"gate-{Path(scenario).stem}-{datetime.now():%Y%m%d-%H%M%S}"


def command_line() -> str:
    """The command as it was given, quoted; without its folder, which is taken when it is given again."""
    words = iter(sys.argv[1:])
    kept = ["benchsuite"]
    for word in words:
        if word == "--out":
            next(words, None)
        elif not word.startswith("--out="):
            kept.append(word)
    return shlex.join(kept)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
