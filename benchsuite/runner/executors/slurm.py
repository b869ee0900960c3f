"""Comparison groups as a SLURM job array, through submitit.

Each job is given some groups and writes what it measures to a file in the run folder, which the driver
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchsuite.errors import EngineError, ExecutorError, WorkerLost, nearest
from benchsuite.results.record import Cell
from benchsuite.runner.executors.executor import Job, Setup, Sink
from benchsuite.runner.executors.options import Kind, Value, minutes, number, seconds, yes
from benchsuite.runner.executors.options import count as some
from benchsuite.runner.executors.planner import Planner, one_device
from benchsuite.runner.executors.pool import lost
from benchsuite.runner.executors.slurm_job import STOP, Task, remaining, stream_path
from benchsuite.runner.executors.slurm_stream import StreamReader, outcome_of
from benchsuite.runner.outcome import Outcome
from benchsuite.runner.prepare import INTERRUPTED
from benchsuite.runner.process import ANSWERS
from benchsuite.runner.schedule import bundles
from benchsuite.runner.workers import Executor

OPTIONS: Mapping[str, Kind] = {
    "cluster": str,
    "tasks": number,
    "parallel": number,
    "retries": some,
    "requeues": some,
    "poll": seconds,
    "time": minutes,
    "partition": str,
    "account": str,
    "qos": str,
    "constraint": str,
    "gpus": number,
    "gpu_type": str,
    "cpus": number,
    "mem": str,
    "exclusive": yes,
    "exclude": str,
    "nodelist": str,
}
"""Name of an option → how its value is read. The first six are ours, the others go to `sbatch`: `tasks` is
how many jobs the array has (32 at most if not said, 1 on this machine), `parallel` how many run at a time,
`retries` how often a group is begun again whose job was lost, `requeues` how often a job may run out of its
time."""
CLUSTERS = ("slurm", "local")
STREAMS = ".slurm"
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
    """A job of the array as its driver sees it."""

    task: Task
    job: Any
    reader: StreamReader
    environment: Mapping[str, Any] | None = None
    session: int = 0
    host: str = ""
    pid: int = 0
    doing: str = "waits"
    over: bool = False


class SlurmEngine:
    """Measures in jobs of a SLURM cluster.

    Args:
        options: as in `OPTIONS`.

    Raises:
        ExecutorError: submitit is not installed, or there is no SLURM.
    """

    name = "slurm"
    one_place = False

    def __init__(
        self, options: Mapping[str, Value], pythonpath: Sequence[str] = (), answers: str = ANSWERS
    ) -> None:
        self._options = options
        self._cluster = _cluster(str(options.get("cluster", "slurm")))
        self._answers = answers
        self._own = tuple(str(Path(folder).resolve()) for folder in pythonpath)
        self._running: list[_Running] = []
        self._started = 0
        self.planner: Executor = Planner(self._resolved, pythonpath, answers)

    def recover(self, cells: Sequence[Cell], sink: Sink) -> None:
        """Take what jobs of an earlier driver have written, after asking those that still run to stop.

        Raises:
            EngineError: they do not.
        """
        wanted = {cell.id: cell for cell in cells}
        for folder in sorted((sink.folder / STREAMS).glob("*")):
            if not folder.is_dir():
                continue
            (folder / STOP).touch()
            self._cancel_earlier(folder)
            for path in sorted(folder.glob("job-*.jsonl")):
                reader = StreamReader(path)
                _wait_for(reader, path)
                environment: Mapping[str, Any] = {}
                session = 0
                for event in reader.read():
                    if "place" in event:
                        environment, session = event["place"], 0
                    elif event.get("cell") in wanted and not _cut_short(outcome := outcome_of(event)):
                        session = session or sink.place(environment)
                        sink.keep(wanted[event["cell"]], outcome, session)
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self, jobs: Sequence[Job], setups: Mapping[str, Setup], sink: Sink, stopping: Callable[[], bool]
    ) -> None:
        earlier = [int(path.name) for path in (sink.folder / STREAMS).glob("*") if path.name.isdigit()]
        folder = sink.folder.resolve() / STREAMS / str(max(earlier, default=0) + 1)
        folder.mkdir(parents=True)
        try:
            for device, setup in setups.items():
                setup = replace(setup, pythonpath=self._own, folder=str(Path.cwd()), answers=self._answers)
                due = [job for job in jobs if job.device == device]
                if due:
                    self._run(due, setup, folder, sink, stopping)
        except BaseException:
            (folder / STOP).touch()
            for running in self._running:
                with contextlib.suppress(Exception):
                    self._end(running)
            self._see_off()
            raise
        shutil.rmtree(sink.folder / STREAMS, ignore_errors=True)

    def close(self) -> None:
        self.planner.close()

    def _run(
        self, due: Sequence[Job], setup: Setup, folder: Path, sink: Sink, stopping: Callable[[], bool]
    ) -> None:
        """Measure jobs of one device."""
        count = int(self._options.get("tasks", 1 if self._cluster == "local" else TASKS))
        dealt = bundles([job.seconds for job in due], count)
        self._submit([tuple(due[i] for i in bundle) for bundle in dealt], setup, folder)
        known = {cell.id: cell for job in due for cell in (*job.cells, *job.group)}
        told = False
        while not all(running.over for running in self._running):
            if stopping() and not told:
                told = True
                (folder / STOP).touch()
                self._cancel_waiting()
            for running in self._running:
                if not running.over:
                    self._follow(running, known, setup, folder, sink, stopping)
            sink.workers({_called(one): one.doing for one in self._running if not one.over})
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
        setup: Setup,
        folder: Path,
        sink: Sink,
        stopping: Callable[[], bool],
    ) -> None:
        """Take what a job has written since; where it is lost, send what is left of it anew."""
        gone = running.job.done()  # before reading, so that nothing is written after the last read
        for event in running.reader.read():
            if "error" in event:
                raise ExecutorError(f"job {running.job.job_id}: {event['error']}")
            if "place" in event:
                running.environment = event["place"]
                running.session = sink.place(event["place"])
                running.host, running.pid = str(event["host"]), int(event["pid"])
            elif "begins" in event:
                running.doing = f"{event['cells']} cells of the group of {event['begins']}"
                if (cell := known.get(event["begins"])) is not None:
                    sink.begins(cell, running.host)
            elif event.get("cell") in known:
                sink.keep(known[event["cell"]], outcome_of(event), running.session)
            elif "over" in event:
                running.over = True
        if gone and not running.over:
            running.over = True
            if not stopping():
                self._again(running, setup, folder, sink)

    def _again(self, running: _Running, setup: Setup, folder: Path, sink: Sink) -> None:
        """Send the rest of a lost job as a new one; a group that was lost too often is kept as failures."""
        error = WorkerLost(f"SLURM job {running.job.job_id} ended before its cells did ({_why(running.job)})")
        left = remaining(running.task.jobs, stream_path(folder, running.task.number))
        if running.environment is None:  # it never began, which is no fault of its first group alone
            left = [replace(job, attempts=job.attempts + 1) for job in left]
        given_up = [job for job in left if job.attempts > int(self._options.get("retries", RETRIES))]
        if running.environment is None and given_up:
            raise EngineError(f"{error}; its groups were tried {given_up[0].attempts} times")
        for job in given_up:
            for cell in job.cells:
                sink.keep(cell, lost(error, job.attempts), running.session)
        rest = tuple(job for job in left if job not in given_up)
        if rest:
            self._submit([rest], setup, folder)

    def _submit(self, works: Sequence[tuple[Job, ...]], setup: Setup, folder: Path) -> None:
        """Send an array of jobs.

        Raises:
            ExecutorError: SLURM does not take them, for resources that no node has, say.
        """
        tasks = []
        for work in works:
            self._started += 1
            tasks.append(Task(str(folder), self._started, work, setup))
        try:
            executor = self._executor(folder, gpu=setup.device != "cpu", count=len(tasks))
            with _deaf_to_interrupts(), executor.batch():
                jobs = [executor.submit(task) for task in tasks]
        except Exception as error:
            reason = str(error).strip().splitlines()
            last = reason[-1] if reason else type(error).__name__
            raise ExecutorError(f"--executor slurm: the jobs were not taken: {last}") from error
        for task, job in zip(tasks, jobs, strict=True):
            reader = StreamReader(stream_path(folder, task.number))
            self._running.append(_Running(task=task, job=job, reader=reader))
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
        elif running.pid and not running.over:
            os.kill(running.pid, signal.SIGKILL)

    def _cancel_waiting(self) -> None:
        """Take back jobs that have not begun; the others see the file."""
        for running in self._running:
            if running.environment is None and self._cluster == "slurm" and running.job.state == "PENDING":
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
        near = nearest(word, CLUSTERS)
        hint = f'; did you mean "{near}"?' if near else ""
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


def _cut_short(outcome: Outcome) -> bool:
    """Whether the cell is to be measured anew, since its job was asked to stop."""
    return outcome.timing is not None and outcome.timing.stopped_by == INTERRUPTED


def _called(running: _Running) -> str:
    where = f" on {running.host}" if running.host else ""
    return f"job {running.job.job_id}{where}"


def _why(job: Any) -> str:
    """How a job ended, as far as SLURM says."""
    with contextlib.suppress(Exception):
        return str(job.state).lower().replace("_", " ")
    return "nobody says why"


def _wait_for(reader: StreamReader, path: Path) -> None:
    """Wait until the job that writes a stream has ended."""
    deadline = time.monotonic() + GRACE_S
    while reader.written:
        if time.monotonic() > deadline:
            raise EngineError(
                f"{path}: a job of the earlier run still measures, {GRACE_S:g} s after it was asked to stop"
            )
        time.sleep(0.05)
