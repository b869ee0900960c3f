"""The self-test: sound instruments pass its checks and broken ones fail them; a quick one from end to end."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchsuite.cli import main
from benchsuite.health import checks
from benchsuite.health.aa import MachineNoise, Trial
from benchsuite.health.checks import CHECKS, ON_GPU, WAIT_S, Bench, KnownWait, examine
from benchsuite.health.selftest import (
    CELLS,
    FULL,
    QUICK,
    Selftest,
    Settings,
    cells_of,
    measured_alike,
    selftest,
)
from benchsuite.health.verdict import Effort, Verdict
from benchsuite.measurement.device import Step
from benchsuite.results.cell import Cell
from benchsuite.results.record import Failure, Record, Timing
from benchsuite.runner.workers import InlineWorkers, Workers
from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker.worker_reply import WorkerReply
from tests.doubles.fake_device import FakeDevice

LITTLE = Effort(turns=2, turn_s=0.001, waits=3)
TINY = Settings(
    runs=2,
    pause_s=0.0,
    measure=Measure(
        metrics=("latency",),
        warmup_calls=1,
        warmup_s=0.0,
        min_samples=6,
        max_samples=6,
        rounds=3,
        threads=1,
        precision=None,
    ),
    effort=LITTLE,
    kept=False,
)
EXACT = (
    "MACs of a product",
    "MACs of fused attention",
    "bytes of a copy",
    "memory of a linear layer",
)
"""Checks that no noise has a part in."""


def fake(seconds: float = 0.001, **options: Any) -> FakeDevice:
    return FakeDevice(itertools.repeat(seconds), **options)


def made(name: str, timer: FakeDevice, noise: float = 0.0) -> Verdict:
    """The verdict of one check with a timer of ours, on tensors of the CPU."""
    return (dict(CHECKS) | dict(ON_GPU))[name](name, Bench("cpu", timer, noise, LITTLE))


def test_counters_and_memory_of_this_machine_are_exact() -> None:
    found = {verdict.name: verdict for verdict in examine("cpu", 0.0, LITTLE)}
    assert list(found) == list(CHECKS)
    assert {name: found[name].level for name in EXACT} == dict.fromkeys(EXACT, "ok")
    assert len(found["a wait of known length"].numbers) == LITTLE.waits


def test_a_counter_that_overlooks_fused_attention_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchsuite.measurement import op_rules, op_table

    for name in op_rules.RULES:
        if "attention" in name:
            monkeypatch.setitem(op_table._OWN, name, lambda inputs, outputs: 0)
    assert made("MACs of fused attention", fake()).level == "fail"
    assert made("MACs of a product", fake()).level == "ok"


def test_a_memory_pass_that_is_four_bytes_off_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from benchsuite.measurement.memory import measure_memory

    def wrong(*given: Any) -> Any:
        memory = measure_memory(*given)
        return replace(
            memory,
            peak_allocated_bytes=memory.peak_allocated_bytes + 4,
            input_bytes=memory.input_bytes + 4,
        )

    monkeypatch.setattr(checks, "measure_memory", wrong)
    assert made("memory of a linear layer", fake()).level == "fail"
    assert made("bytes of a copy", fake()).level == "fail"


def test_a_wait_lasts_as_long_as_it_is_told_to() -> None:
    wait = KnownWait(0.002)
    wait()
    wait()
    assert len(wait.took_s) == 2
    assert min(wait.took_s) >= 0.002


class Untrue(FakeDevice):
    """Reads a wait as `factor` times what it took."""

    def __init__(self, factor: float) -> None:
        super().__init__(itertools.repeat(WAIT_S))
        self.factor = factor

    def time_calls(self, step: Step, calls: int, *, before: Step | None = None) -> list[float]:
        super().time_calls(step, calls, before=before)
        assert isinstance(step, KnownWait)
        return [self.factor * took for took in step.took_s[-calls:]]


@pytest.mark.parametrize(("factor", "level"), [(1.0, "ok"), (1.01, "ok"), (2.0, "fail"), (1e-3, "fail")])
def test_a_clock_that_reads_something_else_fails(factor: float, level: str) -> None:
    assert made("a wait of known length", Untrue(factor)).level == level


def test_the_timer_of_torch_takes_as_many_threads_as_we_do_and_a_wrong_one_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[int] = []

    class Timer:
        def __init__(self, stmt: str, globals: Mapping[str, Any], num_threads: int) -> None:  # noqa: A002
            threads.append(num_threads)

        def blocked_autorange(self, min_run_time: float) -> Any:
            measured = ModuleType("measured")
            measured.median = 0.001  # type: ignore[attr-defined]
            return measured

    monkeypatch.setattr("torch.utils.benchmark.Timer", Timer)
    monkeypatch.setattr(checks, "HOST_SIDE", 8)
    assert made("torch.utils.benchmark", fake(0.00101)).level == "ok"
    assert made("torch.utils.benchmark", fake(0.00105)).level == "fail"
    assert made("torch.utils.benchmark", fake(0.00105), noise=0.08).level == "ok"
    assert threads == [torch.get_num_threads()] * 3


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products that a CPU is done with at once stand for a GPU's."""
    monkeypatch.setattr(checks, "SIDE", 8)


