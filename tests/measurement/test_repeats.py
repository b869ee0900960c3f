"""Counting one of several modules that are alike gives what counting all of them does."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchsuite.backbones import BACKBONES
from benchsuite.measurement import macs, op_table, repeats, tracing
from benchsuite.measurement.macs import count_cost
from benchsuite.measurement.repeats import Repeats, Runs
from benchsuite.results.record import Cost


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process may have brought rules of their own, or filled what it remembers."""
    monkeypatch.setattr(op_table, "_OWN", {})
    for module in (macs, tracing):
        monkeypatch.setattr(module, "_RUNS", Runs())
    monkeypatch.setattr(repeats, "_KINDS", {})


class Counted(nn.Module):
    """A block that knows how often it ran; of torch, as far as anybody can tell."""

    __module__ = "torch.nn.test"
    ran = 0

    def __init__(self, dim: int, scale: float = 1.0) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(dim, dim), scale
        self.rest = nn.Sequential(*(nn.Identity() for _ in range(5)))

    def forward(self, x: Tensor) -> Tensor:
        Counted.ran += 1
        out: Tensor = self.linear(x) * self.scale
        return out


class Unknown(Counted):
    """One's own block, of which nobody knows what it does."""

    __module__ = "mine"


def counted(make: Callable[[], nn.Module], *shape: int) -> tuple[Cost, int]:
    """The cost of a module on "meta", and how often blocks ran for it."""
    with torch.device("meta"):
        module, x = make(), torch.empty(shape)
    Counted.ran = 0
    return count_cost(module, (x,)), Counted.ran


def test_of_blocks_that_are_alike_one_runs_and_all_are_counted() -> None:
    cost, ran = counted(lambda: nn.Sequential(*(Counted(8) for _ in range(5))), 1, 6, 8)
    assert ran == 2  # once for each counter
    assert (cost.macs, cost.cross_check_macs) == (5 * 6 * 8 * 8,) * 2
    assert cost.other_ops == {"elementwise": 5 * 6 * 8}
    assert cost.params == 5 * (8 * 8 + 8)


def test_blocks_with_other_settings_or_inputs_run_themselves() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = Counted(9), Counted(9), Counted(9, scale=2.0)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.third(self.second(self.first(x)[:, :3]))
            return out

    cost, ran = counted(Network, 1, 6, 9)
    assert ran == 2 * 3
    assert cost.macs == (6 + 3 + 3) * 9 * 9


def test_a_block_that_another_network_had_is_not_run_again() -> None:
    first, ran = counted(lambda: nn.Sequential(Counted(12), nn.Linear(12, 3)), 1, 6, 12)
    assert ran == 2
    second, ran = counted(lambda: nn.Sequential(nn.Linear(3, 12), Counted(12)), 1, 6, 3)
    assert ran == 0
    assert first.macs == second.macs == 6 * (12 * 12 + 12 * 3)


def test_where_a_user_has_rules_nothing_is_taken_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(lambda: nn.Sequential(Counted(13)), 1, 6, 13)[0].macs == 6 * 13 * 13
    monkeypatch.setattr(op_table, "_OWN", {"aten::linear": lambda inputs, outputs: 1})
    assert counted(lambda: nn.Sequential(Counted(13)), 1, 6, 13)[0].macs == 1


def test_blocks_that_nobody_knows_run_themselves() -> None:
    cost, ran = counted(lambda: nn.Sequential(*(Unknown(8) for _ in range(5))), 1, 6, 8)
    assert (ran, cost.macs) == (2 * 5, 5 * 6 * 8 * 8)


def test_a_block_that_somebody_watches_runs_itself() -> None:
    def make() -> nn.Module:
        network = nn.Sequential(*(Counted(10) for _ in range(3)))
        network[1].register_forward_hook(lambda *_: None)
        return network

    assert counted(make, 1, 6, 10)[1] == 2 * 2


def test_a_product_that_a_block_is_given_and_sums_is_a_multiply_add_once() -> None:
    class Summed(Counted):
        __module__ = "torch.nn.test"

        def forward(self, x: Tensor) -> Tensor:
            Counted.ran += 1
            return x.sum(-1, keepdim=True)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sums = nn.ModuleList(Summed(8) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return sum((one(x * x) for one in self.sums), torch.zeros((), device=x.device))

    cost, _ = counted(Network, 1, 6, 8)
    assert (cost.macs, cost.cross_check_macs) == (3 * 6 * 8,) * 2


def test_a_block_whose_twin_is_not_in_the_graph_is_counted() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Counted(11), Counted(11)

        def forward(self, x: Tensor) -> Tensor:
            self.first(x)
            out: Tensor = self.second(x)
            return out

    cost, _ = counted(Network, 1, 6, 11)
    assert cost.macs == 6 * 11 * 11
    assert cost.counter.startswith("fvcore")


def test_a_module_is_as_it_was() -> None:
    with torch.device("meta"):
        network = nn.Sequential(Counted(8), Counted(8))
        count_cost(network, (torch.empty(1, 6, 8),))
    assert all("forward" not in vars(part) for part in network.modules())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_network_costs_what_it_costs_when_every_block_runs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cost() -> Cost:
        module, _, function = BACKBONES[name].partition(":")
        with torch.device("meta"):
            network: Any = getattr(importlib.import_module(module), function)()
            return count_cost(network, (torch.empty(1, 3, 224, 224),))

    once = cost()
    monkeypatch.setattr(Repeats, "once", lambda self, tape, runs: nullcontext())
    assert once == cost()
