"""Commands across run folders: status, merge, compare, history and publish."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchsuite.cli.options import Runs, missing_words, print_sections, warn, wrapped, write
from benchsuite.errors import BenchsuiteError, UsageError, did_you_mean, require_word
from benchsuite.text import in_markdown

if TYPE_CHECKING:
    from benchsuite.findings.history import Series
    from benchsuite.results.store import Run
    from benchsuite.runner.status import RunStatus

STATUS_FORMATS = ("text", "json")
COMPARE_FORMATS = ("text", "markdown", "json")
HISTORY_FORMATS = ("text", "json", "csv", "otava")


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

    require_word("--format", format, STATUS_FORMATS)
    folders = run_folders(path)
    statuses = [status_of(folder) for folder in folders]
    whole = summed(statuses, path) if folders != [path] else None
    absent = absent_shards(statuses) if whole else []
    warn(tuple(text for one in statuses for text in one.warnings))
    if format == "json":
        facts = {"runs": [_status_facts(one) for one in statuses], "absent_shards": absent}
        print(
            json.dumps(facts | ({"sum": _status_facts(whole)} if whole else {}), indent=2, ensure_ascii=False)
        )
        return
    for one in statuses:
        resume = f"; go on with: {one.go_on}" if one.missing else ""
        print("\n".join(_status_lines(one, resume)))
    if whole:
        print("\n".join(_status_lines(whole)))
    if absent:
        print(f"no folder here for: shard {', '.join(absent)}")


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

    Every record keeps the machine that it was measured on; where several have measured the same cells, these
    are told apart by its name. Cells that no run has are named; with --complete they are refused.
    """
    from benchsuite.format import counted
    from benchsuite.results.join import CHOICES
    from benchsuite.runner.merge import merge as merge_runs

    if on_conflict not in CHOICES:
        hint = did_you_mean(on_conflict, CHOICES)
        meaning = "\n".join(f"    {word:8}{what}" for word, what in CHOICES.items())
        raise UsageError(f'--on-conflict: unknown choice "{on_conflict}"{hint}\n  allowed:\n{meaning}')
    merged = merge_runs(runs, out, on_conflict=on_conflict, complete=complete, mixed_versions=mixed_versions)
    warn(merged.notes)
    twice = f"; {merged.twice} of them in more than one run with the same result" if merged.twice else ""
    print(f"records  {merged.records} from {counted(len(runs), 'run')}{twice}")
    if merged.machines:
        print(f"machines {'; '.join(merged.machines)}: every cell is named by its machine")
    if merged.missing:
        print(f"missing  {len(merged.missing)}; measure them with: {merged.go_on}")
    print(f"merged   {out}")
    print(f"report   benchsuite report {out} makes it")


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="A B...", help="Run folders; the others are compared with A.")
    ],
    format: Annotated[str, typer.Option(help="text, markdown or json.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Also write an HTML report here.")] = None,
) -> None:
    """Compare runs: whether they are comparable, times with confidence intervals, exact numbers.

    Each run is compared with the first. Across machines look at each mixer's speed relative to a reference
    mixer of the same run. Runs that were not taken in turns are no evidence of code, so the exit code is 0
    whatever is found; 4 where a cell was timed with other threads or another allocator.
    """
    from benchsuite.api.run_comparison import compare as compared

    require_word("--format", format, COMPARE_FORMATS)
    found = compared(*runs)
    page = found.page
    if format == "json":
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        text = format == "text"
        if not text:
            print(f"# {in_markdown(page.title)}\n")
        # The summary holds paths, which are not to be torn.
        answer = " ".join(filter(None, (*page.headlines, page.answer)))
        plain = [wrapped(answer), page.summary, wrapped(page.caveat)]
        texts = plain if text else map(in_markdown, (answer, page.summary, page.caveat))
        print(*texts, sep="\n\n", end="\n\n")
        print_sections(page.sections, plain=text)
    if out is not None:
        print(f"report   {found.report(out)}", file=sys.stderr)


def history(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with run folders below it.")],
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take the runs of this scenario only.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, json, csv or otava.")] = "text",
    out: Annotated[
        Path | None, typer.Option(help="Write here instead of stdout; for otava, a folder.")
    ] = None,
) -> None:
    """Follow each cell over many runs: steps with the revisions between which they came, and drift.

    Verdicts are findings: the exit code is 0 whatever is found.
    """
    from benchsuite.findings.history_files import to_csv, to_otava
    from benchsuite.report.history_page import plain

    require_word("--format", format, HISTORY_FORMATS)
    series = _series(folder, scenario)
    if format == "otava":
        _write_otava(to_otava(series), out)
    elif format == "json":
        write(json.dumps(plain(series), indent=2, ensure_ascii=False) + "\n", out)
    elif format == "csv":
        write(to_csv(series), out)
    else:
        _write_text(series, out)


