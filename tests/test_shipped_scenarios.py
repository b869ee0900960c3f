"""The scenarios that come with benchsuite: each asks something, has its profiles, and covers its subject."""

from __future__ import annotations

import sys

import pytest

from benchsuite.mixers import MIXERS
from benchsuite.run.build import mixer_class
from benchsuite.run.catalogue import known_parameters
from benchsuite.scenario.expand import expand
from benchsuite.scenario.find import shipped
from benchsuite.scenario.load import load
from benchsuite.scenario.model import Scenario


def scenario(name: str, *profiles: str) -> Scenario:
    return load(shipped()[name], known_parameters(), profiles=profiles)


@pytest.mark.parametrize("name", shipped())
def test_it_asks_a_question_and_is_named_as_its_file(name: str) -> None:
    found = scenario(name)
    assert found.name == name
    assert found.question
    assert found.question.rstrip().endswith("?")


@pytest.mark.parametrize("name", shipped())
def test_its_profiles_make_it_smaller_and_quicker(name: str) -> None:
    full, cpu, quick = (scenario(name, *profiles) for profiles in ((), ("cpu",), ("quick",)))
    assert {"cpu", "quick"} <= set(full.profiles)
    work = [sum(cell.batch * cell.tokens for cell in expand(s, device="cpu")) for s in (full, cpu, quick)]
    assert work[0] > work[1] >= work[2]
    assert full.measure.max_s > cpu.measure.max_s > quick.measure.max_s


def test_the_zoo_has_every_mixer_and_both_kernels_where_there_are_two() -> None:
    cells = expand(scenario("zoo"), device="cpu")
    of_papers = {name for name in MIXERS if sys.modules[mixer_class(name).__module__].PORTS}
    assert {cell.target for cell in cells if cell.kernel == "math"} >= of_papers
    # 14 × 14 tokens, 768 channels, 12 heads, batch 64: the setting of the HiLo authors' benchmark.
    assert {(cell.grid, cell.dim, cell.num_heads, cell.batch) for cell in cells} == {((14, 14), 768, 12, 64)}


def test_the_zoo_leaves_out_the_fused_kernel_exactly_where_there_is_none() -> None:
    cells = expand(scenario("zoo"), device="cpu")
    fused = {cell.target for cell in cells if cell.kernel == "sdpa"}
    assert fused == {cell.target for cell in cells if "sdpa" in mixer_class(cell.target).kernels}
