"""Visits of cells: what is built once, what is compared before it is timed, and what a visit is told."""

from __future__ import annotations

import contextlib
import gc
import itertools
from dataclasses import replace
from typing import Any, Literal, cast

import pytest
import torch

from benchsuite.errors import Mismatch
from benchsuite.measurement.allocator import can_retain, in_use
from benchsuite.measurement.cpu import CpuDevice
from benchsuite.measurement.stopping import Visit
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.runner.rounds import Rounds
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker import calls as worker
from benchsuite.worker import cell_setup, inspection
from benchsuite.worker import timer as timed
from benchsuite.worker.timer import Timer
from benchsuite.worker.worker_reply import WorkerReply
from tests.builders import make_cell, make_record
from tests.doubles.fake_device import FakeDevice
from tests.doubles.fake_nvml import FakeNvml

CARD = FakeNvml(running=())
QUICK = Measure(warmup_calls=1, warmup_s=0.0, min_samples=6, max_samples=6, max_s=60.0, precision=None)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cells that were built for timing, in order; their references are not among them."""
    found: list[str] = []
    original = cell_setup.build

    def build(cell: Cell, *arguments: Any, **more: Any) -> Any:
        found.append(cell.name)
        return original(cell, *arguments, **more)

    monkeypatch.setattr(cell_setup, "build", build)
    return found


def test_a_cell_is_built_anew_in_every_round_and_nothing_of_it_is_left(builds: list[str]) -> None:
    timer = Timer()
    gc.collect()
    before = sum(type(one).__name__ == "MSA" for one in gc.get_objects())  # of other tests
    visits = [timer.visit(make_cell(), QUICK, Visit(number, 3)) for number in range(3)]
    assert builds == ["MSA"] * 3
    assert [len(visit.timing.samples_s) for visit in visits] == [2, 2, 2]  # shares of six
    gc.collect()
    assert sum(type(one).__name__ == "MSA" for one in gc.get_objects()) == before


@pytest.mark.skipif(not can_retain(), reason="memory is not retained here")
def test_the_record_says_which_allocator_the_process_had() -> None:
    timer = Timer()
    assert timer.visit(make_cell(allocator="system"), QUICK, Visit()).timing.allocator == in_use()
    assert timer.visit(make_cell(), QUICK, Visit()).timing.allocator == "retain"


def test_a_kernel_that_computes_something_else_is_not_timed() -> None:
    cell = make_cell(name="Wrong", target="tests.planted:Wrong", kernel="sdpa")
    with pytest.raises(Mismatch, match=r"sdpa fp32 differs from math fp32 by 0\.01 of its norm"):
        Timer().visit(cell, QUICK, Visit())
    answer = worker.visit(cell, QUICK, Visit())
    assert (answer.status, answer.value) == ("mismatch", None)
    assert answer.check is not None
    assert answer.check.error == pytest.approx(0.01, rel=0.01)
    unchecked = QUICK.model_copy(update={"check": False})
    assert worker.visit(cell, unchecked, Visit()).status == "ok"


def test_the_check_stands_in_the_first_round() -> None:
    timer = Timer()
    first, second = (timer.visit(make_cell(kernel="sdpa"), QUICK, Visit(n, 2)) for n in range(2))
    assert first.check is not None
    assert first.check.error is not None
    assert first.check.error < first.check.tolerance
    assert second.check is None
    assert timer.visit(make_cell(), QUICK, Visit()).check is None  # it is the reference itself


def test_threads_of_a_cell_are_in_force_while_it_is_timed_and_no_longer() -> None:
    before = torch.get_num_threads()
    timer = Timer()
    timer.threads = before
    assert timer.visit(make_cell(threads=1), QUICK, Visit()).timing.threads == 1
    assert timer.visit(make_cell(), QUICK, Visit()).timing.threads == before
    assert torch.get_num_threads() == before


def test_cold_steps_take_their_inputs_in_turns() -> None:
    visited = Timer().visit(make_cell(cache="cold"), QUICK, Visit())
    assert len(visited.timing.samples_s) == 6


@pytest.mark.parametrize(
    ("protocol", "samples", "calls", "warmup"),
    [("litv2", 1, 30, 50), ("hilo_single_layer", 1, 30, 0), ("timm", 40, 1, 10)],
)
def test_a_published_protocol_counts_as_it_was_published(
    protocol: Any, samples: int, calls: int, warmup: int
) -> None:
    visited = Timer().visit(make_cell(protocol=protocol, kernel="sdpa"), QUICK, Visit())
    timing = visited.timing
    assert (len(timing.samples_s), timing.calls_per_sample, timing.warmup_calls) == (samples, calls, warmup)
    assert timing.stopped_by == "protocol"
    assert visited.check is not None


def test_a_training_step_is_timed_in_its_parts() -> None:
    timing = Timer().visit(make_cell(mode="training_step"), QUICK, Visit()).timing
    assert list(timing.parts_s) == ["forward", "backward", "optimizer"]
    sums = [sum(parts) for parts in zip(*timing.parts_s.values(), strict=True)]
    assert sums == pytest.approx(timing.samples_s)


def test_the_state_of_the_machine_is_read_around_the_timed_region() -> None:
    conditions = Timer().visit(make_cell(), QUICK, Visit()).conditions
    assert conditions is not None
    assert conditions.before.keys() <= conditions.after.keys()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of what it imports
def test_a_compiled_cell_says_what_compiling_took() -> None:
    visited = Timer().visit(make_cell(compile="default"), QUICK, Visit())
    assert visited.compilation is not None
    assert visited.compilation.seconds > 0
    assert (visited.compilation.graphs, visited.compilation.graph_breaks) == (1, 0)
    assert visited.check is not None


def test_a_gpu_is_read_while_an_untimed_block_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last sample steps are queued, then the state is read, then they are waited for."""
    log: list[str] = []

    class Gpu(CpuDevice):
        kind = "cuda"

        def card(self) -> tuple[FakeNvml, str]:
            return CARD, ""

        def synchronize(self) -> None:
            log.append("wait")

    original = cell_setup.steps_of

    def noted(*arguments: Any, **more: Any) -> Any:
        steps = original(*arguments, **more)
        return replace(steps, whole=lambda: (log.append("step"), steps.whole())[1])

    monkeypatch.setattr(cell_setup, "steps_of", noted)
    monkeypatch.setattr(timed, "open_device", lambda _: Gpu())
    monkeypatch.setattr(FakeNvml, "throttle_reasons", lambda self: log.append("read") or 0x4)
    visited = Timer().visit(make_cell(), QUICK, Visit())
    assert visited.conditions is not None
    assert visited.conditions.after["throttle"] == ["power_cap"]
    end = len(log) - log[::-1].index("read")
    assert log[end:] == ["wait"]  # right after it was read
    queued = log[: end - 1]
    assert queued[-1] == "step"
    measured = len(visited.timing.samples_s) + visited.timing.warmup_calls + 1  # the first call
    assert queued.count("step") > measured


