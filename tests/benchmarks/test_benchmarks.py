"""The benchmark scripts: what they compare is the same maths, and their tables say what they should."""

from __future__ import annotations

import importlib
import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchsuite.results.cell import Cell
from benchsuite.worker.build import mixer_class
from tests.doubles.fake_device import FakeDevice

HERE = Path(__file__).resolve().parents[2] / "benchmarks"

SMALL: dict[str, dict[str, Any]] = {
    "global": {"target": "msa"},
    "global, relative": {"target": "relpos_msa"},
    "reduced": {"target": "sra"},
    "reduced by 1": {"target": "sra", "config": {"sr_ratio": 1}},
    "pooled": {"target": "linear_sra", "config": {"pool_size": 3}},
    "pyramid": {"target": "dat_pyramid", "config": {"sr_ratio": 2}},
    "pyramid of 1": {"target": "dat_pyramid", "config": {"sr_ratio": 1}},
    "non-local": {"target": "non_local"},
    "deformable": {"target": "dat"},
    "deformable, strided": {"target": "dat", "config": {"stride": 2, "kernel_size": 3, "num_groups": 1}},
    "HiLo": {"target": "hilo"},
    "Hi-Fi": {"target": "hilo", "config": {"alpha": 0.0, "window_size": 4}},
    "Lo-Fi": {"target": "hilo", "config": {"alpha": 1.0}},
    "windows": {"target": "window", "config": {"window_size": 4}},
    "windows without bias": {"target": "davit_window", "config": {"window_size": 4}},
    "grouped windows": {"target": "lsa", "config": {"window_size": 4}},
    "stripes": {"target": "cswin", "config": {"split_size": 2}},
    "acmix on windows": {"target": "acmix_swin", "config": {"window_size": 4}},
    "dynamic block": {"target": "dynamic_dw_block"},
    "channels": {"target": "davit_channel"},
    "cross-covariance": {"target": "xca"},
    "token MLP": {"target": "token_mlp"},
    "sparse MLP": {"target": "smlp"},
    "position": {"target": "davit_cpe"},
    "feed-forward": {"target": "convffn"},
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
    "inhomogeneous block": {"target": "idynamic_dw_block", "config": {"groups": 4}},
    "routed": {"target": "biformer_bra", "config": {"n_win": 4}},
    "halo": {"target": "halo", "config": {"block_size": 4}},
    "blocks": {"target": "maxvit_block_attention", "config": {"window_size": 4}},
    "grid": {"target": "maxvit_grid_attention", "config": {"window_size": 4}},
    "windows by cosine": {"target": "swinv2_window_attention", "config": {"window_size": 4}},
    "windows, then all": {"target": "t_msa", "config": {"window_size": 4}},
}
"""Rectangular grids of 8 × 12 tokens; what each option changes is gone through once."""
SMALL |= {
    name: {"target": name}
    for name in (
        "acmix_san acmix_sra afno biformer_bra_nchw bottleneck_attention cascaded_group cb cb_msa "
        "cbs coatnet_attention convnext dw_block dwconv dynamic_dwconv eca fnet focalnet_modulation "
        "ge gfnet gmlp gnconv gpsa gsa lambda_layer linformer lka performer pooling relu_linear "
        "resmlp se separable uniform_msa van vip"
    ).split()
}

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
def zoo_speed(scripts: Path) -> ModuleType:
    return importlib.import_module("zoo_speed")


def small_cell(**changes: Any) -> Cell:
    fields = {"name": "small", "resolution": (8, 12), "stride": 1, "batch": 2, "dim": 16, "num_heads": 2}
    return Cell(**(fields | changes))


@pytest.mark.parametrize(("case", "kernel"), KERNELS)
def test_plain_code_gives_the_output_and_gradient_of_our_mixer(
    zoo_speed: ModuleType, case: str, kernel: str
) -> None:
    cell = small_cell(**SMALL[case], kernel=kernel)
    assert zoo_speed.difference(cell, "cpu") < 1e-12


def test_each_formulation_and_each_row_is_proved(zoo_speed: ModuleType) -> None:
    from plain import PLAIN

    proved = {case["target"] for case in SMALL.values()}
    assert set(PLAIN) == {row.mixer for row in zoo_speed.ROWS} == proved


