"""A worker process that is replaced where it dies, hangs or can do no more; each costs one question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchsuite.errors import WorkerDied, WorkerTimeout
from benchsuite.results.record import Failure
from benchsuite.runner.process import Worker
from benchsuite.worker.reply import Answer


class RespawningWorker:
    """One worker process at a time; the next one is started when there is something to ask it.

    Args:
        start: starts one, set up as it should be, within so many seconds, or raises as `Worker.call`.
        first: one that is started already.
    """

    def __init__(self, start: Callable[[float | None], Worker], first: Worker | None = None) -> None:
        self._start, self._worker = start, first

    @property
    def pid(self) -> int | None:
        return self._worker.pid if self._worker else None

    @property
    def alive(self) -> bool:
        return self._worker is not None and self._worker.alive

    def call(self, function: str, *arguments: object, timeout_s: float | None = None) -> Any:
        """`Worker.call`, in another process if the last one is gone."""
        if self._worker is None or not self._worker.alive:  # which is no fault of this call
            self.close()
            self._worker = self._start(timeout_s)
        return self._worker.call(function, *arguments, timeout_s=timeout_s)

    def ask(
        self, stage: str, function: str, *arguments: object, timeout_s: float | None = None
    ) -> Answer[Any]:
        """`call` of a function that gives an `Answer`; the end of the process is an answer, too.

        Args:
            stage: of a `Failure` that says that no answer came in time.

        Raises:
            BenchsuiteError: what the function raised, if it was one of ours.
        """
        try:
            answer: Answer[Any] = self.call(function, *arguments, timeout_s=timeout_s)
        except WorkerTimeout as error:
            return Answer(status="timeout", failure=Failure(stage=stage, kind="Timeout", message=str(error)))
        except WorkerDied as error:
            failure = Failure(stage="worker", kind=error.kind or "WorkerDied", message=str(error))
            return Answer(status="oom" if error.out_of_memory else "crash", failure=failure)
        if answer.poisoned:
            self.close()
        return answer

    def close(self) -> None:
        """End the process; a further call starts another one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
