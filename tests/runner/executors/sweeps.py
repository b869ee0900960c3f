"""Sweeps of scripted cells through any executor, and what must be the same for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.runner.executors.executor import Executor
from benchsuite.runner.observer import Observer
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import SweepResult, run_sweep

FAKE = "tests.doubles.fake_worker"

SCENARIO = """
name: scripted
title: Cells that take no time
sweep:
  mixer: [{name: msa, label: a}, {name: msa, label: b}, {name: msa, label: fails}]
  resolution: [32, 64]
  batch: [1, 2]
  dim: 32
  num_heads: 4
  device: cpu
exclude:
  - {where: mixer=b batch=2 resolution=64, reason: too dear}
expect:
  - {where: mixer=fails, status: oom, reason: scripted}
measure: {rounds: 2}
"""

SLOW = """
name: slow
title: Groups that take long enough to be disturbed
sweep:
  mixer: [{name: msa, label: a}, {name: msa, label: slow}]
  resolution: [32, 64, 96]
  batch: 20
  dim: 32
  num_heads: 4
  device: cpu
measure: {rounds: 2}
"""


def sweep(
    executor: Executor,
    folder: Path,
    text: str | None = SCENARIO,
    stopping: Callable[[], bool] = lambda: False,
    observer: Observer | None = None,
    **request: Any,
) -> SweepResult:
    """Sweep a scenario, or go on with a run, and close the executor."""
    try:
        if text is not None:
            path = folder.parent / f"{folder.name}.yaml"
            path.write_text(text)
            request["reference"] = str(path)
        else:
            request["resume"] = folder
        prepared = prepare(Request(**request), executor.planner)
        return run_sweep(prepared, folder, executor, observer or Observer(), stopping)
    finally:
        executor.close()


def deterministic(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Cell → what must not depend on the executor."""
    return {record.id: _facts(record) for record in read_run(folder).records}


def _facts(record: Record) -> tuple[Any, ...]:
    samples = record.timing.samples_s if record.timing else None
    return record.status, record.reason, record.expected, record.cost, samples, record.memory
