"""Baselines: what is kept of records, the file, and what is taken over by name."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchsuite.gate.accept import parse_accepted
from benchsuite.gate.baseline import (
    Baseline,
    BaselineCell,
    cell_of,
    dump,
    machine_digest,
    of_runs,
    read,
    write,
)
from benchsuite.gate.exact_baseline import renewed
from benchsuite.gate.formats.console import baseline_page
from benchsuite.results.record import Cost, Record
from benchsuite.results.store import Run
from benchsuite.scenario.gate_settings import Gate
from tests.builders import make_cell, make_record

MACHINE = {"device": "cpu", "cpu": {"model": "A", "threads": 2}, "torch": "2.13.0", "command": ["benchsuite"]}


def counted(name: str = "MSA", macs: int = 1000, **other_ops: int) -> BaselineCell:
    cost = Cost(params=10, macs=macs, other_ops=other_ops, counter="test 1")
    return cell_of([make_record(make_cell(name=name), cost=cost, timing=None, memory=None)])


def a_run(*records: Record, **scenario: Any) -> Run:
    return Run(path=Path("r"), scenario={"name": "tiny"} | scenario, environment=MACHINE, records=records)


def exact(*cells: BaselineCell) -> Baseline:
    return Baseline(kind="exact", name="tiny", cells=cells, sources=("tiny",))


def test_a_cell_keeps_a_log_median_for_each_process_and_the_exact_numbers() -> None:
    cell = cell_of([make_record(samples=(0.01, 0.02, 0.03)), make_record(samples=(0.04,) * 3)])
    assert cell.log_medians == pytest.approx((math.log(0.02), math.log(0.04)), abs=1e-6)
    assert cell.numbers == {"params": 4224, "macs": 1000, "peak_allocated_bytes": 300}
    assert cell.ways == {"macs": "test", "peak_allocated_bytes": "torch_profiler"}
    assert cell.reason == ""


def test_a_cell_that_failed_keeps_why_and_no_number() -> None:
    cell = cell_of([make_record(status="oom")])
    assert (cell.status, cell.reason, cell.log_medians, cell.numbers) == ("oom", "a planted oom", (), {})


def test_the_noise_of_a_cell_takes_three_processes() -> None:
    cell = replace(counted(), log_medians=(0.0, 0.01))
    assert cell.noise is None
    # standard deviation 0.01; t of 95 % and 2 degrees of freedom 4.3027; times the root of 2
    assert replace(cell, log_medians=(-0.01, 0.0, 0.01)).noise == pytest.approx(
        math.expm1(0.060849), abs=1e-5
    )


def test_a_baseline_of_runs_has_a_value_for_each_run_and_no_excluded_cell() -> None:
    skipped = make_record(make_cell(name="no"), status="skipped")
    baseline = of_runs([a_run(make_record(), skipped), a_run(make_record(), gate={"delta": 0.5})], 0.1)
    (cell,) = baseline.cells
    assert len(cell.log_medians) == 2
    assert baseline.noise == 0.1
    assert "command" not in baseline.machine
    assert of_runs([a_run(make_record(), gate={"delta": 0.5})], None).rule.delta == 0.5


def test_a_baseline_is_the_same_after_its_file_and_takes_a_line_a_cell(tmp_path: Path) -> None:
    run = of_runs(
        [a_run(make_record(), make_record(make_cell(name="oom", config={"a": 1}), status="oom"))], None
    )
    for baseline in (run, replace(run, rule=Gate(delta=0.1), noise=0.2), exact(counted(), counted("B"))):
        write(baseline, tmp_path / "new" / "b.json")
        again = read(tmp_path / "new" / "b.json")
        assert replace(again, cells=()) == replace(baseline, cells=())
        assert sorted(again.cells, key=lambda c: c.id) == sorted(baseline.cells, key=lambda c: c.id)
        lines = dump(baseline).splitlines()
        assert sum(line.startswith('{"cell":') for line in lines) == len(baseline.cells)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.json"]


def test_a_file_does_not_depend_on_the_order_of_cells() -> None:
    assert dump(exact(counted("A"), counted("B"))) == dump(exact(counted("B"), counted("A")))


def test_machines_share_digits_unless_a_gate_would_refuse_them() -> None:
    digits = machine_digest(MACHINE)
    assert machine_digest(MACHINE | {"torch": "3.0"}) == digits
    assert machine_digest(MACHINE | {"cpu": {"model": "B", "threads": 2}}) != digits
    gpu = {"device": "cuda:0", "gpu": {"name": "H200"}}
    assert machine_digest(gpu | {"device": "cuda:1"}) == machine_digest(gpu) != digits


def test_only_what_is_named_is_taken_over() -> None:
    old, new = exact(counted(softmax=1), counted("B")), exact(counted(macs=2000, softmax=2), counted("C"))
    after, taken, idle = renewed(old, new, parse_accepted(["MSA:macs", "params"]))
    assert [cell.numbers for cell in after.cells] == [
        {"params": 10, "macs": 2000, "other_ops.softmax": 1},
        {"params": 10, "macs": 1000},
    ]
    assert [line.partition(":")[2] for line in taken] == ["macs 1,000 → 2,000"]
    assert [str(one) for one in idle] == ["params"]


def test_cells_that_came_went_or_changed_their_status_are_taken_over_only_if_asked() -> None:
    failed = replace(counted("F"), status="unsupported", numbers={}, reason="why")
    old, new = exact(counted("A"), counted("F")), exact(counted("B"), failed)
    assert renewed(old, new, ())[0] == old
    after, taken, _ = renewed(old, new, (), cells=True)
    assert {cell.cell.name: cell.status for cell in after.cells} == {"B": "ok", "F": "unsupported"}
    assert {line.partition(": ")[2] for line in taken} == {
        "new",
        "gone",
        "ok → unsupported; its numbers leave the baseline, and nothing of it is compared while it fails: why",
    }


def test_an_operator_that_is_gone_leaves_the_baseline_when_it_is_accepted() -> None:
    after, _, _ = renewed(exact(counted(softmax=1)), exact(counted()), parse_accepted(["other_ops"]))
    assert after.cells[0].numbers == counted().numbers
    assert json.loads(dump(after))["cells"][0]["numbers"] == counted().numbers


def test_a_change_is_accepted_by_the_label_that_is_shown() -> None:
    cells = [make_cell(name="A", resolution=(side, side)) for side in (64, 128)]
    old, new = (exact(*(replace(counted(macs=macs), id=c.id, cell=c) for c in cells)) for macs in (1000, 7))
    assert [row["cell"] for row in baseline_page(old).rows] == ["A, 64 px", "A, 128 px"]
    after, taken, idle = renewed(old, new, parse_accepted(["A, 128 px:macs"]))
    assert [cell.numbers["macs"] for cell in after.cells] == [1000, 7]
    assert taken == ("A, 128 px:macs 1,000 → 7",)
    assert idle == ()
