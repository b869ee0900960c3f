"""Commands about scenario files: init, check and schema."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from benchsuite.cli.options import Overrides, Profiles, PythonPath, warn, write
from benchsuite.errors import BAD_INPUT, FAILED, Problem, UsageError


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
    known = known_parameters(folders)
    problems: list[Problem] = []
    unbuilt = False
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
            unbuilt |= _print_built(path, profile or [], set_ or [], folders)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
        raise typer.Exit(BAD_INPUT)
    if unbuilt:
        raise typer.Exit(FAILED)


def schema(out: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None) -> None:
    """Print the JSON Schema of scenarios, for editors."""
    import json

    from benchsuite.scenario.schema import json_schema
    from benchsuite.zoo.catalogue import known_parameters

    # Of the zoo only, so that the same benchsuite prints the same schema everywhere.
    text = json.dumps(json_schema(known_parameters(installed=False)), indent=2, ensure_ascii=False)
    write(text + "\n", out)


def _print_built(path: Path, profiles: list[str], overrides: list[str], pythonpath: tuple[str, ...]) -> bool:
    """Build the cells of a file without mistakes and name what is not built, once for each mixer and reason.

    Returns whether any cell ended in an error that the scenario does not expect. Raises UsageError.
    """
    from collections import Counter

    from benchsuite.progress import planning
    from benchsuite.runner.prepare import Request, prepare
    from benchsuite.runner.workers import ProcessWorkers
    from benchsuite.scenario.expand import expected

    request = Request(
        reference=str(path), profiles=tuple(profiles), overrides=tuple(overrides), pythonpath=pythonpath
    )
    with closing(ProcessWorkers(pythonpath)) as workers, planning():
        prepared = prepare(request, workers, every=True)
    unbuilt = [(c, p) for c, p in zip(prepared.cells, prepared.plans, strict=True) if p.failure]
    print(f"{path}: ok, {len(prepared.cells) - len(unbuilt)} of {len(prepared.cells)} cells build")
    reasons = Counter((c.name, p.status, p.failure.message) for c, p in unbuilt if p.failure)
    for (name, status, message), count in reasons.items():
        print(f"  {name}  {status}: {message}  ({count} cell{'s' if count > 1 else ''})")
    bad = ("error", "crash", "timeout")
    return any(
        p.status in bad and not expected(prepared.scenario, c, p.status, prepared.environment)
        for c, p in unbuilt
    )
