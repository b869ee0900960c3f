"""Several workers that take groups from one list, the longest first: what local and Ray pools share.

A thread of the driver follows each worker. A worker that is lost is replaced, and its group begins again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from benchsuite.errors import EngineError, WorkerLost
from benchsuite.results.record import Cell, Failure
from benchsuite.runner.executors.executor import Job, Setup, Sink, place
from benchsuite.runner.outcome import Outcome, now
from benchsuite.runner.schedule import longest_first

PATIENCE_S = 0.2
"""How often waiting threads look whether they are to stop."""


class Member(Protocol):
    """A worker of a pool. Every method but `stop` may raise WorkerLost."""

    name: str

    def open(self, setup: Setup) -> Mapping[str, Any]:
        """Set it up for a device; its environment."""
        ...

    def measure(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Outcome]]:
        """Measure a group; outcomes as they come."""
        ...

    def stop(self) -> None:
        """End soon what is under way; called from another thread."""
        ...

    def close(self) -> None:
        """End the worker."""
        ...


class Queue:
    """Jobs that wait and jobs under way. A job that is given back waits again, in front.

    Args:
        workers: how many take jobs.
    """

    def __init__(self, jobs: Sequence[Job], workers: int = 1) -> None:
        self._waiting = [jobs[i] for i in longest_first([job.seconds for job in jobs])]
        self._running = 0
        self._workers = workers
        self._changed = threading.Condition()

    def take(self, ended: Callable[[], bool], worker: int = 0) -> Job | None:
        """The next job for a worker; waits while others may yet give one back. None if none will come.

        A worker does not take again what it has lost, unless it is the last one.
        """
        with self._changed:
            while not ended():
                alone = self._workers <= 1
                for position, job in enumerate(self._waiting):
                    if alone or job.lost_by != worker:
                        self._running += 1
                        return self._waiting.pop(position)
                if not self._running and not self._waiting:
                    return None
                self._changed.wait(PATIENCE_S)
            return None

    def leave(self) -> None:
        """A worker takes no more jobs."""
        with self._changed:
            self._workers -= 1
            self._changed.notify_all()

    def done(self, again: Job | None = None) -> None:
        """A job that was taken is over, or is to be begun again."""
        with self._changed:
            self._running -= 1
            if again is not None and again.cells:
                self._waiting.insert(0, again)
            self._changed.notify_all()

    @property
    def left(self) -> int:
        """Jobs that wait."""
        with self._changed:
            return len(self._waiting)


class Pool:
    """Follows workers until all jobs are done.

    Args:
        start: starts worker number i, anew where it was lost; raises WorkerLost or EngineError.
        retries: how often a group is begun again after its worker was lost.
        restarts: how often in a row a worker is replaced that cannot start, or loses one group after another.
    """

    def __init__(
        self, start: Callable[[int], Member], size: int, *, retries: int = 2, restarts: int = 2
    ) -> None:
        self._start = start
        self._size = size
        self._retries, self._restarts = retries, restarts
        self._members: dict[int, Member] = {}
        self._doing: dict[str, str] = {}
        self._errors: list[BaseException] = []
        self._sessions: dict[str, int] = {}
        self._lock = threading.Lock()

    def run(self, jobs: Sequence[Job], setup: Setup, sink: Sink, stopping: Callable[[], bool]) -> None:
        """Measure jobs of one device.

        Raises:
            EngineError: no worker is left, and jobs are.
        """
        size = min(self._size, len(jobs))
        queue = Queue(jobs, size)
        threads = [
            threading.Thread(target=self._follow, args=(i, queue, setup, sink, stopping), daemon=True)
            for i in range(size)
        ]
        try:
            for thread in threads:
                thread.start()
            told = False
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(PATIENCE_S / len(threads))  # with a timeout, so that signals are seen
                if stopping() and not told:
                    told = True
                    self._each(lambda member: member.stop())
        except BaseException:
            sink.broken.set()
            raise
        finally:
            self._each(lambda member: member.close())
        fatal = [error for error in self._errors if not isinstance(error, WorkerLost)]
        if fatal:
            raise fatal[0]
        if queue.left and not stopping():  # else its cells count as missing
            why = f": {self._errors[-1]}" if self._errors else ""
            raise EngineError(f"no worker is left, {queue.left} groups were not measured{why}")

    def _follow(
        self, number: int, queue: Queue, setup: Setup, sink: Sink, stopping: Callable[[], bool]
    ) -> None:
        """What the thread of a worker does."""

        def ended() -> bool:
            return stopping() or sink.broken.is_set()

        try:
            self._feed(number, queue, setup, sink, ended)
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            self._errors.append(error)
            sink.broken.set()
        finally:
            queue.leave()

    def _feed(self, number: int, queue: Queue, setup: Setup, sink: Sink, ended: Callable[[], bool]) -> None:
        """Start a worker, give it jobs, and replace it where it is lost; until there is nothing to do, or it
        was lost too often in a row."""
        member: Member | None = None
        lost_groups: set[str] = set()  # since the last that was measured; a group that kills counts once
        failed_starts, at, session = 0, "", 0
        while failed_starts + len(lost_groups) <= self._restarts:
            job = queue.take(ended, number)
            if job is None:
                return
            again: Job | None = job
            try:
                if member is None:
                    member = self._started(number)
                    environment = member.open(setup)
                    at, session = place(environment), self._session(member.name, environment, sink)
                    failed_starts = 0
                if ended():
                    return
                again = self._do(job, member, number, at, session, sink)
            except WorkerLost as error:  # while it was starting
                self._errors.append(error)
                failed_starts += 1
                again = replace(job, lost_by=number)
            finally:
                queue.done(again)
            if again is None:
                lost_groups.clear()
            else:
                if not failed_starts:
                    lost_groups.add((job.group or job.cells)[0].id)
                self._retired(number)
                member = None

    def _do(self, job: Job, member: Member, number: int, at: str, session: int, sink: Sink) -> Job | None:
        """Measure a job on a worker. Where that is lost: what is to be begun again, with no cells if the job
        was tried often enough and its cells were kept as failures."""
        due = job.due(at)
        left = {cell.id: cell for cell in due}
        self._says(member.name, f"{len(due)} cells of the group of {due[0].id}", sink)
        try:
            for cell, outcome in member.measure(due):
                del left[cell.id]
                sink.keep(cell, replace(outcome, attempts=outcome.attempts + job.attempts), session)
                if left:
                    self._says(member.name, f"{len(left)} cells left of the group of {cell.id}", sink)
        except WorkerLost as error:
            self._errors.append(error)
            if job.attempts < self._retries:
                places = job.places | ({at} if len(left) < len(due) else frozenset())
                return replace(
                    job, cells=tuple(left.values()), places=places, attempts=job.attempts + 1, lost_by=number
                )
            for cell in left.values():
                sink.keep(cell, lost(error, job.attempts + 1), session)
            return replace(job, cells=())
        finally:
            self._says(member.name, "", sink)
        return None

    def _session(self, worker: str, environment: Mapping[str, Any], sink: Sink) -> int:
        """One session for each worker and device, however often it is replaced."""
        at = f"{worker} {place(environment)}"
        with self._lock:
            if at not in self._sessions:
                self._sessions[at] = sink.place(environment)
            return self._sessions[at]

    def _says(self, worker: str, doing: str, sink: Sink) -> None:
        with self._lock:
            if doing:
                self._doing[worker] = doing
            else:
                self._doing.pop(worker, None)
            sink.workers(dict(self._doing))

    def _started(self, number: int) -> Member:
        member = self._start(number)
        with self._lock:
            self._members[number] = member
        return member

    def _retired(self, number: int) -> None:
        with self._lock:
            member = self._members.pop(number, None)
        if member is not None:
            member.close()

    def _each(self, do: Callable[[Member], None]) -> None:
        with self._lock:
            members = list(self._members.values())
        for member in members:
            do(member)


def lost(error: WorkerLost, attempts: int) -> Outcome:
    """What a cell brings that was in work on workers that were lost, each time it was tried."""
    failure = Failure(stage="worker", kind="WorkerLost", message=f"{error}; tried {attempts} times")
    return Outcome(status="crash", failure=failure, started_at=now(), attempts=attempts)
