"""Synthetic runs for the report: every number is chosen by the test, none is measured."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchsuite.report.ranking import Ranking, among, rankings
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost, Failure, Memory, Record, Timing
from benchsuite.results.store import Run

KINDS = {"oom": "OutOfMemoryError", "unsupported": "Unsupported", "error": "RuntimeError", "crash": "SIGSEGV"}


def make_record(
    name: str = "hilo",
    *,
    resolution: int | tuple[int, int] = 224,
    kernel: str = "math",
    latency: float | None = 0.01,
    noise: float = 0.01,
    samples: int = 20,
    rounds: int = 5,
    macs: int | None = 1_000_000_000,
    exact: bool = True,
    memory: int | None = 100 << 20,
    status: str = "ok",
    reason: str = "CUDA out of memory. Tried to allocate 2.00 GiB",
    expected: bool = False,
    seed: int = 0,
    **cell: Any,
) -> Record:
    """A record with `samples` timings spread evenly within ± `noise` of `latency`, so the median is exact.

    They are of `rounds` rounds, whose interval is about ± `noise` / 2 for five; fewer than ten are of one.
    Rounds are in
    another order for every cell, so that no two cells scatter alike.
    """
    size = (resolution, resolution) if isinstance(resolution, int) else resolution
    fields: dict[str, Any] = {
        "target": "hilo",
        "stride": 16,
        "batch": 64,
        "dim": 256,
        "num_heads": 8,
        "dtype": "fp16",
        "device": "cuda",
    }
    made = Cell(name=name, resolution=size, kernel=kernel, **(fields | cell))  # type: ignore[arg-type]
    ok = status == "ok"
    timing = None
    if ok and latency is not None:
        levels = [0.46 * level for level in evenly(rounds)] if samples >= 10 and rounds > 1 else [0.0]
        counts = [len(range(i, samples, len(levels))) for i in range(len(levels))]
        within = 0.5 if len(levels) > 1 else 1.0
        steps = [
            [latency * (1 + noise * (level + within * step)) for step in evenly(count)]
            for level, count in zip(levels, counts, strict=True)
        ]
        order = random.Random(f"{seed} {made.id}")
        for one in (steps, *steps):
            order.shuffle(one)
        timing = Timing(
            samples_s=tuple(step for one in steps for step in one),
            rounds=tuple(map(len, steps)) if len(steps) > 1 else (),
            method="cuda_events",
            warmup_calls=12,
            warmup_s=0.5,
            stopped_by="precision",
            threads=8,
        )
    cost = None
    if macs is not None:
        cost = Cost(
            params=262_144, macs=macs, uncounted={} if exact else {"aten::im2col": 2}, counter="fvcore 0.1.5"
        )
    return Record(
        id=made.id,
        cell=made,
        status=status,  # type: ignore[arg-type]
        failure=None if ok else Failure(stage="time", kind=KINDS[status], message=reason),
        expected=expected,
        cost=cost,
        timing=timing,
        memory=Memory(
            peak_allocated_bytes=memory,
            peak_reserved_bytes=memory,
            weights_bytes=1 << 20,
            input_bytes=4 << 20,
            method="cuda_allocator",
        )
        if ok and memory is not None
        else None,
        started_at="2026-01-05T10:00:00Z",
        seconds=2.5,
    )


def fields_of(records: Sequence[Record]) -> list[Ranking]:
    """The rankings of these records, which can be compared."""
    cells = reported_cells(records)
    return rankings(cells, among(cells))


def with_rounds(record: Record, medians: Sequence[float]) -> Record:
    """The record with one sample in each of these rounds."""
    assert record.timing is not None
    timing = replace(record.timing, samples_s=tuple(medians), rounds=(1,) * len(medians))
    return replace(record, timing=timing)


def evenly(count: int) -> list[float]:
    """So many numbers from −1 to 1."""
    return [2 * i / max(1, count - 1) - 1 for i in range(count)]


MIXERS: Mapping[str, tuple[float, float, float]] = {
    # MACs per token in units of C², MACs per token pair in units of C, relative speed
    "msa": (4.0, 2.0, 1.0),
    "hilo": (2.2, 0.3, 0.9),
    "window 7": (4.0, 0.02, 0.7),
    "shifted window": (4.0, 0.02, 0.6),
    "sra r=2": (4.5, 0.5, 0.95),
    "linear sra": (3.2, 0.02, 1.1),
    "twins gsa": (3.8, 0.04, 0.9),
    "t_msa": (4.2, 0.3, 0.6),
    "performer": (4.6, 0.02, 0.35),
}


def realistic(
    resolutions: Sequence[int] = (224, 384, 640, 896),
    kernels: Sequence[str] = ("math", "flash"),
    names: Sequence[str] = tuple(MIXERS),
    **cell: Any,
) -> list[Record]:
    """Nine mixers whose numbers follow their complexity, an OOM, and a mixer without the fused kernel."""
    records = []
    dim, rng = 256, random.Random(7)
    for kernel in kernels:
        for resolution in resolutions:
            for name in names:
                linear, pairs, speed = MIXERS[name]
                n = (resolution // 16) ** 2
                macs = int(n * linear * dim**2 + n * n * pairs * dim)
                attention = n * n * pairs * dim * (2.5 if kernel == "math" else 0.7)
                latency = 40e-6 + 64 * (n * linear * dim**2 + attention) / (45e12 * speed) * math.exp(
                    rng.gauss(0, 0.02)
                )
                memory = int(
                    64 * n * dim * 2 * 6 + (64 * 8 * n * n * pairs * 2 if kernel == "math" else 0)
                ) + (20 << 20)
                record: dict[str, Any] = {
                    "latency": latency, "macs": macs, "memory": memory, "noise": rng.uniform(0.002, 0.06),
                    "samples": 50, "seed": rng.randrange(1000),
                }  # fmt: skip
                if name == "msa" and kernel == "math" and resolution >= 896:
                    record |= {"status": "oom"}
                if name == "performer" and kernel != "math":
                    record |= {
                        "status": "unsupported",
                        "reason": "performer has no kernel 'flash'; it runs on math",
                    }
                records.append(
                    make_record(
                        name, resolution=resolution, kernel=kernel, exact=name != "t_msa", **record, **cell
                    )
                )
    return records


ENVIRONMENT: dict[str, Any] = {
    "benchsuite": "0.1.0",
    "command": ["benchsuite", "run", "hilo.yaml", "--out", "runs/hilo"],
    "started_at": "2026-01-05T10:00:00Z",
    "machine": "gpu-box",
    "os": "Linux 6.8",
    "python": "3.11.7",
    "torch": "2.13.0+cu128",
    "cpu": {"model": "Xeon 8480", "cores": 16, "threads": 32, "instructions": "AVX512"},
    "gpu": {
        "name": "NVIDIA H200",
        "memory_bytes": 150754820096,
        "driver": "570.1",
        "cuda": "12.8",
        "cudnn": "9.10",
    },
    "flags": {"tf32_matmul": False, "tf32_cudnn": True, "cudnn_benchmark": False},
    "git": {"commit": "0123abc", "dirty": False},
}


def make_run(records: Sequence[Record], **scenario: Any) -> Run:
    """A run that holds these records."""
    base: dict[str, Any] = {
        "name": "hilo",
        "title": "HiLo against the attention of its time",
        "question": "Do fewer MACs make a faster layer?",
        "subject": "mixer",
        "measure": {"warmup": {"min_seconds": 0.5}, "samples": {"min": 20, "max": 200}, "precision": 0.01},
        "report": {},
        "applied": [],
    }
    return Run(
        path=Path("runs/hilo"), scenario=base | scenario, environment=ENVIRONMENT, records=tuple(records),
        environments={1: ENVIRONMENT}, warnings=(),
    )  # fmt: skip


def make_network(name: str = "LITv2-S", **changes: Any) -> Record:
    """A record of a network: LITv2-S unless told otherwise, with neither width nor heads of its own."""
    fields: dict[str, Any] = {
        "subject": "backbone", "target": "litv2_s", "stride": 1, "dim": None, "num_heads": None, "batch": 1,
    }  # fmt: skip
    return make_record(name, **(fields | changes))
