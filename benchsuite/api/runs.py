"""A scenario measured from Python, and what a request of a run must pass before a worker starts."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.api.wording import in_python
from benchsuite.errors import UsageError, did_you_mean
from benchsuite.plugins import require_folders
from benchsuite.results.record import STATUSES
from benchsuite.results.store import check_free, check_unlocked, require_run
from benchsuite.runner.executors.table import open_executor, require_executor
from benchsuite.runner.prepare import Request, prepare, with_stored_pythonpath
from benchsuite.runner.sweep import run_sweep
from benchsuite.scenario.shards import parse_shard
from benchsuite.terminal import observer, print_notes

if TYPE_CHECKING:
    from benchsuite.api.results import Results

Folder = str | Path


@in_python
def run(
    scenario: str | Path | Mapping[str, Any] | None = None,
    *,
    profile: str | Sequence[str] = (),
    filter: str = "",
    overrides: Mapping[str, Any] | str | Sequence[str] = (),
    shard: str | None = None,
    device: str | None = None,
    out: Folder | None = None,
    resume: Folder | None = None,
    retry: str | Sequence[str] = (),
    timeout: float | None = None,
    memory_limit: str | None = None,
    pythonpath: Folder | Sequence[Folder] = (),
    executor: str = "process",
    executor_options: Sequence[str] = (),
    progress: bool | None = None,
) -> Results:
    """Measure the cells of a scenario into a run folder, as `benchsuite run` does.

    A cell that fails is a record with a reason. Interrupted, the run can be gone on with: `resume`.

    Args:
        scenario: a file, the name of a shipped scenario, or the document itself; None with `resume`.
        profile: profiles to apply, in order; `gpu` or `cpu`, by device, where the scenario has them and
            none is named.
        filter: only these cells: "mixer=hilo,msa resolution<=448".
        overrides: path → value, {"sweep.batch": 8}, or one or several texts "sweep.batch=8".
        shard: part of the cells, whole comparison groups: "2/8".
        device: "auto", "cpu", "cuda" or "cuda:1", in place of the scenario's.
        out: a new or empty folder; runs/<name>-<time> if None.
        resume: a run folder to go on with: only what is missing.
        retry: with `resume`, statuses of cells to measure anew: "oom,timeout".
        timeout: seconds after which a cell is given up.
        memory_limit: host memory of a worker process: "8GiB".
        pythonpath: folders to look in for your own mixers' modules.
        executor: "process", "ray", "slurm" or, for debugging, "inline".
        executor_options: "key=value" texts.
        progress: print a line a round and a cell; where Python is interactive if None.

    Raises:
        UsageError: the input is wrong; the text is that of the command line, in the words of these arguments.
        BenchsuiteError: a record cannot be written, or the executor cannot go on.
    """
    from benchsuite.api.results import load  # with pandas, which the command line need not wait for

    require_executor(executor)
    request = completed(
        Request(
            reference=str(scenario) if isinstance(scenario, Path) else scenario,
            profiles=words(profile),
            overrides=_overrides(overrides),
            filter=filter,
            device=device,
            resume=_path(resume),
            pythonpath=tuple(map(str, [pythonpath] if isinstance(pythonpath, Folder) else pythonpath)),
        ),
        out=_path(out),
        shard=shard,
        retry=words(retry),
        timeout=timeout,
        memory_limit=memory_limit,
    )
    shown = interactive() if progress is None else progress
    with contextlib.closing(open_executor(executor, request.pythonpath, executor_options)) as opened:
        prepared = prepare(request, opened.planner)
        if shown:
            print_notes(prepared.notes)
        folder = request.resume or _path(out) or new_folder(prepared.scenario.name)
        run_sweep(prepared, folder, opened, observer(quiet=not shown, verbose=False))
    return load(folder)


def interactive() -> bool:
    """Whether somebody types what Python runs: a notebook or a prompt."""
    return hasattr(sys, "ps1")


def new_folder(name: str) -> Path:
    """Where a run goes that is told no other place."""
    return Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def completed(
    request: Request,
    *,
    out: Path | None,
    shard: str | None = None,
    retry: Sequence[str] = (),
    timeout: float | None = None,
    memory_limit: str | None = None,
) -> Request:
    """A request with what is given as words, once all is refused that can be before a worker starts.

    Args:
        out: a new run folder; None if a resumed one is written to, or nothing.

    Raises:
        UsageError: something is wrong, or a folder cannot be used.
    """
    _check_folders(out, request.resume)
    given = {"timeout_s": None if timeout is None else float(timeout), "memory_limit": memory_limit}
    limits = tuple(f"measure.{key}={value}" for key, value in given.items() if value is not None)
    request = with_stored_pythonpath(
        replace(
            request,
            overrides=request.overrides if request.resume else (*request.overrides, *limits),
            limits=limits if request.resume else (),
            retry=_statuses(retry, request.resume),
            shard=parse_shard(shard) if shard is not None else None,
        )
    )
    require_folders(request.pythonpath)
    return request


def _check_folders(out: Path | None, resume: Path | None) -> None:
    """Refuse a folder that cannot be used, before any time is spent."""
    if resume is not None and out is not None:
        raise UsageError("give --out for a new run or --resume for an old one, not both")
    if resume is not None:
        require_run(resume)
        check_unlocked(resume)
    elif out is not None:
        check_free(out)


def _statuses(statuses: Sequence[str], resume: Path | None) -> tuple[str, ...]:
    """The statuses of `--retry oom,timeout`."""
    failures = [status for status in STATUSES if status not in ("ok", "skipped")]
    for word in statuses:
        if word not in failures:
            hint = did_you_mean(word, failures)
            raise UsageError(f'--retry: unknown status "{word}"{hint}\n  allowed: {", ".join(failures)}')
    if statuses and resume is None:
        raise UsageError("--retry goes with --resume; in a new run, say `measure: {retry: {crash: 1}}`")
    return tuple(statuses)


def words(given: str | Sequence[str]) -> tuple[str, ...]:
    """One word, several, or several with commas between them."""
    several = given.split(",") if isinstance(given, str) else given
    return tuple(word.strip() for word in several if word.strip())


def _overrides(given: Mapping[str, Any] | str | Sequence[str]) -> tuple[str, ...]:
    """Texts as `--set` takes them; JSON is YAML."""
    if not isinstance(given, Mapping):
        return (given,) if isinstance(given, str) else tuple(given)
    return tuple(f"{path}={json.dumps(value, default=str)}" for path, value in given.items())


def _path(folder: Folder | None) -> Path | None:
    return None if folder is None else Path(folder)
