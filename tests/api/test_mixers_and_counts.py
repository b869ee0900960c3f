"""Mixers by name, and what a module computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import benchsuite
from benchmarks._called import called


def test_a_count_of_a_mixer_is_its_closed_form() -> None:
    """MSA: 4 N C² of the projections and 2 N² C of the attention, of one image of three."""
    tokens, dim = 4 * 6, 32
    msa, inputs = benchsuite.create_mixer("msa", dim=dim, num_heads=4), (torch.randn(3, tokens, dim), (4, 6))
    cost = benchsuite.count(msa, inputs)
    assert cost.macs == 4 * tokens * dim**2 + 2 * tokens**2 * dim
    assert cost.params == 4 * (dim**2 + dim)
    assert not cost.uncounted
    assert cost.other_ops["softmax"]
    assert benchsuite.count(msa, inputs, batch=3) == cost
    assert benchsuite.count(msa, inputs, batch=1).macs == 3 * cost.macs


def test_an_input_of_one_dimension_is_one_image() -> None:
    assert benchsuite.count(nn.Linear(8, 4), torch.ones(8)).macs == 8 * 4


def test_no_images_are_no_batch() -> None:
    with pytest.raises(benchsuite.UsageError, match="at least one image, not 0"):
        benchsuite.count(nn.Linear(8, 4), torch.ones(2, 8), batch=0)


def test_inputs_may_have_names_and_a_function_may_make_the_module() -> None:
    x = torch.randn(5, 2, 8)
    cost = benchsuite.count(lambda: nn.MultiheadAttention(8, 2), {"key": x, "query": x, "value": x}, batch=1)
    assert cost.macs == 4 * 5 * 2 * 8**2 + 2 * 2 * 5**2 * 8


def test_counting_leaves_frozen_parts_frozen() -> None:
    module = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4)).train()
    module[0].eval()
    benchsuite.count(module, torch.ones(2, 4))
    assert [part.training for part in module] == [False, True]
    assert int(module[0].num_batches_tracked) == 0


def test_an_unknown_mixer_is_refused_as_on_the_command_line() -> None:
    with pytest.raises(benchsuite.UsageError) as raised:
        benchsuite.create_mixer("hillo", dim=32)
    assert str(raised.value) == called("show", "mixer", "hillo").err.strip()


def test_arguments_that_it_does_not_take_are_named_with_the_nearest() -> None:
    with pytest.raises(benchsuite.UsageError, match='did you mean "window_size"'):
        benchsuite.create_mixer("hilo", dim=32, num_heads=4, window_sise=2)
    with pytest.raises(benchsuite.UsageError, match="missing a required argument: 'dim'"):
        benchsuite.create_mixer("hilo")


def test_a_value_that_the_mixer_refuses_is_wrong_input() -> None:
    with pytest.raises(benchsuite.UsageError, match="hilo: num_heads 5 does not divide dim 96"):
        benchsuite.create_mixer("hilo", dim=96, num_heads=5)


def test_inputs_that_the_module_does_not_take_are_wrong_input() -> None:
    hilo = benchsuite.create_mixer("hilo", dim=32, num_heads=4)
    with pytest.raises(benchsuite.UsageError, match=r"HiLo does not take them .*'size'.*such as"):
        benchsuite.count(hilo, torch.randn(2, 16, 32))
    with pytest.raises(benchsuite.UsageError, match=r"Linear does not take them .*'y'"):
        benchsuite.count(nn.Linear(8, 8), {"input": torch.ones(2, 8), "y": 1})


def test_what_a_module_raises_itself_is_raised() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + object()  # type: ignore[operator,no-any-return]

    with pytest.raises(TypeError, match="unsupported operand"):
        benchsuite.count(Broken(), torch.ones(2, 8))
