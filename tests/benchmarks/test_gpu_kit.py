"""`make gpu-check` and `make gpu-proof`: what they run with and without a GPU, go on with, and judge."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchsuite.results.record import Busy, Compilation, Failure, Record
from benchsuite.runner.prepare import profile_for
from benchsuite.scenario import filters
from benchsuite.scenario.expand import expand
from benchsuite.scenario.load import load, resolve
from benchsuite.zoo.catalogue import known_parameters
from tests.builders import make_cell, make_record


@pytest.fixture(scope="module")
def kit(repository: Path) -> Iterator[Any]:
    """The scripts, which import each other from their folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        patch.setattr(sys, "path", [*sys.path])
        names = ("gpu_kit", "gpu_steps", "gpu_expect", "gpu_probe")
        yield SimpleNamespace(**{name[4:]: importlib.import_module(name) for name in names})


class Commands:
    """Runs nothing: a command ends as the script says of the word it contains, else with 0."""

    def __init__(self, **codes: int | None) -> None:
        self.codes = codes
        self.ran: list[str] = []
        self.limits: list[float] = []

    def __call__(self, command: Sequence[str], log: Path, limit_s: float) -> int | None:
        words = " ".join(command)
        self.ran.append(words)
        self.limits.append(limit_s)
        log.write_text("first\nlast line of it\n")
        return next((code for word, code in self.codes.items() if word in words), 0)


def unjudged(steps: Sequence[Any]) -> list[Any]:
    """The same steps, of which nothing is expected: no command writes any records."""
    return [replace(step, expects=()) for step in steps]


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """First words of the lines about steps that are over."""
    lines = capsys.readouterr().out.splitlines()
    return [line.split()[0] for line in lines if not line.startswith((" ", "..."))]


@pytest.mark.parametrize("name", ["check", "proof"])
def test_with_a_gpu_every_step_is_run_and_keeps_its_output(
    kit: Any, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    commands, todo = Commands(), unjudged(getattr(kit.steps, name)(repository))
    assert kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), commands, 1e9).steps(todo)
    assert len(commands.ran) == len(todo)
    assert not [words for words in commands.ran if "pip" in words]
    assert {path.parent.name for path in tmp_path.glob("*/log.txt")} == {step.name for step in todo}
    assert said(capsys) == ["ok"] * len(todo)


def test_the_gpu_tests_are_those_of_all_files_that_hold_some(kit: Any, repository: Path) -> None:
    command = kit.steps.gpu_tests(repository)
    assert "tests/measurement/test_device.py" in command
    assert {str(path.relative_to(repository)) for path in (repository / "tests/gpu").glob("test_*.py")} <= {
        *command
    }
    assert "tests/test_format.py" not in command


def test_each_check_is_thought_to_take_less_than_eight_minutes_and_each_step_of_the_proof_less_than_ten(
    kit: Any, repository: Path
) -> None:
    assert sum(step.seconds for step in kit.steps.check(repository)) < kit.kit.BUDGETS["check"] < 480
    assert max(step.seconds for step in kit.steps.proof(repository)) < kit.kit.LONGEST_S < 600


CELLS = {"kit": 2, "memory-limit": 2, "kernels": 144, "flex": 12, "compile": 12, "memory": 2, "networks": 24,
         "cold": 3, "hilo": 45, "hilo-again": 45}  # fmt: skip
"""Step → cells, counted by hand: 18 mixers, 2 formats, 4 kernels; and so on."""


def test_the_runs_of_the_kit_have_the_cells_that_they_should(kit: Any, repository: Path) -> None:
    runs = [step for step in (*kit.steps.check(repository), *kit.steps.proof(repository)) if step.run]
    for step in runs:
        words, options = [*step.command], {"--profile": [], "--set": [], "--filter": []}
        for option, value in itertools.pairwise(words):
            if option in options:
                options[option].append(value)
        path = resolve(words[3])
        named = options["--profile"] or [
            found for found in [profile_for("cuda:0", (), load(path, known_parameters()))] if found
        ]
        scenario = load(path, known_parameters(), profiles=named, overrides=options["--set"])
        chosen = filters.parse(options["--filter"][0]).matches if options["--filter"] else lambda _: True
        cells = [cell for cell in expand(scenario, device="cuda:0") if chosen(cell)]
        assert len(cells) == CELLS.get(step.name, len(cells)), step.name
        assert cells
        assert step.expects, step.name  # an exit code says too little of a run