@pytest.mark.parametrize("target", sorted({case["target"] for case in SMALL.values()} - {"quadtree"}))
def test_plain_code_agrees_in_single_precision_too(zoo_speed: ModuleType, target: str) -> None:
    # Without the tree, which may choose another region where rounding makes a near tie.
    config = next(case.get("config", {}) for case in SMALL.values() if case["target"] == target)
    ours, plain = zoo_speed.both(small_cell(target=target, config=config), "cpu")
    with torch.inference_mode():
        torch.testing.assert_close(
            plain.module(*plain.inputs), ours.module(*ours.inputs), rtol=1e-4, atol=1e-5
        )


def test_the_plain_module_has_the_weights_of_ours_and_no_others(zoo_speed: ModuleType) -> None:
    ours, plain = zoo_speed.both(small_cell(target="involution"), "cpu")
    assert {id(p) for p in plain.module.parameters()} == {id(p) for p in ours.module.parameters()}
    assert plain.tensor is ours.tensor


def small_row(zoo_speed: ModuleType) -> Any:
    return zoo_speed.Row("involution", dim=16)


def run_involution(zoo_speed: ModuleType, *more: str) -> None:
    threads = str(torch.get_num_threads())
    command = ["--grids", "8x12", "--rounds", "1", "--device", "cpu", "--no-peak", "--threads", threads]
    assert zoo_speed.main([*command, *more]) == 0


def test_a_row_that_differs_is_refused_and_not_timed(
    zoo_speed: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from plain import PLAIN

    right = PLAIN["involution"]
    monkeypatch.setitem(PLAIN, "involution", lambda mixer, x: right(mixer, x) * 1.001)
    monkeypatch.setattr(zoo_speed, "measured", lambda *_: pytest.fail("timed"))
    monkeypatch.setattr(zoo_speed, "ROWS", (small_row(zoo_speed),))
    run_involution(zoo_speed, "--modes", "inference")
    assert "refused: they differ by 1.0e-03 of the largest value" in capsys.readouterr().out


def test_a_wrong_gradient_alone_is_a_difference(
    zoo_speed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plain import PLAIN

    right = PLAIN["outlook"]
    # The same values; half of them are taken out of the graph.
    monkeypatch.setitem(
        PLAIN, "outlook", lambda mixer, x: (right(mixer, x) + right(mixer, x.detach())) / 2 + 0 * x
    )
    assert zoo_speed.difference(small_cell(target="outlook"), "cpu") > 0.1


def test_the_markdown_table_has_a_full_row_for_each_mode(
    zoo_speed: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(zoo_speed, "ROWS", (small_row(zoo_speed),))
    run_involution(zoo_speed, "--format", "markdown")
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert [line.split("|")[3].strip() for line in table] == ["step", "---", "inference", "forward_backward"]


def test_the_summary_takes_the_faster_kernel_of_each_cell(zoo_speed: ModuleType, paired: ModuleType) -> None:
    def found(kernel: str, speed: float, **cell: Any) -> tuple[Cell, Any]:
        pair = paired.Pair(base_s=speed, other_s=1.0, ratios=(speed,))
        return small_cell(target="msa", kernel=kernel, **cell), zoo_speed.Measured(pair, None, 1, 1)

    cells = [found("math", 1.0), found("sdpa", 4.0), found("math", 1.0, resolution=(16, 24))]
    assert list(zoo_speed.summary(cells)) == [
        "inference, 8x12: 1.00 on math, 4.00 on the best, over 1 cells; slowest best 4.00",
        "inference, all grids: 1.00 on math, 2.00 on the best, over 2 cells; slowest best 1.00",
        "inference, 16x24: 1.00 on math, 1.00 on the best, over 1 cells; slowest best 1.00",
    ]


def test_cpu_times_are_read_off_the_clock_of_the_process(
    zoo_speed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        time, "process_time_ns", iter([0, 2_000_000_000, 5_000_000_000, 6_000_000_000]).__next__
    )
    assert zoo_speed.CpuClock().time_calls(lambda: None, 2) == [2.0, 1.0]


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
def test_plain_code_gives_the_same_on_cuda(zoo_speed: ModuleType) -> None:
    apart = {case: zoo_speed.difference(small_cell(**given), "cuda:0") for case, given in SMALL.items()}
    assert max(apart.values()) < 1e-9, apart


def test_the_size_of_a_report_is_measured_in_a_process_of_its_own(repository: Path) -> None:
    command = [sys.executable, "benchmarks/report_size.py", "--cells", "20"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert re.match(r"20 cells: [\d.]+ s, 0\.\d+ GB at the peak, 0\.\d+ MB", done.stdout), done.stderr