def publish(
    site: Annotated[Path, typer.Option("--site", metavar="DIR", help="The folder of the site.")],
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN...", help="Run folders.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Take this run out of the site; repeatable.")
    ] = None,
) -> None:
    """Build a static site of many runs: index, reports, a page a mixer, machines side by side, history.

    The site holds the data of its runs, so that later calls add to it, and a call without runs builds it
    again. Records and environments are published with it: machine names, paths and GPU numbers included.
    """
    from benchsuite.format import counted
    from benchsuite.results.store import read_run
    from benchsuite.site.publish import publish as build

    warn(tuple(text for path in runs or () for text in read_run(path).warnings))
    names = build(runs or (), site, remove or ())
    print(f"site     {site / 'index.html'} ({counted(len(names), 'run')})")


def _status_facts(one: RunStatus) -> dict[str, object]:
    return asdict(one) | {"path": str(one.path), "total": one.total, "left_s": one.left_s}


def _status_lines(one: RunStatus, resume: str = "") -> list[str]:
    """A run in a few lines; `resume` is said where nobody writes to it."""
    from benchsuite.format import counted, duration

    shard = f"  shard {one.shard}" if one.shard else ""
    cells = f"{one.done} cells" if one.total is None else f"{one.done} of {counted(one.total, 'cell')}"
    counts = [f"{cells} done"]
    if one.failures:
        words = ", ".join(f"{count} {word}" for word, count in sorted(one.failures.items()))
        counts.append(f"{one.failed} failed ({words})")
    if one.excluded:
        counts.append(f"{one.excluded} excluded")
    if one.missing is not None:
        counts.append(missing_words(one.missing, one.partial))
    lines = [f"{one.path}  {one.name}{shard}", f"  {', '.join(counts)}"]
    pace = [] if one.per_minute is None else [f"{one.per_minute:.3g} cells/min"]
    if one.left_s is not None and one.missing:
        pace.append(f"about {duration(one.left_s)} left")
    writer = f"written by {one.writer}" if one.writer else f"nobody writes{resume}"
    lines.append(f"  {', '.join([*pace, writer])}")
    lines += [f"  {worker}  {doing}" for worker, doing in one.workers.items()]
    return lines


def _series(folder: Path, scenario: str | None = None) -> list[Series]:
    """The series of all runs below a folder; what cannot be read is named on stderr.

    Raises:
        UsageError: there are no runs, or none of this scenario.
    """
    from benchsuite.findings.history import history as series_of
    from benchsuite.format import some
    from benchsuite.results.store import find_runs

    paths = find_runs(folder)
    if not paths:
        raise UsageError(f"{folder}: no run folder in it or below it; one holds scenario.json and records")
    everything = series_of(_readable(paths))
    if not everything:
        raise UsageError(f"{folder}: none of its {len(paths)} run folders holds a record")
    series = [one for one in everything if scenario is None or one.scenario == scenario]
    if not series:
        names = sorted({one.scenario for one in everything})
        hint = did_you_mean(str(scenario), names)
        raise UsageError(f'{folder}: no run of a scenario "{scenario}"{hint}\n  there are: {some(names, 12)}')
    return series


def _readable(paths: list[Path]) -> Iterator[Run]:
    """One run after the other, so that the samples of all are never in memory at once."""
    from benchsuite.results.store import read_run

    for path in paths:
        try:
            run = read_run(path)
        except BenchsuiteError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for warning in run.warnings:
            print(warning, file=sys.stderr)
        yield run


def _write_text(series: list[Series], out: Path | None) -> None:
    import contextlib
    import io

    from benchsuite.report.history_page import sections

    if out is None:
        print_sections(sections(series), plain=True)
        return
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print_sections(sections(series), plain=True)
    write(text.getvalue(), out)


def _write_otava(files: dict[str, str], out: Path | None) -> None:
    if out is None:
        raise UsageError("otava reads a configuration and a CSV file for each test: name a folder with --out")
    if not files:
        raise UsageError("no cell was timed, so there is nothing for otava to read")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}") from error
    for name, text in files.items():
        write(text, out / name)
    print(f"otava    {out / 'otava.yaml'}", file=sys.stderr)
