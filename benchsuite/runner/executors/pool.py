"""A worker pool that executors share: workers take groups from one queue, the longest first.

A thread of the driver follows each worker. A worker that is lost is replaced, and its group begins again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from benchsuite.errors import ExecutorFailed, WorkerLost
from benchsuite.results.cell import Cell
from benchsuite.results.machine import device_identity
from benchsuite.results.record import Failure, Record, now
from benchsuite.runner.estimate import longest_first
from benchsuite.runner.executors.executor import ComparisonGroup, RemoteExecutor, WorkerSettings

if TYPE_CHECKING:
    from benchsuite.runner.recorder import RunRecorder

PATIENCE_S = 0.2
"""How often waiting threads look whether they are to stop."""


class PoolWorker(Protocol):
    """A worker of a pool, on one device. Every method but `stop` may raise WorkerLost."""

    name: str

    def open(self, settings: WorkerSettings) -> Mapping[str, Any]:
        """Set it up for a device; its environment."""
        ...

    def measure(self, cells: Sequence[Cell]) -> Iterator[Record]:
        """Measure a group; records as they come."""
        ...

    def stop(self) -> None:
        """End soon what is under way; called from another thread."""
        ...

    def close(self) -> None:
        """End the worker."""
        ...


class GroupQueue:
    """Groups that wait and groups under way. A group that is given back waits again, in front.

    Args:
        workers: how many take groups.
    """

    def __init__(self, groups: Sequence[ComparisonGroup], workers: int = 1) -> None:
        self._waiting = [groups[i] for i in longest_first([group.seconds for group in groups])]
        self._running = 0
        self._workers = workers
        self._changed = threading.Condition()

    def take(self, ended: Callable[[], bool], worker: int = 0) -> ComparisonGroup | None:
        """The next group for a worker; waits while others may yet give one back. None if none will come.

        A worker does not take again what it has lost, unless it is the last one.
        """
        with self._changed:
            while not ended():
                alone = self._workers <= 1
                for position, group in enumerate(self._waiting):
                    if alone or group.lost_by != worker:
                        self._running += 1
                        return self._waiting.pop(position)
                if not self._running and not self._waiting:
                    return None
                self._changed.wait(PATIENCE_S)
            return None

    def leave(self) -> None:
        """A worker takes no more groups."""
        with self._changed:
            self._workers -= 1
            self._changed.notify_all()

    def done(self, again: ComparisonGroup | None = None) -> None:
        """A group that was taken is over, or is to be begun again."""
        with self._changed:
            self._running -= 1
            if again is not None and again.cells:
                self._waiting.insert(0, again)
            self._changed.notify_all()

    @property
    def left(self) -> int:
        """How many groups wait."""
        with self._changed:
            return len(self._waiting)


class WorkerPool:
    """Follows workers until all groups are measured.

    Args:
        start: starts worker number i, anew where it was lost; raises WorkerLost or ExecutorFailed.
        retries: how often a group is begun again after its worker was lost.
        restarts: how often in a row a worker is replaced that cannot start, or loses one group after another.
    """

    def __init__(
        self, start: Callable[[int], PoolWorker], size: int, *, retries: int = 2, restarts: int = 2
    ) -> None:
        self._start = start
        self._size = size
        self._retries, self._restarts = retries, restarts
        self._workers: dict[int, PoolWorker] = {}
        self._doing: dict[str, str] = {}
        self._errors: list[BaseException] = []
        self._sessions: dict[str, int] = {}
        self._lock = threading.Lock()

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: WorkerSettings,
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> None:
        """Measure groups of one device.

        Raises:
            ExecutorFailed: no worker is left, and groups are.
        """
        size = min(self._size, len(groups))
        queue = GroupQueue(groups, size)
        threads = [
            threading.Thread(target=self._follow, args=(i, queue, settings, recorder, stopping), daemon=True)
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
                    self._each(lambda worker: worker.stop())
        except BaseException:
            recorder.broken.set()
            raise
        finally:
            self._each(lambda worker: worker.close())
        fatal = [error for error in self._errors if not isinstance(error, WorkerLost)]
        if fatal:
            raise fatal[0]
        if queue.left and not stopping():  # else its cells count as missing
            why = f": {self._errors[-1]}" if self._errors else ""
            raise ExecutorFailed(f"no worker is left, {queue.left} groups were not measured{why}")

    def _follow(
        self,
        number: int,
        queue: GroupQueue,
        settings: WorkerSettings,
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> None:
        """Body of the thread of a worker."""

        def ended() -> bool:
            return stopping() or recorder.broken.is_set()

        try:
            self._feed(number, queue, settings, recorder, ended)
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            self._errors.append(error)
            recorder.broken.set()
        finally:
            queue.leave()

    def _feed(
        self,
        number: int,
        queue: GroupQueue,
        settings: WorkerSettings,
        recorder: RunRecorder,
        ended: Callable[[], bool],
    ) -> None:
        """Start a worker, give it groups, replace it where it is lost; until there is nothing to do, or it
        was lost too often in a row."""
        worker: PoolWorker | None = None
        lost_groups: set[str] = set()  # since the last that was measured; a group that kills counts once
        failed_starts, here, session = 0, "", 0
        while failed_starts + len(lost_groups) <= self._restarts:
            group = queue.take(ended, number)
            if group is None:
                return
            again: ComparisonGroup | None = group
            try:
                if worker is None:
                    worker = self._started(number)
                    environment = worker.open(settings)
                    here = device_identity(environment)
                    session = self._session(worker.name, environment, recorder)
                    failed_starts = 0
                if ended():
                    return
                again = self._measure(group, worker, number, here, session, recorder)
            except WorkerLost as error:  # while it was starting
                self._errors.append(error)
                failed_starts += 1
                again = replace(group, lost_by=number)
            finally:
                queue.done(again)
            if again is None:
                lost_groups.clear()
            else:
                if not failed_starts:
                    lost_groups.add((group.whole or group.cells)[0].id)
                self._retired(number)
                worker = None

    def _measure(
        self,
        group: ComparisonGroup,
        worker: PoolWorker,
        number: int,
        here: str,
        session: int,
        recorder: RunRecorder,
    ) -> ComparisonGroup | None:
        """Measure a group on a worker. Where that is lost: what is to be begun again, with no cells if the
        group was tried often enough and its cells were kept as failures."""
        due = group.due(here)
        left = {cell.id: cell for cell in due}
        self._says(worker.name, f"{len(due)} cells of the group of {due[0].id}", recorder)
        try:
            for record in worker.measure(due):
                del left[record.id]
                recorder.keep(replace(record, attempts=record.attempts + group.attempts), session)
                if left:
                    self._says(worker.name, f"{len(left)} cells left of the group of {record.id}", recorder)
        except WorkerLost as error:
            self._errors.append(error)
            if group.attempts < self._retries:
                measured = group.measured_on | ({here} if len(left) < len(due) else frozenset())
                return replace(
                    group,
                    cells=tuple(left.values()),
                    measured_on=measured,
                    attempts=group.attempts + 1,
                    lost_by=number,
                )
            for cell in left.values():
                recorder.keep(lost(cell, error, group.attempts + 1), session)
            return replace(group, cells=())
        finally:
            self._says(worker.name, "", recorder)
        return None

    def _session(self, worker: str, environment: Mapping[str, Any], recorder: RunRecorder) -> int:
        """One session for each worker and device, however often it is replaced."""
        name = f"{worker} {device_identity(environment)}"
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = recorder.open_session(environment)
            return self._sessions[name]

    def _says(self, worker: str, doing: str, recorder: RunRecorder) -> None:
        with self._lock:
            if doing:
                self._doing[worker] = doing
            else:
                self._doing.pop(worker, None)
            recorder.workers(dict(self._doing))

    def _started(self, number: int) -> PoolWorker:
        worker = self._start(number)
        with self._lock:
            self._workers[number] = worker
        return worker

    def _retired(self, number: int) -> None:
        with self._lock:
            worker = self._workers.pop(number, None)
        if worker is not None:
            worker.close()

    def _each(self, do: Callable[[PoolWorker], None]) -> None:
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            do(worker)


class PoolExecutor(RemoteExecutor):
    """An executor that measures each device's groups on a pool of workers."""

    def _pool(self, device: str) -> WorkerPool:
        """The workers for a device."""
        raise NotImplementedError

    def run(
        self,
        groups: Sequence[ComparisonGroup],
        settings: Mapping[str, WorkerSettings],
        recorder: RunRecorder,
        stopping: Callable[[], bool],
    ) -> tuple[()]:
        for device, due, chosen in self._by_device(groups, settings):
            self._pool(device).run(due, chosen, recorder, stopping)
        return ()


def lost(cell: Cell, error: WorkerLost, attempts: int) -> Record:
    """The record of a cell that was in work on workers that were lost, each time it was tried."""
    failure = Failure(stage="worker", kind="WorkerLost", message=f"{error}; tried {attempts} times")
    return Record(
        id=cell.id,
        cell=cell,
        status="crash",
        failure=failure,
        started_at=now(),
        seconds=0.0,
        attempts=attempts,
    )