def test_without_a_gpu_it_says_what_it_leaves_out_and_runs_the_rest(
    kit: Any, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands, todo = Commands(), unjudged(kit.steps.check(repository))
    assert kit.kit.Sitting(tmp_path, kit.kit.Here(""), commands, 1e9).steps(todo)
    assert len(commands.ran) == 2
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("skip") and "no CUDA device" in line for line in lines) == len(todo) - 2


def test_with_a_gpu_tests_that_cannot_run_are_a_failure(
    kit: Any, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = kit.kit.Here("a GPU", frozenset({"pytest"}))
    assert not kit.kit.Sitting(tmp_path, here, Commands(), 1e9).steps(unjudged(kit.steps.check(repository)))
    assert (
        "pytest cannot be imported; carry wheels and name their folder: WHEELS=DIR" in capsys.readouterr().out
    )


@pytest.mark.parametrize("code", [1, 3, None])
def test_a_step_that_fails_or_takes_too_long_stops_no_other_and_shows_its_log(
    kit: Any, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: int | None
) -> None:
    commands, todo = Commands(litv2_table4=code), unjudged(kit.steps.proof(repository))
    assert not kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), commands, 1e9).steps(todo)
    assert len(commands.ran) == len(todo)
    out = capsys.readouterr().out
    assert ("took longer than" if code is None else f"exit code {code}") in out
    assert "      first" in out
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")].count("FAIL") == 1


class Clock:
    """Advances as the commands say that they take."""

    def __init__(self, *took: float) -> None:
        self.now, self.took = 0.0, iter(took)

    def __call__(self) -> float:
        return self.now

    def run(self, *_: object) -> int:
        self.now += next(self.took)
        return 0


def steps(kit: Any, *seconds: float) -> list[Any]:
    return [kit.steps.Step(name=f"step{i}", command=("x.py",), seconds=s) for i, s in enumerate(seconds)]


def test_all_steps_share_one_budget_and_the_rest_is_left_for_another_time(
    kit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(200.0, 200.0, 100.0)
    sitting = kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), clock.run, 470.0, now=clock)
    assert not sitting.steps(steps(kit, 200, 200, 100, 100))
    assert said(capsys) == ["ok", "ok", "ok", "left"]


def test_a_machine_that_was_slower_than_thought_is_given_more_time(kit: Any, tmp_path: Path) -> None:
    first, second = steps(kit, 100, 120)
    clock = Clock(150.0)
    sitting = kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), clock.run, 1e9, now=clock)
    assert sitting.limit_s(second) == 240
    sitting.steps([first])
    assert sitting.limit_s(second) == 360
    assert sitting.limit_s(replace(second, seconds=1.0)) == kit.kit.SHORTEST_S
    assert sitting.limit_s(replace(second, seconds=1000.0)) == kit.kit.LONGEST_S


def test_a_proof_goes_on_where_it_was_left(
    kit: Any, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    todo = [
        step for step in unjudged(kit.steps.proof(repository)) if step.name in ("clocks", "kernels", "hilo")
    ]
    kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), Commands(zoo=None), 1e9).steps(todo)
    written = tmp_path / "kernels" / "run"
    written.mkdir()
    (written / "scenario.json").write_text("{}")  # what a run that was broken off leaves, among other things
    again = Commands()
    assert kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), again, 1e9).steps(todo)
    assert again.ran == [f"{sys.executable} -m benchsuite run --resume {written} --retry crash,timeout,error"]
    assert said(capsys) == ["ok", "FAIL", "ok", "ok", "ok", "ok"]
    assert json.loads((tmp_path / "steps.json").read_text())["kernels"]["ok"] is True


