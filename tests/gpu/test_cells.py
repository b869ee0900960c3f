"""Cells on a real GPU, in the processes that a run has: what is read, what is refused, what is survived."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchsuite.findings.flags import flags
from benchsuite.measurement.accelerator import LEAST_S
from benchsuite.measurement.nvml import for_device
from benchsuite.measurement.timing import VISIT_S
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.scenario.measure_settings import Measure
from benchsuite.stats.intervals import quantile
from benchsuite.worker.worker_reply import Inspection
from tests.builders import make_cell, visit

pytestmark = pytest.mark.gpu

DEVICE = "cuda:0"
MEASURE = Measure(warmup_calls=3, warmup_s=0.05, min_samples=10, max_samples=40, max_s=5.0, precision=None)
GOOD = make_cell(device=DEVICE)
LARGE = make_cell(device=DEVICE, resolution=(224, 224), dim=768, num_heads=12, batch=64)
"""Of a size at which the kernels take longer than their launches."""


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessWorkers]:
    with closing(ProcessWorkers()) as workers:
        workers.describe(DEVICE, None, [])
        yield workers


def visited(workers: ProcessWorkers, cell: Cell) -> Record:
    answer = visit(workers, cell, MEASURE)
    assert answer.status == "ok", answer.failure
    assert answer.value is not None
    return answer.value


def inspected(workers: ProcessWorkers, cell: Cell, **settings: Any) -> Inspection:
    answer = workers.inspect(cell, MEASURE.model_copy(update=settings))
    assert answer.status == "ok", answer.failure
    assert answer.value is not None
    return answer.value


def planted(name: str) -> Cell:
    return make_cell(device=DEVICE, name=name, target=f"tests.planted:{name}")


def test_a_step_that_cannot_be_captured_is_timed_and_its_busy_time_is_profiled(
    workers: ProcessWorkers,
) -> None:
    waits = planted("Waits")
    assert visited(workers, waits).timing.samples_s
    busy = inspected(workers, waits).busy
    assert busy is None or busy.method == "profiler"
    assert inspected(workers, GOOD).busy is not None  # the next cell is none the worse


def test_a_context_that_is_lost_costs_its_cell_and_its_process(workers: ProcessWorkers) -> None:
    for ask in (functools.partial(visit, workers), workers.inspect):
        answer: Any = ask(planted("FailsOnTheDevice"), MEASURE)  # type: ignore[operator]
        assert answer.status == "error"
        assert answer.failure is not None
        assert "device-side assert" in answer.failure.message
        assert ask(GOOD, MEASURE).status == "ok"  # type: ignore[operator]


def test_a_cell_that_runs_out_of_memory_leaves_the_next_all_of_it(workers: ProcessWorkers) -> None:
    before = visited(workers, LARGE).conditions
    for _ in range(2):
        answer = visit(workers, planted("TakesWhatIsNotThere"), MEASURE)
        assert (answer.status, answer.poisoned) == ("oom", False)
        assert visited(workers, LARGE).timing.samples_s
    assert workers.inspect(planted("TakesWhatIsNotThere"), MEASURE).status == "oom"
    assert inspected(workers, LARGE).memory is not None
    assert before is not None


FORCED = ("sdpa", "flash", "mem_efficient", "cudnn", "flex")


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("kernel", FORCED)
def test_each_forced_kernel_computes_what_the_reference_does_or_says_that_it_cannot(
    workers: ProcessWorkers, kernel: Any, dtype: Any
) -> None:
    """The comparison is the visit's own: another one than the papers' arithmetic is a "mismatch"."""
    cell = replace(LARGE, kernel=kernel, dtype=dtype, batch=8)
    answer = visit(workers, cell, MEASURE)
    assert answer.status in ("ok", "unsupported"), answer.failure
    if kernel in ("flash", "cudnn") and dtype == "fp32":
        assert answer.status == "unsupported"
    elif kernel in ("sdpa", "mem_efficient") or (
        kernel == "flash" and torch.cuda.get_device_capability()[0] >= 8
    ):
        assert answer.status == "ok"
    if answer.value is not None:
        assert answer.value.check is not None
        assert answer.value.check.error is not None
        assert answer.value.check.error <= answer.value.check.tolerance


@pytest.mark.parametrize(
    ("target", "mode"),
    [
        ("msa", "default"),
        ("msa", "reduce-overhead"),
        ("window", "default"),  # it fills a cache in its first call
        ("window", "reduce-overhead"),
        ("window", "max-autotune"),  # takes longest
    ],
)
def test_each_mode_of_the_compiler_computes_the_same_and_compiles_once(
    workers: ProcessWorkers, mode: Any, target: str
) -> None:
    cell = replace(LARGE, target=target, compile=mode, batch=8)
    found = visited(workers, cell)
    assert found.compilation is not None
    assert found.compilation.recompiles == 0
    assert found.check is not None
    assert found.check.error is not None
    memory, eager = (
        inspected(workers, cell).memory,
        inspected(workers, replace(cell, compile="eager")).memory,
    )
    assert eager is not None
    # Under CUDA graphs no peak, or that of the graph's kernels; never the little that a replay allocates.
    assert memory is None or memory.activations_bytes >= 0.2 * eager.activations_bytes


def test_a_cold_step_takes_no_less_than_its_kernels_with_their_data_in_the_cache(
    workers: ProcessWorkers,
) -> None:
    cell = replace(LARGE, batch=8, dtype="bf16", kernel="sdpa")
    cold = visited(workers, replace(cell, cache="cold")).timing
    assert cold.calls_per_sample == 1
    busy = inspected(workers, cell).busy
    assert busy is not None
    assert quantile(cold.samples_s, 0.5) > 0.95 * busy.seconds


def test_the_parts_of_a_training_step_are_the_step(workers: ProcessWorkers) -> None:
    timing = visited(workers, replace(LARGE, mode="training_step", batch=8)).timing
    assert list(timing.parts_s) == ["forward", "backward", "optimizer"]
    for k, sample in enumerate(timing.samples_s):
        assert sum(part[k] for part in timing.parts_s.values()) == pytest.approx(sample)


def test_joules_are_those_of_a_card_at_work_and_are_left_out_if_nobody_wants_them(
    workers: ProcessWorkers,
) -> None:
    card, why = for_device(DEVICE)
    if card is None or card.energy_j() is None:
        pytest.skip(why or "the card has no energy counter")
    energy = inspected(workers, LARGE).energy
    assert energy is not None
    watts = energy.joules / quantile(visited(workers, LARGE).timing.samples_s, 0.5)
    assert 20 < watts < 1500
    assert energy.idle_w is None or energy.idle_w < watts
    assert inspected(workers, LARGE, energy=False).energy is None


def test_a_small_cell_is_launch_bound_and_a_large_one_is_not(workers: ProcessWorkers) -> None:
    found = {}
    for cell in (
        make_cell(device=DEVICE, target="swinv2_window_attention", config={"window_size": 2}),
        LARGE,
    ):
        visit = visited(workers, cell)
        timing = replace(visit.timing, busy=inspected(workers, cell).busy)
        found[cell.batch] = flags(cell, timing, visit.conditions)
        assert timing.busy is not None
    assert "launch_bound" in found[GOOD.batch]
    assert "launch_bound" not in found[LARGE.batch]


def test_the_clock_is_read_at_work(workers: ProcessWorkers) -> None:
    if for_device(DEVICE)[0] is None:
        pytest.skip(for_device(DEVICE)[1])
    conditions = visited(workers, LARGE).conditions
    assert conditions is not None
    assert conditions.after["sm_clock_mhz"] > 0
    assert "idle" not in conditions.after["throttle"]


def test_short_calls_make_a_sample_together(workers: ProcessWorkers) -> None:
    timing = visited(workers, planted("Fine")).timing
    call_s = quantile(timing.samples_s, 0.5)
    assert call_s < LEAST_S  # one tiny linear layer
    assert timing.calls_per_sample * call_s > 0.5 * LEAST_S
    assert sum(timing.samples_s) * timing.calls_per_sample > 0.5 * VISIT_S
