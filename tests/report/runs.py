"""Synthetic runs of several machines and dates, as objects and as folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchsuite.results.record import Record
from benchsuite.results.store import Run, RunWriter
from tests.report.synthetic import ENVIRONMENT, make_run


def on(
    records: Sequence[Record],
    *,
    path: str = "runs/hilo",
    day: int = 1,
    gpu: str = "NVIDIA H200",
    commit: str | None = None,
    environment: dict[str, Any] | None = None,
    **scenario: Any,
) -> Run:
    """A run on that GPU, on that day of January, of that commit (one a day, unless told)."""
    at = f"2026-01-{day:02d}T10:00:00+00:00"
    machine = ENVIRONMENT | {
        "gpu": ENVIRONMENT["gpu"] | {"name": gpu},
        "device": "cuda:0",
        "started_at": at,
        "git": {"commit": commit or f"{day:07d}" + "f" * 33, "dirty": False},
    }
    machine |= environment or {}
    dated = tuple(dataclasses.replace(record, started_at=at) for record in records)
    return dataclasses.replace(
        make_run(dated, **scenario), path=Path(path), environment=machine, environments={1: machine}
    )


def written(run: Run, folder: Path) -> Path:
    """The run as a folder on disk."""
    writer = RunWriter.create(folder, run.scenario, run.environment)
    for record in run.records:
        writer.append(record)
    writer.close()
    return folder