def test_a_command_that_hangs_is_ended_and_what_one_says_is_printed_and_kept(
    kit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    hangs = [sys.executable, "-c", "import signal; signal.pause()"]
    assert kit.kit.run_step(hangs, log, 0.5, os.environ) is None
    ends = [sys.executable, "-c", "import os; print(os.environ['SAID']); raise SystemExit(7)"]
    assert kit.kit.run_step(ends, log, 60.0, {**os.environ, "SAID": "said"}) == 7
    assert log.read_text() == "said\n"
    assert capsys.readouterr().out == "    said\n"
    assert kit.kit.run_step(["no-such-program"], log, 60.0, os.environ) == 127


def wheel(folder: Path, name: str) -> Path:
    """A wheel of one module, as small as can be."""
    folder.mkdir(exist_ok=True)
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "CARRIED = True\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


def test_wheels_that_were_carried_are_put_aside_once_and_found(kit: Any, tmp_path: Path) -> None:
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    wheel(wheels, "carried_by_hand")
    environment = {**os.environ, "PYTHONPATH": str(site)}
    asked = ("carried_by_hand", "not_carried_at_all")
    kit.kit.installed(wheels, site)
    assert kit.kit.look(environment, asked) == kit.kit.Here("", frozenset({"not_carried_at_all"}))
    (site / "carried_by_hand.py").unlink()
    kit.kit.installed(wheels, site)  # the same wheels: nothing is done
    assert not (site / "carried_by_hand.py").exists()


def test_a_folder_without_wheels_and_a_wheel_for_another_python_end_it(kit: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no wheels"):
        kit.kit.installed(tmp_path, tmp_path / "site")
    wheel(tmp_path, "alien").rename(tmp_path / "alien-1.0-cp27-cp27m-win32.whl")
    with pytest.raises(SystemExit, match="cannot be installed"):
        kit.kit.installed(tmp_path, tmp_path / "site")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("gpu-check", "check"),
        ("gpu-proof WHEELS=/brought", "proof --wheels /brought"),
        ("gpu-proof ARGS=hilo", "proof hilo"),
    ],
)
def test_make_takes_the_python_that_is_named_and_installs_nothing(
    repository: Path, target: str, words: str
) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", *target.split(), "PYTHON=/opt/brought/python"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["/opt/brought/python", "benchmarks/gpu_kit.py", *words.split()]


