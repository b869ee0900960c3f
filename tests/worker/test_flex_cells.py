"""Cells of the kernel "flex" that cannot be measured are records with the reason."""

from __future__ import annotations

import pytest

from benchsuite.scenario.measure_settings import Measure
from benchsuite.worker import calls
from tests.builders import make_cell


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mode": "forward_backward"}, "has no backward pass on a CPU"),
        ({"dtype": "fp64"}, "cannot be compiled here: NotImplementedError: `torch.float`"),
    ],
)
def test_what_flex_attention_cannot_do_on_a_cpu_is_unsupported(changes: dict[str, str], why: str) -> None:
    cell = make_cell(target="nat", kernel="flex", resolution=(112, 112), dim=32, num_heads=4, **changes)
    answer = calls.inspect_cell(cell, Measure())
    assert answer.value is None
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert why in answer.failure.message


def test_a_mixer_without_it_says_what_it_has() -> None:
    answer = calls.inspect_cell(make_cell(kernel="flex"), Measure())
    assert answer.status == "unsupported"
    assert answer.failure is not None
    assert (
        answer.failure.message == "msa has no flex kernel; it runs on math, sdpa, flash, mem_efficient, cudnn"
    )
