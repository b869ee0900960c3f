"""What a module does of its own is no fault of a kernel or of the scenario, and costs its cells only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks._called import called
from benchsuite.errors import UsageError
from benchsuite.findings.flags import BEHAVIOUR
from benchsuite.measurement.stopping import Visit
from benchsuite.report.page import render
from benchsuite.results.cell import Cell
from benchsuite.results.record import Record
from benchsuite.results.store import read_run
from benchsuite.runner.executors.local import LocalExecutor
from benchsuite.runner.prepare import Request, prepare
from benchsuite.runner.sweep import run_sweep
from benchsuite.runner.workers import ProcessWorkers
from benchsuite.scenario.measure_settings import Measure
from benchsuite.summary import print_summary
from benchsuite.worker import calls
from benchsuite.worker.worker_reply import WorkerReply
from tests.builders import make_cell, visit
from tests.doubles.scripted_workers import Watching
from tests.plans import plans_of
from tests.real_command import runs, wait_until

OUTSIDE = Path(__file__).parents[1] / "data" / "outside"
QUICK = Measure(warmup_calls=1, warmup_s=0.0, min_samples=3, max_samples=3, max_s=60.0, precision=None)
FITS, DOES_NOT = (112, 112), (128, 128)


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(OUTSIDE))


@pytest.fixture(scope="module")
def workers() -> Iterator[ProcessWorkers]:
    with closing(ProcessWorkers([str(OUTSIDE)])) as found:
        found.describe("cpu", 1, [])
        yield found


def a_cell(
    name: str, how: str | None = None, resolution: tuple[int, int] = DOES_NOT, **changes: object
) -> Cell:
    target = name if ":" in name else f"behaving:{name}"
    config = {} if how is None else {"how": how}
    return make_cell(name=name, target=target, resolution=resolution, config=config, **changes)


REFUSALS = {
    "refuses": "the window does not fit",
    "refuses for a reason": "the window is no number",
    "refuses within": "the window does not fit",
}
ERRORS = {
    "converts": "ValueError",
    "converts and raises again": "ValueError",
    "unpacks": "ValueError",
    "torch": "ValueError",
    "library": "ValueError",
    "type": "TypeError",
    "assert": "AssertionError",
    "says it ran out": "RuntimeError",
}


@pytest.mark.parametrize("name", ["Constructed", "Called"])
@pytest.mark.parametrize("how", REFUSALS)
def test_what_a_module_raises_in_its_own_words_is_unsupported_at_that_size_only(name: str, how: str) -> None:
    bad, good = plans_of([a_cell(name, how), a_cell(name, how, FITS)])
    assert (bad.status, good.status) == ("unsupported", "ok")
    assert bad.failure is not None
    assert (bad.failure.message, bad.failure.traceback) == (REFUSALS[how], "")


@pytest.mark.parametrize("name", ["Constructed", "Called"])
@pytest.mark.parametrize("how", ERRORS)
def test_what_is_raised_beneath_a_module_is_an_error_with_its_traceback(name: str, how: str) -> None:
    bad, good = plans_of([a_cell(name, how), a_cell(name, how, FITS)])
    assert (bad.status, good.status) == ("error", "ok")
    assert bad.failure is not None
    assert bad.failure.kind == ERRORS[how]
    assert "misbehave(" in bad.failure.traceback


def test_a_file_of_the_same_package_speaks_for_the_module() -> None:
    bad, good = plans_of([a_cell("packaged:Mixer"), a_cell("packaged:Mixer", resolution=FITS)])
    assert (bad.status, good.status) == ("unsupported", "ok")
    assert bad.failure is not None
    assert bad.failure.message == "(8, 8) is not divisible by 7"


@pytest.mark.parametrize(("how", "status"), [("refuses", "unsupported"), ("torch", "error")])
def test_measuring_judges_alike(how: str, status: str) -> None:
    answer = calls.visit(a_cell("Called", how), QUICK, Visit())
    assert answer.status == status


def test_only_a_signature_that_cannot_be_bound_is_a_mistake_of_the_scenario() -> None:
    with pytest.raises(UsageError) as caught:
        plans_of([a_cell("Constructed"), a_cell("Linear", "?"), a_cell("Linear")])
    assert str(caught.value).splitlines() == [
        "Constructed (behaving:Constructed): missing a required argument: 'how'; say params: {how: …} in its "
        "entry (time: --params), or name a subclass whose constructor makes what YAML cannot say",
        "Linear (behaving:Linear): got an unexpected keyword argument 'how'",
    ]
    bad, good = plans_of([a_cell("Forwards"), a_cell("Linear")])
    assert (bad.status, good.status) == ("error", "ok")


def test_a_mixer_of_ones_own_within_a_network_answers_for_itself() -> None:
    def network(how: str) -> Cell:
        swap = {"stage4": {"name": "behaving:Constructed", "params": {"how": how}}}
        return make_cell(
            subject="backbone", name="pvt_t", target="pvt_t", config={"mixer": swap}, resolution=(256, 256),
            stride=1, dim=None, num_heads=None, batch=1,
        )  # fmt: skip

    plans = plans_of([network("refuses"), network("torch"), network("")])
    assert [plan.status for plan in plans] == ["unsupported", "error", "ok"]


@pytest.mark.parametrize("name", ["Constructed", "Called"])
def test_who_asks_to_exit_is_a_crash_and_not_the_end(name: str) -> None:
    bad, good = plans_of([a_cell(name, "exits"), a_cell(name, "exits", FITS)])
    assert (bad.status, good.status) == ("crash", "ok")
    assert bad.failure is not None
    assert (bad.failure.kind, bad.failure.message) == ("SystemExit", "enough")


def test_a_worker_that_dies_while_planning_costs_what_is_planned(workers: ProcessWorkers) -> None:
    cells = [
        a_cell("Linear"),
        a_cell("exits_on_import:Anything"),
        a_cell("exits_on_import:Anything", batch=3),
        a_cell("Constructed", "killed"),
        a_cell("Constructed", "killed", FITS),
        a_cell("Called", "killed"),
        a_cell("Called", "killed", batch=3),
        a_cell("Linear", batch=3),
    ]
    workers.plan(cells[:1])
    before = workers._inspector.pid
    plans = workers.plan(cells)
    assert [plan.status for plan in plans] == [
        "ok", "crash", "crash", "crash", "ok", "crash", "crash", "ok",
    ]  # fmt: skip
    assert workers._inspector.pid != before
    said = [plan.failure and plan.failure.message for plan in plans]
    assert said[1] == said[2] == "the worker process exited with code 0 (while it was loaded)"
    assert said[3] == said[5] == said[6] == "the worker process was killed by SIGKILL (while it was counted)"
    assert plans[7].value is not None
    assert plans[7].value.cost is not None


def test_planning_does_not_wait_for_ever(workers: ProcessWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchsuite.runner.plan.LEAST_S", 1.0)
    workers.plan([a_cell("Constructed", "")])
    (plan,) = workers.plan([a_cell("Constructed", "hangs")], timeout_s=1.0)
    assert (plan.status, plan.value) == ("timeout", None)
    assert plan.failure is not None
    assert plan.failure.message == "no answer within 1 s (while it was counted)"


SCENARIO = """
name: outside
title: What a module does of its own
sweep:
  mixer: [pooling, "behaving:Linear", {bad}]
  resolution: 128
  batch: 2
  dim: 32
  num_heads: 4
  kernel: {kernels}
  device: cpu