def test_a_probe_that_raises_is_bad_and_stops_no_other(
    kit: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises() -> tuple[bool, str]:
        raise RuntimeError("CUDA error: an illegal memory access\nmore")

    monkeypatch.setattr(kit.probe.torch.cuda, "is_available", lambda: True)
    assert kit.probe.main({"one": raises, "two": lambda: (True, "facts")}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["BAD", "one"], ["ok", "two"]]
    assert lines[0].endswith("RuntimeError: CUDA error: an illegal memory access")
    monkeypatch.setattr(kit.probe.torch.cuda, "is_available", lambda: False)
    assert kit.probe.main() == 0
    assert said(capsys) == ["skip"] * 12


# What must come out, on records that are planted.


def complaints(kit: Any, name: str, *records: Record, before: Any = None, **more: Any) -> list[str]:
    found = getattr(kit.expect, name)(kit.expect.Seen(records, **more), before)
    return list(found)


def failed(status: Any, kind: str = "Test", **fields: Any) -> Record:
    return make_record(
        make_cell(**fields), status=status, failure=Failure(stage="time", kind=kind, message="planted")
    )


def test_a_run_with_no_records_or_with_another_end_is_complained_of(kit: Any) -> None:
    check = kit.expect.ends_with("ok", "unsupported")
    assert list(check(kit.expect.Seen(), None)) == ["there are no records"]
    seen = kit.expect.Seen([make_record(), failed("unsupported"), failed("crash", name="X")])
    (complaint,) = check(seen, None)
    assert "crash, planted" in complaint


def test_flash_is_expected_on_plain_attention_in_bf16_and_never_in_fp32(kit: Any) -> None:
    def flash(name: str, dtype: Any, status: Any) -> Record:
        fields = {"name": name, "kernel": "flash", "dtype": dtype}
        return make_record(make_cell(**fields)) if status == "ok" else failed(status, **fields)

    right = (
        flash("msa", "bf16", "ok"),
        flash("msa", "fp32", "unsupported"),
        flash("nat", "bf16", "unsupported"),
    )
    assert complaints(kit, "flash_where_it_can", *right) == []
    wrong = flash("msa", "bf16", "unsupported"), flash("nat", "fp32", "ok")
    assert len(complaints(kit, "flash_where_it_can", *wrong)) == 2


def test_a_forced_kernel_that_ran_as_another_is_complained_of(kit: Any) -> None:
    def ran(*backends: str) -> Any:
        cell = make_cell(kernel="mem_efficient")
        return SimpleNamespace(cell=cell, id=cell.id, status="ok", attention_backend=backends)

    assert complaints(kit, "backend_asked_for", ran("efficient"), ran(), make_record()) == []
    assert len(complaints(kit, "backend_asked_for", ran("math"), ran("efficient", "math"))) == 2


def test_what_was_compiled_again_or_overwritten_is_complained_of(kit: Any) -> None:
    once = Compilation(seconds=1.0, graphs=1, graph_breaks=0, recompiles=0)
    assert complaints(kit, "compiled_once", make_record(), make_record(compilation=once)) == []
    again = make_record(compilation=replace(once, recompiles=2))
    log = "Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run."
    assert len(complaints(kit, "compiled_once", again, log=log)) == 2


def test_a_small_peak_under_cuda_graphs_is_complained_of(kit: Any) -> None:
    def peak(mode: Any, share: float | None) -> Record:
        record = make_record(make_cell(compile=mode))
        assert record.memory is not None
        size = replace(record.memory, peak_allocated_bytes=int(1000 * share)) if share else None
        return replace(record, memory=size)

    assert (
        complaints(kit, "graphs_take_their_memory", peak("default", 1.0), peak("reduce-overhead", 0.9)) == []
    )
    assert (
        complaints(kit, "graphs_take_their_memory", peak("default", 1.0), peak("reduce-overhead", None)) == []
    )
    assert complaints(kit, "graphs_take_their_memory", peak("default", 1.0), peak("reduce-overhead", 0.2))


def test_896_pixels_fit_and_1120_are_foreseen_not_to(kit: Any) -> None:
    def at(side: int, kind: str = "") -> Record:
        fields = {"resolution": (side, side)}
        return failed("oom", kind, **fields) if kind else make_record(make_cell(**fields))

    assert complaints(kit, "fits_up_to_896", at(896), at(1120, "TooLarge")) == []
    assert len(complaints(kit, "fits_up_to_896", at(896, "TooLarge"), at(1120, "OutOfMemoryError"))) == 2
    assert len(complaints(kit, "fits_up_to_896", at(1120))) == 1


def machine(name: str = "NVIDIA H200", copy: float = 4.2e12, **rates: float) -> dict[str, Any]:
    found = {"device": "cuda:0", "macs_per_s": rates, "copy_bytes_per_s": copy}
    return {"gpu": {"name": name}, "ceilings": [found]}


def test_ceilings_are_those_of_an_h200_if_it_is_one(kit: Any) -> None:
    right, wrong = machine(bf16=390e12, fp32=26e12), machine(copy=2e12, bf16=300e12, fp32=26e12)
    assert complaints(kit, "ceilings_of_an_h200", environment=right) == []
    assert [line.split(":")[0] for line in complaints(kit, "ceilings_of_an_h200", environment=wrong)] == [
        "bf16 MAC/s", "copy B/s",
    ]  # fmt: skip
    other = machine("NVIDIA A100", copy=1.3e12, bf16=130e12)
    assert complaints(kit, "ceilings_of_an_h200", environment=other) == []


def test_a_cell_above_the_roof_is_complained_of(kit: Any) -> None:
    record = make_record(
        make_cell(device="cuda:0", dtype="autocast_bf16"), samples=(1e-6,) * 3
    )  # 1000 MACs, 2 images
    assert complaints(kit, "below_the_roof", record, environment=machine(bf16=2e9)) == []
    assert complaints(kit, "below_the_roof", record, environment=machine(bf16=1.8e9))


def test_two_runs_agree_but_for_cells_that_wait_for_the_host(kit: Any) -> None:
    def cell(seconds: float, busy: float = 0.0) -> Record:
        record = make_record(samples=(seconds,) * 3)
        assert record.timing is not None
        known = Busy(seconds=busy or seconds, method="cuda_graph")
        return replace(record, timing=replace(record.timing, busy=known))

    def compared(now: Record, was: Record) -> list[str]:
        return complaints(kit, "same_as_before", now, before=kit.expect.Seen([was]))

    assert compared(cell(1.02), cell(1.0)) == []
    assert len(compared(cell(1.04), cell(1.0))) == 1
    assert compared(cell(1.04, busy=0.5), cell(1.0)) == ["no cell can be compared"]
    assert complaints(kit, "same_as_before", cell(1.0)) == ["there is no run to compare with"]


@pytest.mark.parametrize(("statuses", "sound"), [(("ok", "unsupported"), True), (("ok",), False)])
def test_of_cells_that_failed_the_step_says_which_may(
    kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statuses: tuple[str, ...], sound: bool
) -> None:
    """`benchsuite run` ends with 3 where kernels do not exist."""
    step = kit.steps.run("one", "zoo", seconds=1.0, expects=(kit.expect.ends_with(*statuses),))
    seen = kit.expect.Seen([make_record(), failed("unsupported")])
    monkeypatch.setattr(kit.kit.Sitting, "_seen", lambda self, name: seen)
    assert kit.kit.Sitting(tmp_path, kit.kit.Here("a GPU"), Commands(zoo=3), 1e9).steps([step]) is sound
    assert not kit.kit.Sitting(tmp_path / "x", kit.kit.Here("a GPU"), Commands(zoo=1), 1e9).steps([step])