def test_later_rounds_are_told_how_many_calls_make_a_sample() -> None:
    told: list[int | None] = []

    class Workers:
        def begin_round(self) -> None: ...

        def timer(self, allocator: str) -> Workers:
            return self

        def call(
            self, function: str, cell: Cell, measure: Measure, visit: Visit, **_: object
        ) -> WorkerReply[Record]:
            told.append(visit.calls)
            record = make_record(samples=(1e-5,) * 4)
            assert record.timing is not None
            timing = replace(record.timing, calls_per_sample=visit.calls or 20)
            return WorkerReply(replace(record, timing=timing))

    measure = Measure(metrics=("latency",), rounds=3, precision=None)
    cells = [make_cell(device="cpu")]
    rounds = Rounds(measure=measure, workers=cast("Any", Workers()), stopping=lambda: False)
    (one,) = rounds.records(cells)
    assert told == [None, 20, 20]
    assert one.timing is not None
    assert one.timing.calls_per_sample == 20


@pytest.mark.parametrize("word", ["auto", False])
def test_energy_is_read_unless_the_scenario_says_no(
    monkeypatch: pytest.MonkeyPatch, word: Literal["auto", False]
) -> None:
    rested: list[str] = []
    card = FakeNvml(joules=itertools.count(0.0, 5.0))
    monkeypatch.setattr(inspection, "idle_draw_of", lambda device: rested.append(device) or 70.0)
    original = cell_setup.build
    monkeypatch.setattr(cell_setup, "build", lambda cell, *_, **more: original(cell, "cpu", **more))
    monkeypatch.setattr(inspection, "precision_of", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(inspection, "open_device", lambda _: FakeDevice(itertools.repeat(0.1), card=card))
    found = inspection.inspect(
        make_cell(device="cuda:0"), Measure(metrics=("latency",), busy=False, energy=word)
    )
    assert rested == (["cuda:0"] if word else [])
    assert (found.energy is not None) is (word == "auto")
    assert found.energy is None or found.energy.idle_w == 70.0
