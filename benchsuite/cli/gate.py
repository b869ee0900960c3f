"""Commands `gate` and `gate-report`: cells that a change makes slower or larger."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from benchsuite.cli.options import Overrides, Profiles, print_page, say, write
from benchsuite.errors import INTERRUPTED, NotComparableError, SideFailed, UsageError, require_word

if TYPE_CHECKING:
    from benchsuite.gate.request import GateRequest
    from benchsuite.gate.result import GateResult
    from benchsuite.scenario.gate_settings import MissingPolicy


JUnit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="JUnit XML, a test case a cell.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="An HTML report.")]
Summary = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Markdown for a step summary (< 1 MiB).")
]
Comment = Annotated[
    Path | None, typer.Option("--comment", metavar="FILE", help="Markdown for a pull request: the worst 20.")
]
GitHubBenchmark = Annotated[
    Path | None,
    typer.Option("--github-benchmark", metavar="FILE", help="JSON for github-action-benchmark."),
]
Bencher = Annotated[Path | None, typer.Option("--bencher", metavar="FILE", help="Bencher Metric Format.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="CSV, a row a cell.")]
_Files = Mapping[str, Path | None]
"""Key of `gate.formats.FORMATS` → where it goes."""


def gate(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCENARIO|RUN...", help="A scenario; with --baseline run folders, or scenarios to count."
        ),
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="Revision that the candidate is compared with.")
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(
            metavar="REF", help="Revision to judge; WORKTREE or . for the files as they are.  [HEAD]"
        ),
    ] = None,
    profile: Profiles = None,
    set_: Overrides = None,
    filter: Annotated[
        str, typer.Option("--filter", help='Only these cells: "mixer=hilo,msa resolution<=448".')
    ] = "",
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    pythonpath: Annotated[
        list[str] | None,
        typer.Option(
            "--pythonpath", metavar="DIR", help="Where your modules are in either revision: src; repeatable."
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC", help="A change that is meant: macs, or CELL:macs; repeatable."),
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(help="What `benchsuite noise` wrote here: limits for each cell.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare runs or counts with this, of `benchsuite baseline`."),
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="Cells of one side that fail: removed ones (fail), new ones too (any), none (warn)."
        ),
    ] = None,
    base_python: Annotated[str | None, typer.Option(metavar="P", help="Interpreter of the base.")] = None,
    candidate_python: Annotated[
        str | None, typer.Option(metavar="P", help="Interpreter of the candidate.")
    ] = None,
    setup: Annotated[
        str | None,
        typer.Option(
            metavar="CMD",
            help="Run this for either side, in an environment of its own: pip install --editable .",
        ),
    ] = None,
    submodules: Annotated[
        bool, typer.Option("--submodules", help="Check out the submodules of either side, too.")
    ] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Compare commits although files are not committed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List cells and say how long it takes; measure nothing.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 if a cell is inconclusive.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result and all records; default runs/gate-….")
    ] = None,
    junit: JUnit = None,
    html: Html = None,
    markdown: Summary = None,
    comment: Comment = None,
    github_benchmark: GitHubBenchmark = None,
    bencher: Bencher = None,
    csv: Csv = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Say how often the rule errs on machines of known noise.")
    ] = False,
    trials: Annotated[int, typer.Option(help="Of --simulate: comparisons for each number.")] = 1000,
) -> None:
    """Say which cells a change makes slower or larger, and fail only then.

    Two revisions of the repository here (--base main --candidate HEAD) are both checked out and
    measured in turns, process by process: three pairs of processes look at every cell, and a cell that seems
    slower gets nine fresh ones, which decide. MACs, parameters, operators and bytes are compared exactly.

    With --baseline nothing is measured in turns: run folders are compared with an earlier run on the same
    machine, or scenarios are counted without any timing.
    """
    from benchsuite.gate.accept import parse_accepted
    from benchsuite.gate.request import GateRequest, require_two_sides
    from benchsuite.scenario.gate_settings import MISSING_POLICIES

    require_word("--missing", missing, MISSING_POLICIES)
    policy = cast("MissingPolicy | None", missing)
    files: _Files = {
        "junit": junit,
        "html": html,
        "markdown": markdown,
        "comment": comment,
        "github_benchmark": github_benchmark,
        "bencher": bencher,
        "csv": csv,
    }
    if baseline is not None:
        refused = {
            "--base": base, "--candidate": candidate, "--base-python": base_python,
            "--candidate-python": candidate_python, "--profile": profile, "--set": set_, "--filter": filter,
            "--device": device, "--setup": setup, "--submodules": submodules, "--allow-dirty": allow_dirty,
            "--simulate": simulate, "--dry-run": dry_run,
        }  # fmt: skip
        for option, value in refused.items():
            if value:
                raise UsageError(f"give --baseline or {option}, not both")
        _compare(
            baseline, names or (), accept=accept or (), pythonpath=pythonpath or (), noise=noise,
            missing=policy, strict=strict, out=out, files=files,
        )  # fmt: skip
    if len(names or ()) > 1:
        raise UsageError(f"one scenario at a time, not {len(names or ())}; several go with --baseline FILE")
    scenario = names[0] if names else None
    if simulate:
        _simulate(scenario, trials)
        return
    if scenario is None:
        raise UsageError("name a scenario (a file, or one that `benchsuite list scenarios` shows)")
    request = GateRequest(
        reference=scenario,
        out=out or _default_folder(scenario),
        base=base,
        candidate=candidate,
        base_python=base_python,
        candidate_python=candidate_python,
        profiles=tuple(profile or ()),
        overrides=(*(set_ or ()), *([f"gate.missing={missing}"] if missing else [])),
        filter=filter,
        device=device,
        pythonpath=tuple(pythonpath or ()),
        setup=setup,
        submodules=submodules,
        allow_dirty=allow_dirty,
        accepted=parse_accepted(accept or ()),
        command=_command_line(),
    )
    require_two_sides(request)
    _measure(request, noise=noise, strict=strict, files=files, dry_run=dry_run)


def gate_report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="result.json of a gate, or its folder.")],
    junit: JUnit = None,
    html: Html = None,
    markdown: Summary = None,
    comment: Comment = None,
    github_benchmark: GitHubBenchmark = None,
    bencher: Bencher = None,
    csv: Csv = None,
    link: Annotated[str, typer.Option(help="Address of the job, for the comment.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 5 if a cell is inconclusive.")] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 whatever was found.")] = False,
) -> None:
    """Make the formats of a gate's stored result; without any, print it as Markdown.

    Exits as the gate did, so that a job may measure first and judge later.
    """
    from benchsuite.gate.formats.markdown import to_markdown
    from benchsuite.gate.result import read

    stored = read(result)
    files: _Files = {
        "junit": junit,
        "html": html,
        "markdown": markdown,
        "comment": comment,
        "github_benchmark": github_benchmark,
        "bencher": bencher,
        "csv": csv,
    }
    _write_formats(stored, files, link)
    if not any(files.values()):
        write(to_markdown(stored), None)
    if not exit_zero:
        raise typer.Exit(stored.strict_exit_code if strict else stored.exit_code)


def _compare(
    file: Path,
    names: Sequence[str],
    *,
    accept: Sequence[str],
    pythonpath: Sequence[str],
    noise: Path | None,
    missing: MissingPolicy | None,
    strict: bool,
    out: Path | None,
    files: _Files,
) -> NoReturn:
    """Compare runs, or counts, with a baseline, print what was found, and exit with what that means."""
    from benchsuite.gate.against_baseline import against_baseline
    from benchsuite.gate.formats.console import compared_page
    from benchsuite.gate.result import RESULT
    from benchsuite.gate.result import write as write_result

    result = against_baseline(
        file, names, accept=accept, pythonpath=pythonpath, noise=noise, missing=missing,
        command=_command_line(),
    )  # fmt: skip
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_result(result, out / RESULT)
    _write_formats(result, files)
    print_page(compared_page(result, strict=strict))
    _judge(result, strict=strict)


def _measure(request: GateRequest, *, noise: Path | None, strict: bool, files: _Files, dry_run: bool) -> None:
    """Measure a gate, say what it found, and exit with what that means; or say how long that takes."""
    from benchsuite.gate.checkout import require_revisions
    from benchsuite.gate.forecast import outlook
    from benchsuite.gate.formats.console import measured_page
    from benchsuite.gate.interleave import GateProgress
    from benchsuite.gate.measure import measure_gate, without_cells
    from benchsuite.gate.noise import read_noise, require_fitting
    from benchsuite.gate.request import plan
    from benchsuite.gate.result import RESULT
    from benchsuite.gate.result import write as write_result
    from benchsuite.results.store import check_free

    check_free(request.out)
    require_revisions(request)
    known = read_noise(noise) if noise else None
    with nothing_by_halves():
        planned = plan(request)
        notes: tuple[str, ...] = ()
        if known is not None and noise is not None:
            pairs = planned.scenario.gate.pairs
            notes = require_fitting(known, noise, planned.environment, planned.cells, pairs)
        for note in (*planned.notes, *notes):
            say(note)
        if dry_run:
            print(*outlook(planned.cells, planned.scenario.gate), sep="\n")
            return
        shares = known.shares if known else {}
        progress = GateProgress(planned.cells, planned.scenario.gate, say)
        try:
            result = measure_gate(request, planned, progress, shares)
        except (SideFailed, NotComparableError) as error:
            _write_formats(without_cells(request, planned, error), files)
            raise
    request.out.mkdir(parents=True, exist_ok=True)
    write_result(result, request.out / RESULT)
    _write_formats(result, files)
    print_page(measured_page(result, request.out / RESULT, strict=strict))
    _judge(result, strict=strict)


def _judge(result: GateResult, *, strict: bool) -> NoReturn:
    """Say how what changed is accepted, and exit with what the gate found."""
    from benchsuite.gate.formats.phrases import how_to_accept

    if accept_lines := how_to_accept(result):
        print(accept_lines, file=sys.stderr)
    raise typer.Exit(result.strict_exit_code if strict else result.exit_code)


def _simulate(scenario: str | None, trials: int) -> None:
    """Print how often the rule for regressions cries wolf, and how often it sees one. Measures nothing."""
    from benchsuite.gate.request import rule_of
    from benchsuite.gate.simulate import simulation_page

    if trials < 1:
        raise UsageError(f"--trials must be 1 or more, not {trials}")
    print_page(simulation_page(rule_of(scenario), trials))


@contextlib.contextmanager
def nothing_by_halves() -> Iterator[None]:
    """Half a gate is worth nothing, so one that is stopped decides nothing.

    Raises:
        typer.Exit: with 130, if it was stopped.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("stopped: nothing was decided", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _write_formats(result: GateResult, files: _Files, link: str = "") -> None:
    """Write those that were asked for.

    Args:
        link: address of the whole result, for the comment.

    Raises:
        UsageError: one cannot be written.
    """
    from benchsuite.gate.formats import FORMATS
    from benchsuite.gate.formats.markdown import to_comment

    for name, path in files.items():
        if path is not None:
            write(to_comment(result, link) if name == "comment" else FORMATS[name](result), path)


def _default_folder(scenario: str) -> Path:
    """Where a gate goes that nobody has named a folder for."""
    return Path("runs") / f"gate-{Path(scenario).stem}-{datetime.now():%Y%m%d-%H%M%S}"


def _command_line() -> str:
    """The command as it was given, quoted; without its folder, which is taken when it is given again."""
    words = iter(sys.argv[1:])
    kept = ["benchsuite"]
    for word in words:
        if word == "--out":
            next(words, None)
        elif not word.startswith("--out="):
            kept.append(word)
    return shlex.join(kept)
