"""Scenarios with many cells, which are checked on the axes that matter and not cell by cell."""

from __future__ import annotations

import pytest

from benchsuite.scenario.expand import expand
from benchsuite.scenario.validate import check

KNOWN = {"msa": ("num_heads",), "hilo": ("alpha", "num_heads")}
SWEEP = """name: s
title: S
sweep:
  mixer: [msa, hilo]
  resolution: [224, 225]
  batch: [1, 2]
"""


def messages(text: str) -> list[str]:
    return [problem.message for problem in check(text, "s.yaml", KNOWN).problems]


WRONG = "resolution 225 is not divisible by stride 16"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("resolution=225", []),
        ("tokens>200", [WRONG]),  # 14 × 14 tokens either way
        ("tokens=196", ["every cell is excluded; nothing is left to measure"]),
        ("resolution=225 batch=1", [WRONG]),
        ("resolution=225 batch=1,2", []),
        ("resolution=225 device=cpu", [WRONG]),  # "auto" may become a GPU
        ("resolution=225 mixer=msa", [WRONG]),
        ("resolution=225 kernel!=sdpa", []),  # there is only math
        ("resolution=225 params.alpha=0.5", [WRONG]),
    ],
)
def test_a_value_is_wrong_where_any_cell_with_it_is_left(where: str, said: list[str]) -> None:
    assert messages(f"{SWEEP}exclude: [{{where: '{where}', reason: r}}]\n") == said


def test_a_hundred_thousand_cells_can_be_run_and_one_axis_more_cannot() -> None:
    numbers = ", ".join(str(16 * side) for side in range(1, 101))
    axes = f"  resolution: [{numbers}]\n  batch: [{', '.join(map(str, range(1, 501)))}]\n"
    large = f"name: s\ntitle: S\nsweep:\n  mixer: [msa, hilo]\n{axes}"
    checked = check(large, "s.yaml", KNOWN)
    assert checked.scenario is not None
    assert len(expand(checked.scenario, device="cpu")) == 100_000
    assert messages(f"{large}  dtype: [fp32, bf16]\n") == [
        "200,000 cells before exclusion; at most 100,000 can be run"
    ]
