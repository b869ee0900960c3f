"""`benchsuite status`: how far runs are, from another terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import warn
from benchsuite.errors import UsageError, nearest

if TYPE_CHECKING:
    from benchsuite.runner.status import RunStatus

FORMATS = ("text", "json")


def status(
    path: Annotated[
        Path, typer.Argument(metavar="DIR", help="A run folder, or a folder of runs such as shards.")
    ],
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Say how far a run is: cells done, failed and missing, rate, time left, and who writes.

    Reads only; the run goes on undisturbed. The runs of a folder of shards are added up.
    """
    from benchsuite.runner.status import absent_shards, run_folders, summed
    from benchsuite.runner.status import status as status_of

    if format not in FORMATS:
        near = nearest(format, FORMATS)
        hint = f'; did you mean "{near}"?' if near else ""
        raise UsageError(f"--format: unknown format {format!r}{hint}\n  allowed: {', '.join(FORMATS)}")
    folders = run_folders(path)
    found = [status_of(folder) for folder in folders]
    whole = summed(found, path) if folders != [path] else None
    absent = absent_shards(found) if whole else []
    warn(tuple(text for one in found for text in one.warnings))
    if format == "json":
        facts = {"runs": [_facts(one) for one in found], "absent_shards": absent}
        print(json.dumps(facts | ({"sum": _facts(whole)} if whole else {}), indent=2, ensure_ascii=False))
        return
    for one in found:
        resume = f"; go on with: benchsuite run --resume {one.path}" if one.missing else ""
        print("\n".join(_lines(one, resume)))
    if whole:
        print("\n".join(_lines(whole)))
    if absent:
        print(f"no folder here for: shard {', '.join(absent)}")


def _facts(one: RunStatus) -> dict[str, object]:
    return asdict(one) | {"path": str(one.path), "missing": one.missing, "left_s": one.left_s}


def _lines(one: RunStatus, resume: str = "") -> list[str]:
    """A run in a few lines; `resume` is said where nobody writes to it."""
    from benchsuite.format import duration

    shard = f"  shard {one.shard}" if one.shard else ""
    of = f" of {one.total}" if one.total is not None else ""
    counts = [f"{one.done}{of} cells done"]
    if one.failures:
        words = ", ".join(f"{count} {word}" for word, count in sorted(one.failures.items()))
        counts.append(f"{one.failed} failed ({words})")
    if one.excluded:
        counts.append(f"{one.excluded} excluded")
    if one.missing is not None:
        counts.append(f"{one.missing} missing" if one.missing else "none missing")
    lines = [f"{one.path}  {one.name}{shard}", f"  {', '.join(counts)}"]
    pace = [] if one.per_minute is None else [f"{one.per_minute:.3g} cells/min"]
    if one.left_s is not None and one.missing:
        pace.append(f"about {duration(one.left_s)} left")
    writer = f"written by {one.writer}" if one.writer else f"nobody writes{resume}"
    lines.append(f"  {', '.join([*pace, writer])}")
    lines += [f"  {worker}  {doing}" for worker, doing in one.workers.items()]
    return lines
