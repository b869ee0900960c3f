"""Reruns on folders whose numbers the test has chosen: what counts as disjoint, as a flip, as slower."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchsuite.api.results import load
from benchsuite.report.reported_cells import Value, reported_cells
from benchsuite.results.record import Record
from benchsuite.results.store import RunWriter
from benchsuite.scenario.expand import expand
from benchsuite.scenario.load import load as load_scenario
from tests.builders import make_cell, make_record

CLAIM = {
    "id": "C1", "says": "HiLo is faster than MSA.", "source": "none", "metric": "latency_s",
    "subject": "HiLo", "against": "MSA", "expect": "lower",
}  # fmt: skip


@pytest.fixture
def modules(repository: Path) -> Iterator[tuple[ModuleType, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks"))
        yield importlib.import_module("rerun"), importlib.import_module("_agreement")


@pytest.fixture
def rerun(modules: tuple[ModuleType, ModuleType]) -> ModuleType:
    return modules[0]


@pytest.fixture
def agreement(modules: tuple[ModuleType, ModuleType]) -> ModuleType:
    return modules[1]


def timed(name: str, medians: Sequence[float], **axes: Any) -> Record:
    """A cell of three samples a round, with these medians."""
    samples = [median * factor for median in medians for factor in (0.99, 1.0, 1.01)]
    return make_record(make_cell(name=name, **axes), samples, rounds=[3] * len(medians))


def folder(path: Path, records: Sequence[Record], environment: Mapping[str, Any] | None = None) -> Path:
    """A run folder of these records."""
    scenario = {"name": "test", "sweep": {"mixer": [{"name": "msa", "label": "MSA"}]}, "claims": [CLAIM]}
    writer = RunWriter.create(path, scenario, environment or {})
    for record in records:
        writer.append(record)
    writer.close()
    return path


def test_intervals_that_do_not_meet_are_disjoint_and_missing_ones_are_counted(agreement: ModuleType) -> None:
    runs = [
        {"a": Value(1.0, 0.9, 1.1), "b": Value(1.0, 0.9, 1.1), "c": Value(1.0)},
        {"a": Value(1.2, 1.15, 1.3), "b": Value(1.1, 1.05, 1.2), "c": Value(1.0)},
        {"a": Value(1.0, 0.9, 1.1)},
    ]
    found = agreement.agreement(runs)
    assert (found.disjoint, found.pairs, found.unstated) == (2, 4, 2)  # a of runs 1 and 2, and of 2 and 3
    assert max(found.apart) == pytest.approx(1.2)
    assert found.told().startswith("disjoint 2 of 4 pairs = 50.0 %; half width 10.0 % in the median")
    assert found.told().endswith("2 numbers without an interval")


def test_nothing_that_can_be_paired_is_said_to_be_so(agreement: ModuleType) -> None:
    assert agreement.agreement([{"a": Value(1.0)}]).told() == "no pair with intervals; 1 numbers without one"


def test_verdicts_contradict_each_other_only_where_both_are_decided(agreement: ModuleType) -> None:
    found = agreement.flips(
        [
            {"a": "holds", "b": "holds", "c": "holds", "d": "undecided"},
            {"a": "holds", "b": "does not hold", "c": "undecided", "d": "undecided"},
        ]
    )
    assert (found.pairs, found.contradictions, found.changes) == (4, 1, 1)
    assert (found.undecided, found.verdicts) == (3, 8)
    same = agreement.flips([{"a": agreement.NO_DIFFERENCE}, {"a": "MSA"}])
    assert (same.contradictions, same.changes, same.undecided) == (0, 1, 0)


FAST, SLOW = [0.0100, 0.0101, 0.0099, 0.0100, 0.0102], [0.0200, 0.0203, 0.0198, 0.0201, 0.0204]


def test_ratios_are_paired_by_round_with_the_reference_on_the_same_kernel(
    agreement: ModuleType, tmp_path: Path
) -> None:
    noisy = [0.01, 0.03, 0.02, 0.05, 0.04]  # a process is slow as a whole: the ratio is 2 in each
    records = [
        timed("HiLo", noisy),
        timed("MSA", [2 * value for value in noisy]),
        timed("HiLo", FAST, kernel="sdpa"),
    ]
    run = load(folder(tmp_path / "run", records))
    assert agreement.reference_of(run) == "MSA"
    (found,) = agreement.ratios(reported_cells(run.records), "MSA").values()  # MSA has no sdpa here
    assert (found.value, found.lo, found.hi) == pytest.approx((2.0, 2.0, 2.0))


def test_verdicts_of_a_run_are_those_of_claims_of_the_fastest_and_of_kernels(
    agreement: ModuleType, tmp_path: Path
) -> None:
    records = [timed("HiLo", FAST), timed("MSA", SLOW), timed("MSA", FAST, kernel="sdpa")]
    run = load(folder(tmp_path / "run", records))
    cells = reported_cells(run.records)
    assert list(agreement.claims(run).values()) == ["holds"]
    # On sdpa HiLo, which has no other kernel, stands beside MSA and is as fast.
    assert list(agreement.fastest(cells).values()) == ["HiLo", "undecided"]
    assert list(agreement.kernels(cells).values()) == ["sdpa"]


def test_runs_that_are_there_are_compared_and_a_flip_is_seen(
    rerun: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = folder(tmp_path / "1", [timed("HiLo", FAST), timed("MSA", SLOW)])
    other = folder(tmp_path / "2", [timed("HiLo", SLOW), timed("MSA", FAST)])
    assert rerun.main(["--more", str(one), str(other)]) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["latency"].startswith("disjoint 2 of 2 pairs = 100.0 %")
    assert lines["speed × MSA"].startswith("disjoint 1 of 1 pairs = 100.0 %")
    assert lines["claims"].startswith("1 of 1 pairs contradict each other, 0 differ otherwise")
    assert lines["fastest"].startswith("1 of 1 pairs contradict each other")
    assert lines["kernels"] == "none"


def test_a_run_that_has_ended_is_kept_and_one_that_was_cut_off_is_run_anew(
    rerun: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def command(words: list[str], **_: Any) -> Any:
        path = Path(words[words.index("--out") + 1])
        assert not path.exists()
        asked.append(path)
        folder(path, [timed("HiLo", FAST)])
        return type("Ended", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr(rerun.subprocess, "run", command)
    folder(tmp_path / "2", [timed("HiLo", FAST)])  # has no line beside it: was cut off
    rerun.runs(["hilo"], tmp_path, 2, tmp_path)
    rerun.runs(["hilo"], tmp_path, 3, tmp_path)
    assert [path.name for path in asked] == ["1", "2", "3"]


def test_a_run_that_does_not_start_stops_the_rest_with_its_reason(
    rerun: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = type("Ended", (), {"returncode": 2, "stderr": "no such scenario"})
    monkeypatch.setattr(rerun.subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(RuntimeError, match="no such scenario"):
        rerun.runs(["hillo"], tmp_path, 2, tmp_path)
    assert rerun.done(tmp_path / "1") is None


@pytest.mark.parametrize(
    ("asked", "calls"), [("msa=10", (10, 11)), ("msa=12.5", (8, 9)), ("msa=100", (1, 2))]
)
def test_what_is_planted_does_its_work_once_more(
    rerun: ModuleType, tmp_path: Path, asked: str, calls: tuple[int, int]
) -> None:
    _, ratio = rerun.planted(asked, tmp_path)
    assert ratio == pytest.approx(calls[1] / calls[0])
    namespace: dict[str, Any] = {}
    exec((tmp_path / "planted.py").read_text(encoding="utf-8"), namespace)
    x, counted = torch.randn(1, 4, 8), []
    for name in ("Original", "Copy", "Planted"):
        module = namespace[name](dim=8, num_heads=2)
        ran: list[None] = []
        next(module.children()).register_forward_hook(lambda *_, ran=ran: ran.append(None))
        module(x, (2, 2))
        counted.append(len(ran))
    assert counted == [calls[0], calls[0], calls[1]]


@pytest.mark.parametrize("asked", ["msa", "msa=", "msa=ten", "msa=0", "msa=30", "msa=-10", "msa=300"])
def test_what_cannot_be_planted_exactly_is_refused(rerun: ModuleType, tmp_path: Path, asked: str) -> None:
    with pytest.raises(ValueError, match="--plant"):
        rerun.planted(asked, tmp_path)


def test_a_planted_scenario_expands(rerun: ModuleType, tmp_path: Path) -> None:
    name, _ = rerun.planted("hilo=10", tmp_path)
    cells = expand(load_scenario(tmp_path / name, {}), device="cpu")
    assert [cell.name for cell in cells] == ["Original", "Copy", "Planted"]


def test_the_planted_cell_is_called_slower_and_the_copy_is_not(rerun: ModuleType, tmp_path: Path) -> None:
    def planted(number: int, factor: float) -> Any:
        scatter = [1.0, 1.004, 0.997, 1.002, 0.996]
        return load(
            folder(
                tmp_path / str(number),
                [
                    timed("Original", FAST),
                    timed("Copy", [a * b for a, b in zip(FAST, reversed(scatter), strict=True)]),
                    timed("Planted", [factor * a * b for a, b in zip(FAST, scatter, strict=True)]),
                ],
                {"selftest": {"noise_percent": 2.0}},
            )
        )

    slower, same = rerun.planted_lines([planted(1, 1.1), planted(2, 1.1), planted(3, 1.0)], 1.1)
    assert slower.startswith("Planted, truly × 1.100: above in 2, same in 1 of 3 runs; × 1.1")
    assert slower.endswith("2 of 3 intervals hold the truth")
    assert same.startswith("Copy, truly × 1.000: same in 3 of 3 runs")
    assert math.isclose(float(same.partition("; × ")[2].partition(" ")[0]), 1.0, abs_tol=0.01)
