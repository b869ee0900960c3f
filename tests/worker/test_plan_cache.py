"""Counts and estimates are kept where nothing they depend on can change unseen, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchsuite.measurement import op_table
from benchsuite.results.cell import Cell
from benchsuite.results.record import Cost
from benchsuite.worker import plan_cache
from benchsuite.worker.plan_cache import kept
from benchsuite.worker.worker_reply import MemoryEstimate
from tests.builders import make_cell

COST = Cost(
    params=5, macs=7, other_ops={"norm": 3}, uncounted={"aten::x": 1}, counter="c", cross_check_macs=7
)


class Counting:
    """Answers with a cost, and knows how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Cost:
        self.asked += 1
        return COST


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(op_table, "_OWN", {})  # rules that other tests of this process have brought
    return tmp_path / "benchsuite" / "plans"


@pytest.fixture
def count() -> Counting:
    return Counting()


def test_the_second_count_of_a_cell_is_the_first_one(count: Counting) -> None:
    cell = make_cell(name="hilo", target="hilo")

    assert [kept(Cost, cell, count) for _ in range(2)] == [COST, COST]
    assert count.asked == 1


def test_a_count_is_of_one_image_in_whatever_way_it_is_run(count: Counting) -> None:
    cell = make_cell(name="hilo", target="hilo")

    for other in (cell, replace(cell, name="mine", batch=9, dtype="bf16", mode="training_step", threads=3)):
        kept(Cost, other, count)

    assert count.asked == 1


@pytest.mark.parametrize(
    "change",
    [
        {"resolution": (448, 448)},
        {"dim": 96},
        {"num_heads": 3},
        {"kernel": "sdpa"},
        {"config": {"alpha": 0.9}},
        {"target": "msa"},
    ],
    ids=str,
)
def test_another_cell_is_counted_anew(change: dict[str, object], count: Counting) -> None:
    cell = make_cell(name="hilo", target="hilo", dim=384, num_heads=12)
    kept(Cost, cell, count)

    kept(Cost, replace(cell, **change), count)  # type: ignore[arg-type]

    assert count.asked == 2


def test_an_estimate_depends_on_batch_and_dtype_too() -> None:
    cell = make_cell(name="hilo", target="hilo")
    cells = (cell, replace(cell, batch=9), replace(cell, dtype="bf16"), replace(cell, mode="training_step"))

    found = [
        kept(MemoryEstimate, one, lambda peak=peak: MemoryEstimate(peak, 1))  # type: ignore[misc]
        for peak, one in enumerate(cells)
    ]

    assert [one.peak_bytes for one in found] == [0, 1, 2, 3]
    assert kept(MemoryEstimate, cell, lambda: MemoryEstimate(99, 1)).peak_bytes == 0


def test_other_code_counts_anew_and_old_versions_are_forgotten(
    count: Counting, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make_cell(name="hilo", target="hilo")

    for version in range(plan_cache.KEPT_VERSIONS + 3):
        monkeypatch.setattr(plan_cache, "_version", lambda version=version: f"v{version}")
        kept(Cost, cell, count)

    assert count.asked == plan_cache.KEPT_VERSIONS + 3
    assert len(list(folder.iterdir())) == plan_cache.KEPT_VERSIONS


def test_the_version_is_made_of_every_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixers").mkdir()
    (tmp_path / "__init__.py").touch()
    source = tmp_path / "mixers" / "hilo.py"
    source.write_text("a = 1\n", encoding="utf-8")
    monkeypatch.setattr(plan_cache, "__file__", str(tmp_path / "worker" / "plan_cache.py"))
    version = plan_cache._version.__wrapped__

    before = version()
    assert version() == before
    source.write_text("a = 2\n", encoding="utf-8")
    assert version() != before


@pytest.mark.parametrize(
    "cell",
    [
        make_cell(target="tests.planted:Raises"),
        make_cell(subject="backbone", name="net", target="litv2_s", config={"mixer": "tests.planted:Raises"}),
        make_cell(
            subject="backbone", name="net", target="litv2_s", config={"mixer": {"stage3": ["own.module:Own"]}}
        ),
    ],
    ids=["mixer", "mixer of a network", "mixer of a stage"],
)
def test_code_of_users_is_counted_each_time(cell: Cell, count: Counting, folder: Path) -> None:
    kept(Cost, cell, count)
    kept(Cost, cell, count)

    assert count.asked == 2
    assert not folder.exists()


def test_rules_of_a_user_are_obeyed(count: Counting) -> None:
    cell = make_cell(name="hilo", target="hilo")
    kept(Cost, cell, count)
    op_table.count_operator("aten::mm", lambda inputs, outputs: 1)

    kept(Cost, cell, count)

    assert count.asked == 2


@pytest.mark.parametrize(
    "spoil",
    [lambda text: text[:-9], lambda text: text.replace("hilo", "msa"), lambda text: "[]", lambda text: "{}"],
    ids=["torn", "of another cell", "a list", "empty"],
)
def test_a_file_in_doubt_is_counted_anew(spoil: Callable[[str], str], count: Counting, folder: Path) -> None:
    cell = make_cell(name="hilo", target="hilo")
    kept(Cost, cell, count)
    (file,) = folder.rglob("*.json")
    file.write_text(spoil(file.read_text(encoding="utf-8")), encoding="utf-8")

    assert kept(Cost, cell, count) == COST
    assert count.asked == 2


def test_what_fails_is_tried_again(count: Counting) -> None:
    cell = make_cell(name="hilo", target="hilo")

    with pytest.raises(RuntimeError):
        kept(Cost, cell, _raise)

    assert kept(Cost, cell, count) == COST


def _raise() -> Cost:
    raise RuntimeError


def test_a_folder_that_cannot_be_written_keeps_nothing(count: Counting, folder: Path) -> None:
    folder.parent.mkdir()
    folder.touch()  # a file in its place
    cell = make_cell(name="hilo", target="hilo")

    assert [kept(Cost, cell, count) for _ in range(2)] == [COST, COST]
    assert count.asked == 2
