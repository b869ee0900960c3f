"""What a SLURM job does: its groups, one after the other, each outcome written to its stream at once.

A job that is preempted, or runs out of its time, is requeued by submitit with the same groups; it reads its
own stream and goes on behind what is there.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchsuite.errors import BenchsuiteError
from benchsuite.runner.executors.device_workers import Site
from benchsuite.runner.executors.executor import Job, Setup, place
from benchsuite.runner.executors.slurm_stream import StreamReader, StreamWriter
from benchsuite.search_path import move_to

STOP = "stop"
"""A file of this name beside the streams asks jobs to end soon."""


def stream_path(folder: Path, number: int) -> Path:
    """Where job `number` writes."""
    return folder / f"job-{number}.jsonl"


@dataclass(frozen=True, slots=True)
class Task:
    """Measures groups; what submitit calls.

    Attributes:
        folder: of the streams, on a file system that driver and jobs share.
    """

    folder: str
    number: int
    jobs: tuple[Job, ...]
    setup: Setup

    def __call__(self) -> None:
        move_to(self.setup.folder)
        folder = Path(self.folder)
        path = stream_path(folder, self.number)
        left = remaining(self.jobs, path)
        stream = StreamWriter(path)
        try:
            site = Site(self.setup)
        except BenchsuiteError as error:
            stream.write(error=str(error))
            return
        try:
            stream.write(place=site.environment, pid=os.getpid(), host=platform.node())
            at = place(site.environment)

            def stopping() -> bool:
                return (folder / STOP).exists()

            for job in left:
                if stopping():
                    break
                due = job.due(at)
                stream.write(begins=due[0].id, cells=len(due))
                for cell, outcome in site.measure(due, stopping):
                    stream.outcome(cell.id, replace(outcome, attempts=outcome.attempts + job.attempts))
            stream.write(over=True)
        finally:
            site.close()
            stream.close()

    def checkpoint(self) -> Any:
        """Asked by submitit before SLURM ends the job: the same again, which goes on where this one ends."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def remaining(jobs: tuple[Job, ...], path: Path) -> list[Job]:
    """The jobs as they are to be measured now, by what the stream says of an earlier start."""
    measured: dict[str, str] = {}
    at, begun = "", ""
    for event in StreamReader(path).read():
        if "place" in event:
            at = place(event["place"])
        elif "begins" in event:
            begun = event["begins"]
        elif "cell" in event:
            measured[event["cell"]] = at
    left = []
    for job in jobs:
        cells = tuple(cell for cell in job.cells if cell.id not in measured)
        if not cells:
            continue
        places = job.places | {measured[cell.id] for cell in job.cells if cell.id in measured}
        again = any(cell.id == begun for cell in (*job.cells, *job.group))
        left.append(replace(job, cells=cells, places=frozenset(places), attempts=job.attempts + int(again)))
    return left
