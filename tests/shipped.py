"""The scenarios that come with benchsuite, each read and expanded once for all tests: they are frozen."""

from __future__ import annotations

import functools

from benchsuite.results.cell import Cell
from benchsuite.scenario.expand import expand
from benchsuite.scenario.load import load, shipped
from benchsuite.scenario.model import Scenario
from benchsuite.zoo.catalogue import known_parameters


@functools.cache
def scenario(name: str, *profiles: str) -> Scenario:
    return load(shipped()[name], known_parameters(), profiles=profiles)


@functools.cache
def cells_of(name: str, *profiles: str, device: str = "cpu") -> tuple[Cell, ...]:
    return expand(scenario(name, *profiles), device=device)