@pytest.mark.usefixtures("small")
def test_do_bench_is_compared_where_there_is_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert made("triton do_bench", fake(kind="cuda")).level == "skip"
    testing = ModuleType("triton.testing")
    testing.do_bench = lambda step, rep, return_mode: 1.0  # type: ignore[attr-defined]  # in milliseconds
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    monkeypatch.setitem(sys.modules, "triton.testing", testing)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert made("triton do_bench", fake(0.001, kind="cuda")).level == "ok"
    assert made("triton do_bench", fake(0.002, kind="cuda")).level == "fail"


@pytest.mark.usefixtures("small")
def test_events_that_differ_from_the_wall_clock_are_found() -> None:
    assert made("events and wall clock", fake(0.001, kind="cuda")).level == "ok"
    lame = fake(0.001, kind="cuda", host_seconds_per_call=0.003)
    lame.time_block = lambda step, calls: 0.003 * calls  # type: ignore[method-assign]
    assert made("events and wall clock", lame).level == "fail"


class Replays(FakeDevice):
    method_of_busy = "cuda_graph"

    def time_busy(self, step: Step, calls: int) -> tuple[str, list[float]] | None:
        return self.method_of_busy, [0.001] * calls


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("profiled", "level"), [(0.00095, "ok"), (0.0008, "fail"), (0.0013, "fail"), (None, "warn")]
)
def test_a_replay_is_held_against_the_profiler(
    monkeypatch: pytest.MonkeyPatch, profiled: float | None, level: str
) -> None:
    monkeypatch.setattr("benchsuite.health.checks.kernel_seconds", lambda step, calls: profiled)
    assert made("replay and profiler", Replays(itertools.repeat(0.001), kind="cuda")).level == level


@pytest.mark.usefixtures("small")
def test_a_product_that_cannot_be_captured_is_a_fault() -> None:
    timer = Replays(itertools.repeat(0.001), kind="cuda")
    timer.method_of_busy = "profiler"
    assert made("replay and profiler", timer).level == "fail"


def test_a_check_that_raises_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(name: str, bench: Bench) -> Verdict:
        raise RuntimeError("planted")

    def fine(name: str, bench: Bench) -> Verdict:
        return Verdict(name, "ok", "", "", "")

    monkeypatch.setattr(checks, "CHECKS", {"bad": raises, "good": fine})
    assert [(one.name, one.level) for one in examine("cpu", 0.0, LITTLE)] == [("bad", "fail"), ("good", "ok")]


def test_turns_begin_with_ours_and_theirs_by_turns() -> None:
    log: list[str] = []

    def clock(name: str, seconds: float) -> Callable[[], float]:
        def read() -> float:
            log.append(name)
            return seconds

        return read

    assert checks._in_turns(clock("our", 2.0), clock("their", 1.0), 3) == [2.0, 2.0, 2.0]
    assert " ".join(log[2:]) == "our their their our our their"  # the first two warm up


def test_the_cells_differ_in_nothing_but_their_names() -> None:
    from dataclasses import replace

    cells = cells_of("cuda:0")
    assert len({cell.id for cell in cells}) == len(cells) == CELLS
    assert len({replace(cell, name="").id for cell in cells}) == 1


class Scripted(InlineWorkers):
    """Answers visits from a script."""

    def __init__(self, answer: Callable[[Cell], WorkerReply[Record]]) -> None:
        super().__init__()
        self.answer = answer

    def timer(self, allocator: str) -> Any:
        return self

    def call(self, function: str, cell: Cell, *others: Any, **more: Any) -> WorkerReply[Record]:
        return self.answer(cell)


def test_a_trial_has_the_medians_of_the_rounds_of_all_cells() -> None:
    middles = {"A1": 0.010, "A2": 0.020, "A3": 0.030}

    def answer(cell: Cell) -> WorkerReply[Record]:
        samples = tuple(middles[cell.name] + 0.001 * k for k in (-2, -1, 0, 1, 2))
        middles[cell.name] += 0.1
        timing = Timing(
            samples_s=samples, method="", warmup_calls=0, warmup_s=0.0, stopped_by="samples", threads=1
        )
        return WorkerReply(
            Record(id=cell.id, cell=cell, status="ok", timing=timing, started_at="", seconds=0.0)
        )

    workers = Scripted(answer)
    try:
        trial = measured_alike(cells_of("cpu"), TINY.measure, workers)
    finally:
        workers.close()
    assert isinstance(trial, Trial)
    assert [list(cell) for cell in trial.cells] == [
        pytest.approx([first, first + 0.1, first + 0.2]) for first in (0.010, 0.020, 0.030)
    ]


