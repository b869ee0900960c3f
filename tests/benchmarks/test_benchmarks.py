"""The benchmark scripts: what they compare is the same maths, and their tables say what they should."""

from __future__ import annotations

import importlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchsuite.results.record import Cell
from benchsuite.worker.build import mixer_class
from tests.doubles.fake_device import FakeDevice

HERE = Path(__file__).resolve().parents[2] / "benchmarks"

SMALL: dict[str, dict[str, Any]] = {
    "tree of one level, A": {"target": "quadtree", "config": {"variant": "A", "levels": 1, "topk": 5}},
    "tree of three levels, A": {"target": "quadtree", "config": {"variant": "A", "levels": 3, "topk": 3}},
    "tree of one level, B": {"target": "quadtree", "config": {"variant": "B", "levels": 1, "topk": 5}},
    "tree of three levels, B": {"target": "quadtree", "config": {"variant": "B", "levels": 3, "topk": 3}},
    "focal": {"target": "focal", "config": {"window_size": 4, "expand_size": 2, "focal_window": 3}},
    "focal, padded": {"target": "focal", "config": {"window_size": 5, "expand_size": 2, "focal_window": 3}},
    "focal, shifted": {
        "target": "focal",
        "config": {"window_size": 4, "shift_size": 1, "expand_size": 1, "focal_level": 3, "focal_window": 3},
    },
    "focal, without neighbours": {
        "target": "focal",
        "config": {"window_size": 4, "expand_size": 0, "focal_window": 1, "pool_method": "conv"},
    },
    "focal, windows alone": {"target": "focal", "config": {"window_size": 4, "pool_method": "none"}},
    "involution": {"target": "involution", "config": {"kernel_size": 5, "group_channels": 4}},
    "involution, strided": {"target": "involution", "config": {"stride": 2, "group_channels": 8}},
    "outlook": {"target": "outlook"},
    "outlook, strided": {"target": "outlook", "config": {"stride": 2, "qkv_bias": True}},
    "acmix": {"target": "acmix", "config": {"kernel_size": 5}},
    "acmix, strided": {"target": "acmix", "config": {"kernel_size": 3, "stride": 2, "dim_out": 32}},
    "pairwise": {"target": "san_pairwise", "config": {"kernel_size": 5, "share": 4}},
    "pairwise, strided, dilated": {
        "target": "san_pairwise",
        "config": {"kernel_size": 3, "share": 4, "stride": 2, "dilation": 2},
    },
    "patchwise": {"target": "san_patchwise", "config": {"kernel_size": 5, "share": 4}},
    "patchwise, dilated": {
        "target": "san_patchwise",
        "config": {"kernel_size": 3, "share": 4, "dilation": 2},
    },
    "nat": {"target": "nat", "config": {"kernel_size": 5}},
    "nat, dilated": {"target": "nat", "config": {"kernel_size": 3, "dilation": 2}},
    "nat, without bias": {"target": "nat", "config": {"kernel_size": 3, "rel_pos": False}},
    "inhomogeneous": {"target": "idynamic_dwconv", "config": {"kernel_size": 5, "groups": 4}},
}
"""Rectangular grids of 8 × 12 tokens; what each option changes is gone through once."""

KERNELS = [
    (case, kernel)
    for case, given in SMALL.items()
    for kernel in ("math", "sdpa")
    if kernel in getattr(mixer_class(given["target"]), "kernels", ())
]


