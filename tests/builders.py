"""Small cells and records for tests that need some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost, Failure, Memory, Record, Status, Timing

if TYPE_CHECKING:
    from benchsuite.runner.workers import Workers
    from benchsuite.scenario.measure_settings import Measure
    from benchsuite.worker.worker_reply import WorkerReply


def make_cell(**changes: Any) -> Cell:
    fields: dict[str, Any] = {
        "name": "MSA",
        "target": "msa",
        "resolution": (64, 64),
        "stride": 16,
        "batch": 2,
        "dim": 32,
        "num_heads": 4,
    }
    return Cell(**(fields | changes))


def make_record(
    cell: Cell | None = None,
    samples: Sequence[float] = (0.010, 0.011, 0.012),
    status: Status = "ok",
    rounds: Sequence[int] = (),
    **changes: Any,
) -> Record:
    """A record with these samples, in rounds of so many of them; in one round unless told otherwise."""
    cell = cell or make_cell()
    fields: dict[str, Any] = {
        "id": cell.id,
        "cell": cell,
        "status": status,
        "started_at": "2026-01-02T03:04:05+00:00",
        "seconds": 0.5,
    }
    if status == "ok":
        fields |= {
            "cost": Cost(params=4224, macs=1000, counter="test"),
            "timing": Timing(
                samples_s=tuple(samples),
                rounds=tuple(rounds),
                method="fake_clock",
                warmup_calls=3,
                warmup_s=0.1,
                stopped_by="samples",
                threads=1,
            ),
            "memory": Memory(
                peak_allocated_bytes=300, weights_bytes=100, input_bytes=50, method="torch_profiler"
            ),
        }
    else:
        fields["failure"] = Failure(stage="time", kind="Test", message=f"a planted {status}")
    return Record(**(fields | changes))


def visit(
    workers: Workers, cell: Cell, measure: Measure, timeout_s: float | None = None
) -> WorkerReply[Record]:
    """Build a cell and time it in its first round."""
    reply: WorkerReply[Record]
    timer = workers.timer(cell.allocator)
    reply = timer.call("visit", cell, measure, Visit(), timeout_s=timeout_s, stage="time")
    return reply
