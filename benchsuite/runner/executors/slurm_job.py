"""A SLURM job: its groups, one after the other, each record at once in a run folder of the job's own.

That folder is a shard of the run like any other, with one file beside: the state of the job. A job that is
preempted, or runs out of its time, is requeued by submitit with the same groups; it reads its own shard and
goes on behind what is there.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchsuite.errors import BenchsuiteError, RunFolderError
from benchsuite.io import parse, write_json
from benchsuite.results.machine import device_identity
from benchsuite.results.store import (
    RECORDS,
    SCENARIO,
    RunWriter,
    check_unlocked,
    each_record,
    read_environments,
)
from benchsuite.runner.executors.device_workers import DeviceWorkers
from benchsuite.runner.executors.executor import ComparisonGroup, WorkerSettings
from benchsuite.search_path import move_to

STOP = "stop"
"""A file of this name beside the shards asks jobs to end soon."""
STATE = "job.json"
"""File of a shard: `pid` and `host` of its job, the first cell of the `group` that is measured and how many
`cells` of it, the `error` that ended it, and whether it is `over`."""


def shard_of(folder: Path, number: int) -> Path:
    """Where job `number` writes."""
    return folder / f"job-{number}"


@dataclass(frozen=True, slots=True)
class Task:
    """Measures groups; what submitit calls.

    Attributes:
        folder: of the shards, on a file system that driver and jobs share.
        scenario: as the run folder stores it.
    """

    folder: str
    number: int
    groups: tuple[ComparisonGroup, ...]
    settings: WorkerSettings
    scenario: Mapping[str, Any]

    def __call__(self) -> None:
        move_to(self.settings.folder)
        folder = Path(self.folder)
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: removed by a driver that has gone on without this job")
        shard = shard_of(folder, self.number)
        while is_written(shard):  # by an earlier start of this job, which ends
            time.sleep(0.05)
        left = remaining(self.groups, shard)
        earlier = (shard / SCENARIO).is_file()
        writer = RunWriter.resume(shard, None) if earlier else RunWriter.create(shard, self.scenario, None)
        try:
            self._measure(left, folder, writer)
        finally:
            writer.close()

    def _measure(self, left: list[ComparisonGroup], folder: Path, writer: RunWriter) -> None:
        state = {**read_state(writer.path), "pid": os.getpid(), "host": platform.node()}

        def stopping() -> bool:
            return (folder / STOP).exists()

        workers = DeviceWorkers(stopping=stopping)
        try:
            environment = workers.open(self.settings)
        except BenchsuiteError as error:
            write_json(writer.path / STATE, state | {"error": str(error)})
            return
        try:
            write_json(writer.path / STATE, state)
            session = writer.add_environment(environment)
            for group in left:
                if stopping():
                    break
                due = group.due(device_identity(environment))
                state |= {"group": due[0].id, "cells": len(due)}
                write_json(writer.path / STATE, state)
                for record in workers.measure(due):
                    attempts = record.attempts + group.attempts
                    writer.append(replace(record, session=session, attempts=attempts))
            write_json(writer.path / STATE, state | {"over": True})
        finally:
            workers.close()

    def checkpoint(self) -> Any:
        """Asked by submitit before SLURM ends the job: the same again, which goes on where this one ends."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def read_state(shard: Path) -> dict[str, Any]:
    """The state of a job, as `STATE` says; empty where it has not begun."""
    try:
        state = parse((shard / STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def is_written(shard: Path) -> bool:
    """Whether a living process writes to a shard."""
    try:
        check_unlocked(shard)
    except RunFolderError:
        return True
    return False


def remaining(groups: tuple[ComparisonGroup, ...], shard: Path) -> list[ComparisonGroup]:
    """The groups as they are to be measured now, by what the shard says of an earlier start."""
    environments = read_environments(shard)
    measured = {
        record.id: device_identity(environments.get(record.session, {}))
        for record in each_record(shard / RECORDS, [])
    }
    begun = read_state(shard).get("group")
    left = []
    for group in groups:
        cells = tuple(cell for cell in group.cells if cell.id not in measured)
        if not cells:
            continue
        devices = group.measured_on | {measured[cell.id] for cell in group.cells if cell.id in measured}
        again = any(cell.id == begun for cell in (*group.cells, *group.whole))
        left.append(
            replace(group, cells=cells, measured_on=frozenset(devices), attempts=group.attempts + int(again))
        )
    return left
