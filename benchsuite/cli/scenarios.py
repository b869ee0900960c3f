"""Commands about scenario files: init, check and schema."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import Overrides, Profiles, PythonPath, warn, write
from benchsuite.errors import BAD_INPUT, Problem, UsageError

if TYPE_CHECKING:
    from benchsuite.results.cell import Cell
    from benchsuite.scenario.axes import Sweep
    from benchsuite.scenario.validate import Checked

_PLACEHOLDER = "my_package.my_module:MyAttention"
"""Stands in a scenario that is begun without a class."""
_NUMBER = re.compile(r"\d+")
"""Errors of one module that differ in numbers, as in the sizes of tensors, are one."""
_OF_A_SUBJECT = re.compile(r"(?P<name>.+?) \((?P<target>[^()]+)\): ")
"""Beginning of what a worker says of a subject: its name, and what it stands for."""


def init(
    target: Annotated[
        str | None, typer.Argument(metavar="PACKAGE.MODULE:CLASS", help="Your mixer, or your network.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("scenario.yaml"),
    network: Annotated[
        bool | None,
        typer.Option("--network/--mixer", help="It is a whole network; default: where it takes no dim."),
    ] = None,
    pythonpath: PythonPath = None,
) -> None:
    """Write a commented scenario for a mixer or network of your own, beside known ones."""
    from benchsuite.plugins import require_folders
    from benchsuite.scenario.shorthand import starter
    from benchsuite.zoo.catalogue import own_subject

    if target is not None and ":" not in target:
        raise UsageError(f'{target}: write your own as package.module:Class, such as "my_layers:MyAttention"')
    folders = tuple(pythonpath or ())
    require_folders(folders)
    where = "".join(f" --pythonpath {shlex.quote(folder)}" for folder in folders)
    named = own_subject(target, folders) if target is not None else None
    found = named is not None and named.is_network
    text = starter(
        target or _PLACEHOLDER,
        str(out),
        where,
        network=found if network is None else network,
        sdpa=named is not None and named.runs_on_sdpa,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{out}: is there already; name another with --out") from None
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
    if found and network is None:
        print(f"{target} takes no dim and is taken for a network; if it is a mixer, say --mixer")
    print(f"{out} is written; next: benchsuite check {out}{where}")


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenario files, or shipped names.")],
    profile: Profiles = None,
    set_: Overrides = None,
    build: Annotated[
        bool, typer.Option("--build", help='Also build every cell on "meta" (imports torch).')
    ] = False,
    pythonpath: PythonPath = None,
) -> None:
    """Name every mistake in scenarios, with its line, its column and the nearest right word."""
    from benchsuite.plugins import plugins, require_folders, search_path
    from benchsuite.scenario.load import read, resolve
    from benchsuite.scenario.validate import check as checked
    from benchsuite.zoo.catalogue import known_parameters

    folders = tuple(pythonpath or ())
    require_folders(folders)
    warn(plugins(search_path(folders)).warnings)
    known = known_parameters(folders, own=True)
    problems: list[Problem] = []
    for reference in files:
        path = resolve(reference)
        text = read(path)
        result = checked(text, str(path), known, profiles=profile or (), overrides=set_ or ())
        here = result.problems
        problems.extend(here)
        warn(tuple(str(problem) for problem in result.warnings))
        if not here and not build:
            print(f"{path}: ok")
        elif not here:
            problems += _print_built(path, profile or [], set_ or [], folders, result)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
        raise typer.Exit(BAD_INPUT)


def schema(out: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    import json

    from benchsuite.scenario.schema import json_schema
    from benchsuite.zoo.catalogue import known_parameters

    # Of the zoo only, so that the same benchsuite prints the same schema everywhere.
    text = json.dumps(json_schema(known_parameters(installed=False)), indent=2, ensure_ascii=False)
    write(text + "\n", out)


def _print_built(
    path: Path, profiles: list[str], overrides: list[str], pythonpath: tuple[str, ...], checked: Checked
) -> list[Problem]:
    """Build the cells of a file without mistakes; print how many build, and why others are not measured.

    Returns:
        Arguments that a subject does not take, or else the errors that the scenario does not expect, each
        once for all cells of an entry.

    Raises:
        UsageError: anything else that keeps the scenario from being run.
    """
    from benchsuite.progress import planning
    from benchsuite.runner.prepare import Request, prepare
    from benchsuite.runner.workers import ProcessWorkers
    from benchsuite.scenario.expand import expected
    from benchsuite.scenario.subjects import SCALED

    request = Request(
        reference=str(path), profiles=tuple(profiles), overrides=tuple(overrides), pythonpath=pythonpath
    )
    try:
        with closing(ProcessWorkers(pythonpath)) as workers, planning():
            prepared = prepare(request, workers, every=True)
    except UsageError as error:
        return _placed(str(error).splitlines(), checked, error)
    scenario, cells = prepared.scenario, prepared.cells
    entries = _entries_of(scenario.sweep)
    alike: dict[tuple[int, str, bool], list[tuple[Cell, str]]] = {}
    for cell, plan in zip(cells, prepared.plans, strict=True):
        if plan.failure:
            wrong = plan.status in ("error", "crash", "timeout")
            wrong = wrong and not expected(scenario, cell, plan.status, prepared.environment)
            text = f"{plan.status}: {plan.failure.message}"
            entry = entries.get((cell.name.partition(SCALED)[0], cell.target), -1)
            alike.setdefault((entry, _NUMBER.sub("0", text), wrong), []).append((cell, text))
    unbuilt = sum(map(len, alike.values()))
    good = "" if any(wrong for _, _, wrong in alike) else "ok, "
    print(f"{path}: {good}{len(cells) - unbuilt} of {len(cells)} cells build")
    problems = []
    for (_, _, wrong), those in alike.items():
        names = list(dict.fromkeys(cell.name for cell, _ in those))
        who = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        first, told = those[0]
        text = f"{who}  {told}  ({len(those)} cell{'s' if len(those) > 1 else ''})"
        problem = _problem_of(first.name, first.target, text, checked)
        if wrong:
            problems.append(problem)
        else:
            print(problem)
    return problems


def _placed(lines: list[str], checked: Checked, error: UsageError) -> list[Problem]:
    """Lines that begin with the name and target of a subject, each with the place of its entry.

    Raises:
        UsageError: the error itself, if one of them speaks of something else.
    """
    placed = [(match, line) for line in lines if (match := _OF_A_SUBJECT.match(line))]
    if len(placed) < len(lines):
        raise error
    return [_problem_of(match["name"], match["target"], line, checked) for match, line in placed]


def _problem_of(name: str, target: str, message: str, checked: Checked) -> Problem:
    """A problem at the entry of a subject."""
    from benchsuite.scenario.messages import problem_at
    from benchsuite.scenario.subjects import SCALED

    assert checked.scenario is not None
    assert checked.root is not None
    sweep = checked.scenario.sweep
    label = name.partition(SCALED)[0]
    number = _entries_of(sweep).get((label, target), 0)  # a profile of the device may have brought it
    return problem_at(checked.root.deepest(("sweep", *sweep.place(number), "name"))[0], message)


def _entries_of(sweep: Sweep) -> Mapping[tuple[str, str], int]:
    """Name and target of cells → position of their entry in `Sweep.entries`."""
    from benchsuite.scenario.expand import variants

    return {(one.label, one.target): one.entry for one in variants(sweep)}