@pytest.fixture(scope="module")
def scripts() -> Iterator[Path]:
    """The folder of the scripts, from which they import each other when they run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield HERE


@pytest.fixture(scope="module")
def paired(scripts: Path) -> ModuleType:
    return importlib.import_module("_paired")


@pytest.fixture(scope="module")
def zoo_unfold(scripts: Path) -> ModuleType:
    return importlib.import_module("zoo_unfold")


@pytest.fixture(scope="module")
def zoo_kernels(scripts: Path) -> ModuleType:
    return importlib.import_module("zoo_kernels")


def small_cell(**changes: Any) -> Cell:
    fields = {"name": "small", "resolution": (8, 12), "stride": 1, "batch": 2, "dim": 16, "num_heads": 2}
    return Cell(**(fields | changes))


@pytest.mark.parametrize(("case", "kernel"), KERNELS)
def test_unfolding_gives_the_output_and_gradient_of_our_mixer(
    zoo_unfold: ModuleType, case: str, kernel: str
) -> None:
    cell = small_cell(**SMALL[case], kernel=kernel)
    assert zoo_unfold.difference(cell, "cpu") < 1e-12


def test_each_formulation_and_each_row_is_proved(zoo_unfold: ModuleType) -> None:
    from unfolded import UNFOLDED

    proved = {case["target"] for case in SMALL.values()}
    assert set(UNFOLDED) == {row.mixer for row in zoo_unfold.ROWS} == proved


@pytest.mark.parametrize("target", sorted({case["target"] for case in SMALL.values()} - {"quadtree"}))
def test_unfolding_agrees_in_single_precision_too(zoo_unfold: ModuleType, target: str) -> None:
    # Without the tree, which may choose another region where rounding makes a near tie.
    config = next(case.get("config", {}) for case in SMALL.values() if case["target"] == target)
    ours, unfolding = zoo_unfold.both(small_cell(target=target, config=config), "cpu")
    with torch.inference_mode():
        torch.testing.assert_close(
            unfolding.module(*unfolding.inputs), ours.module(*ours.inputs), rtol=1e-4, atol=1e-5
        )


def test_the_unfolding_module_has_the_weights_of_ours_and_no_others(zoo_unfold: ModuleType) -> None:
    ours, unfolding = zoo_unfold.both(small_cell(target="involution"), "cpu")
    assert {id(p) for p in unfolding.module.parameters()} == {id(p) for p in ours.module.parameters()}
    assert unfolding.tensor is ours.tensor


def small_row(zoo_unfold: ModuleType) -> Any:
    return zoo_unfold.Row("involution", "involution", (8, 12), 16)


def run_involution(zoo_unfold: ModuleType, *more: str) -> None:
    assert (
        zoo_unfold.main(["--only", "involution", "--rounds", "1", "--batch", "1", "--device", "cpu", *more])
        == 0
    )


def test_a_row_that_differs_is_refused_and_not_timed(
    zoo_unfold: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from unfolded import UNFOLDED

    right = UNFOLDED["involution"]
    monkeypatch.setitem(UNFOLDED, "involution", lambda mixer, x: right(mixer, x) * 1.001)
    monkeypatch.setattr(zoo_unfold, "measured", lambda *_: pytest.fail("timed"))
    monkeypatch.setattr(zoo_unfold, "ROWS", (small_row(zoo_unfold),))
    run_involution(zoo_unfold, "--modes", "inference")
    assert "refused: they differ by 1.0e-03 of the largest value" in capsys.readouterr().out


def test_a_wrong_gradient_alone_is_a_difference(
    zoo_unfold: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unfolded import UNFOLDED

    right = UNFOLDED["outlook"]
    # The same values; half of them are taken out of the graph.
    monkeypatch.setitem(
        UNFOLDED, "outlook", lambda mixer, x: (right(mixer, x) + right(mixer, x.detach())) / 2 + 0 * x
    )
    assert zoo_unfold.difference(small_cell(target="outlook"), "cpu") > 0.1


def test_the_markdown_table_has_a_full_row_for_each_mode(
    zoo_unfold: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(zoo_unfold, "ROWS", (small_row(zoo_unfold),))
    run_involution(zoo_unfold, "--format", "markdown")
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert [line.split("|")[4].strip() for line in table] == ["step", "---", "inference", "forward_backward"]


def test_kernels_are_shown_against_math_and_a_mixer_without_another_alone(
    zoo_kernels: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--grids", "4x6", "--dim", "16", "--heads", "2", "--batch", "1", "--rounds", "1"]
    command = ["--mixers", "msa", "pooling", "--format", "markdown", "--device", "cpu"]
    assert zoo_kernels.main([*command, *sizes]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [(row[0].strip("| "), row[2], row[4] == "–") for row in rows[1:]] == [
        ("msa", "sdpa", False),
        ("pooling", "math", True),
    ]


def test_the_turns_of_a_round_stand_so_that_a_drift_cancels(paired: ModuleType) -> None:
    # Each call takes longer than a turn, so a turn is one call; the machine slows down steadily.
    drift = FakeDevice(itertools.count(1.0, 0.5))
    pair = paired.measure_pair(drift, lambda: None, lambda: None, rounds=3)
    assert pair.ratios == (1.0, 1.0, 1.0)
    assert drift.calls == 12


def test_speed_and_time_of_a_pair_are_each_others_inverse(paired: ModuleType) -> None:
    times = itertools.cycle([3.0, 1.0, 1.0, 3.0])  # base, other, other, base
    pair = paired.measure_pair(FakeDevice(times), lambda: None, lambda: None, rounds=6)
    assert (pair.base_s, pair.other_s) == (3.0, 1.0)
    assert pair.speed == "3.000 [3.000, 3.000]"
    assert pair.time == "0.333 [0.333, 0.333]"


def test_too_few_rounds_have_no_interval(paired: ModuleType) -> None:
    assert paired.with_interval([2.0, 2.0, 2.0, 2.0, 2.0]) == "2.000"


def test_short_calls_fill_a_turn_and_long_ones_make_it_alone(paired: ModuleType) -> None:
    short = FakeDevice(itertools.repeat(paired.BLOCK_S / 8.5))
    paired.one_turn(short, lambda: None)
    assert short.blocks == [1, 8]
    long = FakeDevice(itertools.repeat(2 * paired.BLOCK_S))
    paired.one_turn(long, lambda: None)
    assert long.blocks == [1]


def test_a_remark_stands_in_the_last_cell_of_a_short_row(
    paired: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    table = paired.Table((("a", 3), ("b", 3), ("c", 3)), "markdown")
    table.show("1", "does not run | here")
    assert capsys.readouterr().out.splitlines()[2] == "| 1 | does not run \\| here |  |"


@pytest.mark.gpu
def test_unfolding_gives_the_same_on_cuda(zoo_unfold: ModuleType) -> None:
    apart = {case: zoo_unfold.difference(small_cell(**given), "cuda:0") for case, given in SMALL.items()}
    assert max(apart.values()) < 1e-9, apart


def test_the_size_of_a_report_is_measured_in_a_process_of_its_own(repository: Path) -> None:
    command = [sys.executable, "benchmarks/report_size.py", "--cells", "20"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert re.match(r"20 cells: [\d.]+ s, 0\.\d+ GB at the peak, 0\.\d+ MB", done.stdout), done.stderr
