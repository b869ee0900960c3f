"""The command gate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.gate_output import Bencher, Comment, Csv, Files, GitHubBenchmark, Html, JUnit, Summary
from benchsuite.cli.options import Overrides, Profiles
from benchsuite.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchsuite.gate.simulate import Rates
    from benchsuite.scenario.gate_settings import Gate

_MANY = 200
"""Cells of a large scenario."""
_WIDTH = 160
"""Of tables where stdout is no terminal."""


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
        str | None, typer.Option(help="With --baseline, cells of one side: fail or warn.")
    ] = None,
    base_python: Annotated[str | None, typer.Option(metavar="P", help="Interpreter of the base.")] = None,
    candidate_python: Annotated[
        str | None, typer.Option(metavar="P", help="Interpreter of the candidate.")
    ] = None,
    setup: Annotated[
        str | None, typer.Option(metavar="CMD", help="Run this in the folder of either side first.")
    ] = None,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Compare commits although files are not committed.")
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
    from benchsuite.cli.gate_baseline import against
    from benchsuite.cli.gate_measured import command_line, default_folder, measure
    from benchsuite.gate.exact import parse_accepted
    from benchsuite.gate.request import Request

    files: Files = {
        "junit": junit,
        "html": html,
        "markdown": markdown,
        "comment": comment,
        "github_benchmark": github_benchmark,
        "bencher": bencher,
        "csv": csv,
    }
    if baseline is not None:
        for option, value in (("--base", base), ("--candidate", candidate), ("--simulate", simulate)):
            if value:
                raise UsageError(f"give --baseline or {option}, not both")
        against(
            baseline, names or (), accept=accept or (), pythonpath=pythonpath or (), noise=noise,
            missing=missing, strict=strict, command=command_line(), out=out, files=files,
        )  # fmt: skip
    if len(names or ()) > 1:
        raise UsageError(f"one scenario at a time, not {len(names or ())}; several go with --baseline FILE")
    if missing is not None:
        raise UsageError("--missing goes with --baseline; else say: --set gate.missing=warn")
    scenario = names[0] if names else None
    if simulate:
        _simulate(scenario, trials)
        return
    if scenario is None:
        raise UsageError("name a scenario (a file, or one that `benchsuite list scenarios` shows)")
    if Path(scenario).is_dir():
        raise UsageError(
            f"{scenario} is a folder: a run is compared with a baseline (--baseline FILE, which `benchsuite "
            "baseline update` writes); what --base and --candidate measure is a scenario"
        )
    if base is None and candidate is None and base_python == candidate_python:
        raise UsageError(
            "gate compares two things: name revisions (--base main --candidate HEAD; WORKTREE for the files "
            "as they are), or interpreters (--base-python P --candidate-python P); or let it say how often "
            "its rule errs (--simulate)"
        )
    if base is None and candidate is not None:
        raise UsageError(f"--candidate {candidate} needs a base to compare with: --base main")
    request = Request(
        reference=scenario,
        out=out or default_folder(scenario),
        base=base,
        candidate=candidate,
        base_python=base_python,
        candidate_python=candidate_python,
        profiles=tuple(profile or ()),
        overrides=tuple(set_ or ()),
        filter=filter,
        device=device,
        pythonpath=tuple(pythonpath or ()),
        setup=setup,
        allow_dirty=allow_dirty,
        accepted=parse_accepted(accept or ()),
        command=command_line(),
    )
    measure(request, noise=noise, strict=strict, files=files)


def _simulate(scenario: str | None, trials: int) -> None:
    """Print how often the rule for regressions cries wolf, and how often it sees one. Measures nothing."""
    from benchsuite.gate.decide import expected_by_chance
    from benchsuite.gate.simulate import table
    from benchsuite.scenario.gate_settings import Gate
    from benchsuite.text_table import fitted

    if trials < 1:
        raise UsageError(f"--trials must be 1 or more, not {trials}")
    rule = _rule(scenario) if scenario else Gate()
    print(_described(rule))
    print()
    print(fitted([_row(rates) for rates in table(rule, trials=trials)], _width()))
    print()
    print(f"{trials} comparisons each; the others have passed the screen, or are called the same.")
    many = expected_by_chance(_MANY, rule.confidence)
    print(f"Of {_MANY} cells exactly at the limit, {many:.2g} would be called slower by chance, on average.")


def _rule(scenario: str) -> Gate:
    from benchsuite.scenario.load import load, resolve
    from benchsuite.zoo.catalogue import known_parameters

    return load(resolve(scenario), known_parameters(())).gate


def _described(rule: Gate) -> str:
    screen = (
        f"only a cell whose median ratio over {rule.screen} pairs of processes is above gets {rule.pairs} "
        "fresh pairs, which decide"
        if rule.screen
        else f"every cell gets {rule.pairs} pairs of processes"
    )
    sure = f"{100 * rule.confidence:g} %"
    return f"slower: the {sure} interval of the ratio lies above {1 + rule.delta:g}; {screen}"


def _row(rates: Sequence[Rates]) -> dict[str, str]:
    """Verdicts of one regime; the first effect is none, so "slower" is a false alarm there."""
    from benchsuite.gate.simulate import at_most

    same = rates[0]
    alarms = same.counts.get("slower", 0)
    bound = _percent(at_most(alarms, same.trials))
    row = {
        "machine": same.regime.name,
        "order": same.order,
        "false alarms": f"{_percent(same.share('slower'))} (at most {bound})",
        "unchanged: inconclusive": _percent(same.share("inconclusive")),
    }
    for one in rates[1:]:
        row[f"{one.effect:+.0%} caught"] = _percent(one.share("slower"))
        row[f"{one.effect:+.0%} inconclusive"] = _percent(one.share("inconclusive"))
    return row


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