def test_a_cell_that_cannot_be_timed_fails_the_self_test_and_the_other_checks_are_made() -> None:
    def answer(cell: Cell) -> WorkerReply[Record]:
        return WorkerReply(status="oom", failure=Failure(stage="time", kind="E", message="no memory left"))

    found = selftest("cpu", TINY, lambda: Scripted(answer), lambda words: None)
    assert (found.verdicts[0].level, found.verdicts[0].means) == (
        "fail",
        "the cell could not be timed; oom: no memory left",
    )
    assert [one.name for one in found.verdicts[1:]] == list(CHECKS)
    assert not found.passed
    assert found.document["noise_percent"] is None


@pytest.mark.slow
def test_a_self_test_goes_from_end_to_end() -> None:
    said: list[str] = []
    found = selftest("cpu", TINY, InlineWorkers, said.append, ("benchsuite", "selftest"))
    names = [verdict.name for verdict in found.verdicts]
    assert names[5:] == list(CHECKS)
    assert all(name.startswith("A/A: ") for name in names[:5])
    assert [one.level for one in found.verdicts if one.name in EXACT] == ["ok"] * len(EXACT)
    assert len(found.trials) == 2
    assert said[0] == "the same cell 3 times, run 1 of 2"
    document = found.document
    assert json.loads(json.dumps(document)) == document
    assert document["environment"]["command"] == ["benchsuite", "selftest"]
    assert document["fingerprint"]["cpu"] == document["environment"]["cpu"]["model"]
    assert document["fingerprint"]["threads"] == document["environment"]["cpu"]["threads"]


def test_what_is_kept_is_thorough_and_the_quick_one_is_not_kept() -> None:
    assert FULL.kept
    assert not QUICK.kept
    assert FULL.runs > QUICK.runs


@pytest.mark.gpu
def test_on_a_gpu_counts_and_bytes_are_exact_and_no_check_raises() -> None:
    found = {verdict.name: verdict for verdict in examine("cuda:0", 0.0, LITTLE)}
    assert list(found) == [*CHECKS, *ON_GPU]
    assert {name: found[name].level for name in EXACT} == dict.fromkeys(EXACT, "ok")
    assert not [verdict for verdict in found.values() if "Error" in verdict.means]


def ended(*levels: str, quick: bool = False) -> Selftest:
    """A self-test with a verdict of each level."""
    return Selftest(
        date="2026-11-21T12:00:00+00:00",
        device="cpu",
        quick=quick,
        environment={},
        fingerprint={"device": "cpu"},
        noise=MachineNoise(4, 5, 0.024, 0.043, 0.01, 0.02, 0.0, 0, 12, 0, 18),
        verdicts=tuple(
            Verdict(f"check {k}", level, "1", "2", "this")  # type: ignore[arg-type]
            for k, level in enumerate(levels)
        ),
        seconds=3.0,
    )


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command with a self-test whose end is known: exit code, stdout, stderr."""

    def call(end: Selftest | BaseException, *words: str) -> tuple[int, str, str]:
        def scripted(
            device: str,
            settings: Settings,
            start: Callable[[], Workers],
            say: Callable[[str], None],
            command: tuple[str, ...],
        ) -> Selftest:
            say("beginning")
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("KINETO_LOG_LEVEL", "99")
        monkeypatch.setattr("benchsuite.health.selftest.selftest", scripted)
        monkeypatch.setattr(sys, "argv", ["benchsuite", "selftest", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def test_the_command_prints_a_table_and_is_content_with_warnings(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, err = command(ended("ok", "warn", "skip"), "--out", str(tmp_path / "new" / "folder"))
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["check", "ok", "warn", "–"]
    assert "cpu: the instrument is sound, 1 warning about the machine, 3 s" in lines
    assert "noise: 2.4% of a ratio within a run; drift: 4.3% of a latency from run to run" in lines
    assert err == "beginning …\n"
    written = json.loads((tmp_path / "new" / "folder" / "selftest.json").read_text())
    assert (written["noise_percent"], written["drift_percent"], written["passed"]) == (2.4, 4.3, True)


def test_a_fault_of_the_instrument_is_loud_and_makes_the_exit_code_1(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, _ = command(ended("ok", "fail"))
    assert code == 1
    assert "FAIL  check 1" in out
    assert "1 FAILED: do not trust numbers from here" in out


def test_a_run_can_read_the_self_test_afterwards_unless_it_was_quick(
    command: Callable[..., tuple[int, str, str]],
) -> None:
    from benchsuite.measurement.machine_cache import latest_selftest

    command(ended("ok", quick=True))
    assert latest_selftest({"device": "cpu"}) is None
    command(ended("fail"))
    found = latest_selftest({"device": "cpu"})
    assert found is not None
    assert (found["noise_percent"], found["drift_percent"], found["passed"]) == (2.4, 4.3, False)


def test_ctrl_c_ends_it_with_130(command: Callable[..., tuple[int, str, str]]) -> None:
    assert command(KeyboardInterrupt())[0] == 130


def test_a_folder_that_cannot_be_made_is_refused_before_time_is_spent(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = command(ended("ok"), "--out", str(tmp_path / "file" / "folder"))
    assert code == 2
    assert "cannot be made" in err
    assert "beginning" not in err
