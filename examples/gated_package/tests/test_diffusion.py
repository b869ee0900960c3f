"""The mixer's own tests; those of the gate come from `--benchsuite-gate` in pyproject.toml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gated_mixers.diffusion import Diffusion

DIM, TOKENS = 64, 14 * 14


def test_a_constant_grid_is_constant_inside_after_one_step() -> None:
    mixer = Diffusion(4, steps=1)
    mixer.proj = torch.nn.Identity()  # type: ignore[assignment]
    inside = mixer(torch.ones(1, 25, 4), (5, 5)).unflatten(1, (5, 5))[:, 1:-1, 1:-1]
    assert torch.allclose(inside, torch.ones_like(inside))


def test_the_projection_is_all_that_multiplies(bench_cell: Callable[..., Any]) -> None:
    cost = bench_cell("gated_mixers.diffusion:Diffusion", dim=DIM, resolution=224)
    assert cost.macs == TOKENS * DIM * DIM
    assert cost.params == DIM * DIM + DIM
