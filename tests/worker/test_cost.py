"""Cells that one counter or another cannot count: they are counted another way, or measured without."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchsuite.errors import UsageError
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import InlineWorkers
from benchsuite.worker import calls, cost
from benchsuite.worker.worker_reply import Plan, WorkerReply
from tests.builders import make_cell
from tests.doubles.scripted_workers import Watching
from tests.plans import plans_of

OUTSIDE = Path(__file__).parent.parent / "data/outside"
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
LINEAR = 64 * 32 * 32  # of 64 tokens, 32 channels


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(OUTSIDE))


def a_cell(name: str, module: str = "uncountable", **changes: object) -> Cell:
    return make_cell(name=name, target=f"{module}:{name}", resolution=(128, 128), **changes)


def planned(name: str, module: str = "uncountable") -> Plan:
    (answer,) = plans_of([a_cell(name, module)])
    assert answer.value is not None, answer.failure
    return answer.value


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("EinsumEllipsis", 3 * LINEAR + 2 * 64 * 64 * 32),
        ("EinsumImplicit", LINEAR),
        ("MultiQuery", LINEAR + 64 * 32 * 16 + 2 * 4 * 64 * 64 * 8),
        ("Dot", 64 * 32),
        ("Parts", LINEAR),
        ("TwoHeads", LINEAR),
        ("Scripted", LINEAR),
        ("ScriptedFunction", LINEAR + 64 * 64 * 32),
        ("Compiled", LINEAR),
        ("CompiledFunction", LINEAR + 2 * 64 * 64 * 32),
        ("TracedSubmodule", LINEAR),
        ("Recurrent", 64 * 2 * 3 * 32 * (32 + 32)),
        ("Numpy", LINEAR),
        ("WeightNorm", LINEAR),
        ("Checkpointed", LINEAR),
        ("OwnFunction", LINEAR + 2 * 64 * 64 * 32),
        ("Flex", 3 * LINEAR + 2 * 64 * 64 * 32),
        ("Linspace", 2 * LINEAR),
        ("NoDevice", LINEAR),
        ("Branch", LINEAR),
        ("Mask", LINEAR),
    ],
)
def test_what_people_write_is_counted_to_the_last_multiply_add(name: str, macs: int) -> None:
    cost = planned(name).cost
    assert cost is not None
    assert cost.macs == macs
    assert cost.complete


def test_an_operator_without_a_rule_makes_a_lower_bound_also_where_only_real_tensors_can_be_counted() -> None:
    cost = planned("OwnOperator").cost
    assert cost is not None
    assert (cost.macs, dict(cost.uncounted)) == (LINEAR, {"uncountable::twice": 1})


def test_a_module_may_say_what_its_own_operator_costs() -> None:
    assert planned("OwnOperatorWithRule", "rules").cost.macs == LINEAR  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("EinsumEllipsis", "traced graph"),
        ("Scripted", "dispatched operators"),
        ("Linspace", "on cpu"),
        ("OwnFunction", "dispatched operators"),
    ],
)
def test_the_record_says_which_counter_counted_and_where(name: str, how: str) -> None:
    cost = planned(name).cost
    assert cost is not None
    assert how in cost.counter
    assert ("on cpu" in cost.counter) == (name == "Linspace")


@pytest.mark.parametrize("name", ["Compiled", "CompiledFunction", "Scripted", "Checkpointed", "OwnFunction"])
def test_what_only_one_counter_can_count_has_an_estimate_of_its_memory(name: str) -> None:
    plan = planned(name)
    assert plan.not_estimated == ""
    assert plan.memory_bytes is not None
    assert plan.memory_bytes > plan.weights_bytes > 0


def test_where_meta_fails_the_memory_estimate_is_missing_for_a_reason_of_its_own() -> None:
    plan = planned("NoDevice")
    assert plan.cost is not None
    assert plan.memory_bytes is None
    assert plan.not_counted == ""
    assert plan.not_estimated.startswith('on "meta" RuntimeError: ')


def test_what_cannot_be_counted_at_all_has_an_estimate_only_where_that_can_be_had() -> None:
    plan = planned("OnlyElsewhere")
    said = "RuntimeError: not while anybody watches"
    assert plan.cost is None
    assert plan.not_counted == f'on "meta" {said}; on the CPU, with one image, {said}'
    assert plan.not_estimated == f'on "meta" {said}'


def test_counting_on_real_tensors_stays_within_its_memory() -> None:
    before = cost._private_bytes()
    plan = planned("Heavy")
    assert plan.cost is None
    assert "on the CPU" in plan.not_counted
    assert "memory" in plan.not_counted
    after = cost._private_bytes()
    assert before is None or after is None or after - before < cost.MOST_BYTES


def test_counting_on_real_tensors_stays_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MOST_S", -1.0)
    assert "TimeoutError" in planned("Branch").not_counted
    assert planned("Scripted").cost is not None  # "meta" has no limit


def test_what_the_module_itself_refuses_is_its_answer_and_no_fault_of_counting() -> None:
    (answer,) = plans_of([a_cell("Refuses")])
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert answer.failure.message == "the 8 × 8 grid is too fine"


def test_what_a_gpu_might_not_refuse_is_left_to_the_gpu() -> None:
    answer = calls.count(a_cell("Refuses", device="cuda:0"))
    assert (answer.value, answer.status) == (None, "ok")
    assert answer.failure is not None
    assert answer.failure.stage == "count"


def test_arguments_that_a_class_does_not_take_stay_mistakes_of_the_scenario() -> None:
    with pytest.raises(UsageError, match="unexpected keyword argument 'x'"):
        plans_of([a_cell("Linspace", config={"x": 1})])


def test_a_class_that_cannot_be_imported_is_an_error_and_not_only_uncounted() -> None:
    answer = calls.count(a_cell("Absent"))
    assert (answer.value, answer.status) == (None, "error")


SCENARIO = """
name: outside
title: What cannot be counted is timed
sweep:
  mixer: ["uncountable:OnlyElsewhere", "uncountable:NoDevice", "uncountable:Linear"]
  resolution: 64
  batch: 1
  dim: 32
  num_heads: 4
measure: {max_s: 0.1, min_samples: 3, max_samples: 3, warmup_s: 0, rounds: 1, metrics: [latency, cost]}
"""


def records(folder: Path) -> dict[str, Record]:
    return {record.cell.name: record for record in read_run(folder).records}


@pytest.mark.slow
def test_a_cell_that_cannot_be_counted_is_timed_and_its_record_has_the_reason(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(SCENARIO)
    workers = InlineWorkers((str(OUTSIDE),))
    try:
        request = Request(reference=str(tmp_path / "outside.yaml"), device="cpu", pythonpath=(str(OUTSIDE),))
        run_sweep(prepare(request, workers), tmp_path / "run", LocalExecutor(workers), Watching())
    finally:
        workers.close()
    found = records(tmp_path / "run")
    assert {name: record.status for name, record in found.items()} == dict.fromkeys(found, "ok")
    assert all(record.timing for record in found.values())
    uncounted = found["OnlyElsewhere"]
    assert uncounted.cost is None
    assert "not while anybody watches" in uncounted.not_counted
    assert all(record.cost and not record.not_counted for record in found.values() if record is not uncounted)


def test_an_answer_without_a_count_has_the_failure_of_counting() -> None:
    assert calls.count(a_cell("OnlyElsewhere")).failure is not None
    assert isinstance(calls.count(a_cell("Linear")), WorkerReply)
