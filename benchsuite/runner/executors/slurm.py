"""Comparison groups as a SLURM job array, through submitit.

Each job is given some groups and writes what it measures to a shard in the run folder, which the driver
reads. So a driver may end, or be killed, and the one that goes on with the run finds what jobs have measured.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchsuite.errors import ExecutorError, ExecutorFailed, WorkerLost, did_you_mean
from benchsuite.results.cell import Cell
from benchsuite.results.store import (
    RECORDS,
    each_record,
    environment_file,
    read_environments,
    read_scenario,
)
from benchsuite.results.stored_records import RecordTail
from benchsuite.runner.estimate import bundles
from benchsuite.runner.executors.device_workers import one_device
from benchsuite.runner.executors.executor import ComparisonGroup, RemoteExecutor, WorkerSettings
from benchsuite.runner.executors.pool import lost
from benchsuite.runner.executors.slurm_job import STOP, Task, is_written, read_state, remaining, shard_of
from benchsuite.runner.process import ANSWERS

if TYPE_CHECKING:
    from benchsuite.runner.recorder import RunRecorder

CLUSTERS = ("slurm", "local")
SHARDS = ".slurm"
"""Folder in a run folder where jobs write; removed when all is written down."""
TASKS = 32
RETRIES = 2
REQUEUES = 3
GRACE_S = 60.0
"""How long jobs of an earlier driver are waited for that were asked to stop."""
LEAVING_S = 10.0
"""How long processes of this machine that have nothing more to do are waited for."""
_A_DAY_MIN = 24 * 60
_PASSED_ON = ("partition", "account", "qos", "constraint", "mem", "exclusive", "exclude", "nodelist")


@dataclass(slots=True)
class _Running:
    """A job of the array as its driver sees it.

    Attributes:
        sessions: session of the shard → that of the run; empty while the job has not begun.
    """

    task: Task
    job: Any
    tail: RecordTail
    state: Mapping[str, Any] = field(default_factory=dict)
    sessions: dict[int, int] = field(default_factory=dict)
    over: bool = False

    @property
    def shard(self) -> Path:
        return shard_of(Path(self.task.folder), self.task.number)


class SlurmExecutor(RemoteExecutor):
    """Measures in jobs of a SLURM cluster.

    Args:
        options: as in the table of executors.

    Raises:
        ExecutorError: submitit is not installed, or there is no SLURM.
    """

    name = "slurm"

    def __init__(
        self, options: Mapping[str, Any], pythonpath: Sequence[str] = (), answers: str = ANSWERS
    ) -> None:
        self._cluster = _cluster(str(options.get("cluster", "slurm")))
        super().__init__(options, pythonpath, answers)
        self._running: list[_Running] = []
        self._started = 0

    def recover(self, cells: Sequence[Cell], recorder: RunRecorder) -> None:
        """Take what jobs of an earlier driver have written, after asking those that still run to stop.

        Raises:
            ExecutorFailed: they do not.
        """
        wanted = {cell.id for cell in cells}
        for folder in sorted((recorder.folder / SHARDS).glob("*")):
            if not folder.is_dir():
                continue
            (folder / STOP).touch()
            self._cancel_earlier(folder)
            for shard in sorted(folder.glob("job-*")):
                _wait_for(shard)
                environments, sessions = read_environments(shard), dict[int, int]()
                for record in each_record(shard / RECORDS, []):
                    if record.id in wanted and not record.interrupted:
                        if record.session not in sessions:
                            environment = environments.get(record.session, {})
                            sessions[record.session] = recorder.open_session(environment)
                        recorder.keep(record, sessions[record.session])
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: Mapping[str, WorkerSettings],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> tuple[()]:
        earlier = [int(path.name) for path in (recorder.folder / SHARDS).glob("*") if path.name.isdigit()]
        folder = recorder.folder.resolve() / SHARDS / str(max(earlier, default=0) + 1)
        folder.mkdir(parents=True)
        try:
            for _, due, chosen in self._by_device(groups, settings):
                self._measure(due, chosen, folder, recorder, stopping)
        except BaseException:
            (folder / STOP).touch()
            for running in self._running:
                with contextlib.suppress(Exception):
                    self._end(running)
            self._see_off()
            raise
        shutil.rmtree(recorder.folder / SHARDS, ignore_errors=True)
        return ()

    def _measure(
        self,
        due: Sequence[ComparisonGroup],
        settings: WorkerSettings,
        folder: Path,
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> None:
        """Measure groups of one device."""
        count = int(self._options.get("tasks", 1 if self._cluster == "local" else TASKS))
        dealt = bundles([group.seconds for group in due], count)
        scenario = read_scenario(recorder.folder)
        self._submit([tuple(due[i] for i in bundle) for bundle in dealt], settings, folder, scenario)
        known = {cell.id: cell for group in due for cell in (*group.cells, *group.whole)}
        told = False
        while not all(running.over for running in self._running):
            if stopping() and not told:
                told = True
                (folder / STOP).touch()
                self._cancel_waiting()
            for running in self._running:
                if not running.over:
                    self._follow(running, known, recorder, stopping)
            recorder.workers({_name(job): _doing(job) for job in self._running if not job.over})
            time.sleep(float(self._options.get("poll", 0.1 if self._cluster == "local" else 2.0)))
        self._see_off()

    def _see_off(self) -> None:
        """Let go of jobs; those of this machine are waited for, since they are children of this process."""
        deadline = time.monotonic() + LEAVING_S
        for running in self._running:
            while self._cluster == "local" and not running.job.done() and time.monotonic() < deadline:
                time.sleep(0.02)
        self._running.clear()

    def _follow(
        self,
        running: _Running,
        known: Mapping[str, Cell],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> None:
        """Take what a job has written since; where it is lost, send what is left of it anew."""
        gone = running.job.done()  # before reading, so that nothing is written after the last read
        begun, running.state = running.state.get("group"), read_state(running.shard)
        if "error" in running.state:
            raise ExecutorError(f"job {running.job.job_id}: {running.state['error']}")
        records = list(running.tail.read())  # before their environments, each of which is written earlier
        while (running.shard / environment_file(session := len(running.sessions) + 1)).is_file():
            environment = read_environments(running.shard)[session]
            running.sessions[session] = recorder.open_session(environment)
        group = running.state.get("group", "")
        if group != begun and group in known:
            recorder.cell_begins(known[group], running.state["host"])
        for record in records:
            if record.id in known:
                recorder.keep(record, running.sessions[record.session])
        if running.state.get("over"):
            running.over = True
        elif gone:
            running.over = True
            if not stopping():
                self._again(running, recorder)

    def _again(self, running: _Running, recorder: RunRecorder) -> None:
        """Send the rest of a lost job as a new one; a group that was lost too often is kept as failures."""
        error = WorkerLost(f"SLURM job {running.job.job_id} ended before its cells did ({_why(running.job)})")
        task = running.task
        left = remaining(task.groups, running.shard)
        if not running.sessions:  # it never began, which is no fault of its first group alone
            left = [replace(group, attempts=group.attempts + 1) for group in left]
        given_up = [group for group in left if group.attempts > int(self._options.get("retries", RETRIES))]
        if not running.sessions and given_up:
            raise ExecutorFailed(f"{error}; its groups were tried {given_up[0].attempts} times")
        for group in given_up:
            for cell in group.cells:
                recorder.keep(lost(cell, error, group.attempts), max(running.sessions.values()))
        rest = tuple(group for group in left if group not in given_up)
        if rest:
            self._submit([rest], task.settings, Path(task.folder), task.scenario)

    def _submit(
        self,
        works: Sequence[tuple[ComparisonGroup, ...]],
        settings: WorkerSettings,
        folder: Path,
        scenario: Mapping[str, Any],
    ) -> None:
        """Send an array of jobs.

        Raises:
            ExecutorError: SLURM does not take them, for resources that no node has, say.
        """
        tasks = []
        for work in works:
            self._started += 1
            tasks.append(Task(str(folder), self._started, work, settings, scenario))
        try:
            executor = self._executor(folder, gpu=settings.device != "cpu", count=len(tasks))
            with _deaf_to_interrupts(), executor.batch():
                jobs = [executor.submit(task) for task in tasks]
        except Exception as error:
            reason = str(error).strip().splitlines()
            last = reason[-1] if reason else type(error).__name__
            raise ExecutorError(f"--executor slurm: the jobs were not taken: {last}") from error
        for task, job in zip(tasks, jobs, strict=True):
            tail = RecordTail(shard_of(folder, task.number) / RECORDS)
            self._running.append(_Running(task=task, job=job, tail=tail))
        ids = [str(running.job.job_id) for running in self._running]
        (folder / "jobs.json").write_text(json.dumps({"cluster": self._cluster, "ids": ids}))

    def _executor(self, folder: Path, *, gpu: bool, count: int) -> Any:
        import submitit

        options = self._options
        requeues = int(options.get("requeues", REQUEUES))
        executor = submitit.AutoExecutor(
            folder / "submitit", cluster=self._cluster, slurm_max_num_timeout=requeues
        )
        settings: dict[str, Any] = {"name": "benchsuite", "tasks_per_node": 1, "nodes": 1}
        settings["timeout_min"] = options.get("time", _A_DAY_MIN if self._cluster == "local" else 60)
        if "cpus" in options:
            settings["cpus_per_task"] = options["cpus"]
        if gpu and "gpu_type" in options:
            settings["slurm_gres"] = f"gpu:{options['gpu_type']}:1"
        elif gpu:
            settings["gpus_per_node"] = options.get("gpus", 1)
        settings["slurm_array_parallelism"] = options.get("parallel", count)
        settings |= {f"slurm_{key}": options[key] for key in _PASSED_ON if key in options}
        executor.update_parameters(**settings)
        return executor

    def _end(self, running: _Running) -> None:
        """End a job at once."""
        if self._cluster == "slurm":
            running.job.cancel(check=False)
        elif "pid" in running.state and not running.over:
            os.kill(running.state["pid"], signal.SIGKILL)

    def _cancel_waiting(self) -> None:
        """Take back jobs that have not begun; the others see the file."""
        for running in self._running:
            if not running.sessions and self._cluster == "slurm" and running.job.state == "PENDING":
                with contextlib.suppress(Exception):
                    running.job.cancel(check=False)

    def _cancel_earlier(self, folder: Path) -> None:
        """Take back jobs of an earlier driver. On this machine they see the file that asks them to stop."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            sent = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))
            if sent["cluster"] == "slurm":
                import submitit

                for job in sent["ids"]:
                    submitit.SlurmJob(folder / "submitit", job).cancel(check=False)

    def _resolved(self, word: str) -> str:
        return one_device(word, gpus="gpus" in self._options or "gpu_type" in self._options)