measure: {{max_s: 0.1, min_samples: 3, max_samples: 3, warmup_s: 0, rounds: 1, metrics: [latency, cost],
  ceilings: false, threads: 1}}
"""


def scenario(folder: Path, bad: str, kernels: str = "math") -> Path:
    path = folder / "outside.yaml"
    path.write_text(SCENARIO.format(bad=bad, kernels=kernels), encoding="utf-8")
    return path


def swept(folder: Path, workers: ProcessWorkers, bad: str, kernels: str = "math") -> dict[str, Record]:
    request = Request(str(scenario(folder, bad, kernels)), pythonpath=(str(OUTSIDE),))
    run_sweep(prepare(request, workers), folder / "run", LocalExecutor(workers), Watching())
    return {f"{record.cell.name} {record.cell.kernel}": record for record in read_run(folder / "run").records}


def test_a_module_that_ends_its_importer_is_a_record_and_the_others_are_measured(
    tmp_path: Path, workers: ProcessWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, at_once in ((tmp_path / "small", 1000), (tmp_path / "large", 0)):
        folder.mkdir()
        monkeypatch.setattr("benchsuite.runner.plan.AT_ONCE", at_once)
        found = swept(folder, workers, '"exits_on_import:Anything"')
        assert [record.status for record in found.values()].count("ok") == 2
        bad = found["Anything math"]
        assert (bad.status, bad.failure and bad.failure.kind) == ("crash", "exit code 0")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (("check", "--build"), 2, "2 of 3 cells build"),
        (("run", "--dry-run"), 0, "exited with code 0 (while it was loaded)"),
        (("baseline", "exact"), 0, "3 cells"),
    ],
)
def test_commands_that_plan_outlive_a_module_that_exits(
    tmp_path: Path, command: tuple[str, ...], code: int, said: str
) -> None:
    path = scenario(tmp_path, '"exits_on_import:Anything"')
    out = ("--out", tmp_path / "b.json") if command == ("baseline", "exact") else ()
    answer = called(*command, path, "--pythonpath", OUTSIDE, *out)
    assert answer.code == code, answer
    assert said in answer.out


@pytest.mark.parametrize(
    ("how", "flag"),
    [
        ("halves its input", "changes_input"),
        ("changes its output", "changes_input"),
        ("drops", "random_output"),
        ("takes a logarithm", "not_finite"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("kernel", ["math", "sdpa"])
@pytest.mark.parametrize("mode", ["inference", "forward_backward"])
def test_what_a_module_does_on_every_kernel_is_a_flag_and_no_mismatch(
    how: str, flag: str, kernel: str, mode: str
) -> None:
    if mode == "forward_backward" and flag == "changes_input":
        pytest.skip("torch refuses to change a leaf in place")
    cell = a_cell("Attends", how, kernel=kernel, mode=mode)
    answer = calls.visit(cell, QUICK, Visit())
    assert answer.value is not None, answer.failure
    assert answer.value.flags == ((flag,) if flag else ())
    assert (answer.value.check is None) == (kernel == "math")
    if answer.value.check is not None and flag == "random_output":
        assert answer.value.check.reason.startswith("its output is random")
    if answer.value.check is not None and flag in ("", "changes_input"):
        assert answer.value.check.error is not None


def test_a_protocol_without_warm_up_is_compared_on_an_input_as_it_was() -> None:
    cell = a_cell("Attends", "halves its input", kernel="sdpa", protocol="hilo_single_layer")
    answer = calls.visit(cell, QUICK, Visit())
    assert answer.value is not None
    assert answer.value.flags == ("changes_input",)
    assert answer.value.check is not None
    assert answer.value.check.error is not None


def test_dropout_in_training_is_what_training_is_for() -> None:
    answer = calls.visit(a_cell("Attends", "drops", mode="training_step"), QUICK, Visit())
    assert answer.value is not None
    assert answer.value.flags == ()


def test_record_terminal_and_report_show_what_a_module_does(
    tmp_path: Path, workers: ProcessWorkers, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = '{name: "behaving:Attends", label: Logarithm, params: {how: takes a logarithm}}'
    found = swept(tmp_path, workers, bad)
    assert "not_finite" in found["Logarithm math"].flags
    assert not set(BEHAVIOUR) & set(found["Linear math"].flags)
    print_summary(list(found.values()), {})
    assert f"not finite  Logarithm: {BEHAVIOUR['not_finite']}" in capsys.readouterr().out
    page = tmp_path / "page.html"
    render([read_run(tmp_path / "run")], out=page)
    text = page.read_text(encoding="utf-8")
    assert f"Logarithm). {BEHAVIOUR['not_finite']}" in text
    assert ">not finite</abbr>" in text


def visit_named(workers: ProcessWorkers, name: str) -> WorkerReply[Record]:
    return visit(workers, a_cell(name), QUICK, 60.0)


def median(answer: WorkerReply[Record]) -> float:
    assert answer.value is not None, answer.failure
    return sorted(answer.value.timing.samples_s)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize("name", ["Forks", "ForksAndRaises"])
def test_a_copy_of_a_worker_never_answers_in_its_place(workers: ProcessWorkers, name: str) -> None:
    workers.begin_round()
    visit_named(workers, name)
    pid = workers._timers["retain"].pid
    assert median(visit_named(workers, "Sleeps")) > 0.005
    assert median(visit_named(workers, "Linear")) < 0.005
    assert workers._timers["retain"].pid == pid


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_processes_of_a_modules_own_do_their_work(workers: ProcessWorkers) -> None:
    assert visit_named(workers, "Pools").status == "ok"


def test_a_module_that_reads_does_not_read_the_calls(workers: ProcessWorkers) -> None:
    answer = visit_named(workers, "Reads")
    assert answer.status == "ok", answer.failure
    assert visit_named(workers, "Linear").status == "ok"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends what has a session of its own")
def test_what_a_worker_has_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "children"
    monkeypatch.setenv("BEHAVING_CHILDREN", str(file))
    with closing(ProcessWorkers([str(OUTSIDE)])) as workers:
        assert visit_named(workers, "LeavesChildren").status == "ok"
        children = [int(pid) for pid in file.read_text(encoding="ascii").split()]
        assert all(runs(pid) for pid in children)
    wait_until(lambda: not any(runs(pid) for pid in children))