def _cluster(word: str) -> str:
    """The cluster that is meant; raises ExecutorError if there is none."""
    if importlib.util.find_spec("submitit") is None:
        raise ExecutorError(
            "--executor slurm needs submitit, which is not installed; install it with: "
            "pip install 'benchsuite[slurm]'"
        )
    if word not in CLUSTERS:
        hint = did_you_mean(word, CLUSTERS)
        allowed = ", ".join(CLUSTERS)
        raise ExecutorError(
            f'--executor-option cluster: unknown cluster "{word}"{hint}\n  allowed: {allowed}'
        )
    if word == "slurm" and shutil.which("srun") is None:
        raise ExecutorError(
            "--executor slurm: there is no SLURM on this machine (no srun in PATH); "
            "--slurm cluster=local tries the same without it"
        )
    return word


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Jobs that are started on this machine within do not notice Ctrl-C, which reaches all of a terminal's
    processes; a file asks them to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _name(running: _Running) -> str:
    where = f" on {running.state['host']}" if "host" in running.state else ""
    return f"job {running.job.job_id}{where}"


def _doing(running: _Running) -> str:
    if "group" not in running.state:
        return "waits"
    return f"{running.state['cells']} cells of the group of {running.state['group']}"


def _why(job: Any) -> str:
    """How a job ended, as far as SLURM says."""
    with contextlib.suppress(Exception):
        return str(job.state).lower().replace("_", " ")
    return "nobody says why"


def _wait_for(shard: Path) -> None:
    """Wait until the job that writes a shard has ended."""
    deadline = time.monotonic() + GRACE_S
    while is_written(shard):
        if time.monotonic() > deadline:
            raise ExecutorFailed(
                f"{shard}: a job of the earlier run still measures, {GRACE_S:g} s after it was asked to stop"
            )
        time.sleep(0.05)
