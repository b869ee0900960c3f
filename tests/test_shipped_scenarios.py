"""The scenarios that come with benchsuite: each asks something, has its profiles, and covers its subject."""

from __future__ import annotations

import sys

import pytest

from benchsuite.mixers import MIXERS
from benchsuite.results.cell import Cell
from benchsuite.scenario.expand import expected
from benchsuite.scenario.load import shipped
from benchsuite.worker.build import build, mixer_class
from benchsuite.worker.cost import memory_of
from tests.shipped import cells_of, scenario


@pytest.mark.parametrize("name", shipped())
def test_it_asks_a_question_and_is_named_as_its_file(name: str) -> None:
    found = scenario(name)
    assert found.name == name
    assert found.question
    assert found.question.rstrip().endswith("?")


@pytest.mark.parametrize("name", shipped())
def test_its_profiles_make_it_smaller_and_quicker(name: str) -> None:
    profiles = ((), ("cpu",), ("quick",))
    full, cpu, quick = (scenario(name, *words) for words in profiles)
    assert {"cpu", "quick"} <= set(full.profiles)
    work = [sum(cell.batch * cell.tokens for cell in cells_of(name, *words)) for words in profiles]
    assert work[0] > work[1] >= work[2]
    assert full.measure.max_s > cpu.measure.max_s > quick.measure.max_s


def test_the_zoo_has_every_mixer_and_both_kernels_where_there_are_two() -> None:
    cells = cells_of("zoo")
    of_papers = {name for name in MIXERS if sys.modules[mixer_class(name).__module__].PORTS}
    assert {cell.target for cell in cells if cell.kernel == "math"} >= of_papers
    # 14 × 14 tokens, 768 channels, 12 heads, batch 64: the setting of the HiLo authors' benchmark.
    assert {(cell.grid, cell.dim, cell.num_heads, cell.batch) for cell in cells} == {((14, 14), 768, 12, 64)}


def test_the_zoo_leaves_out_the_fused_kernel_exactly_where_there_is_none() -> None:
    cells = cells_of("zoo")
    fused = {cell.target for cell in cells if cell.kernel == "sdpa"}
    assert fused == {cell.target for cell in cells if "sdpa" in mixer_class(cell.target).kernels}


GPU = [name for name in shipped() if name != "ci_gate"]
"""Scenarios with a profile for GPUs; a gate compares a machine with itself, in one setting."""


def on_gpu(name: str, profile: str = "gpu") -> tuple[Cell, ...]:
    return cells_of(name, profile, device="cuda")


@pytest.mark.parametrize("name", GPU)
def test_its_gpu_profile_has_tf32_as_published_and_bf16_for_fused_kernels(name: str) -> None:
    cells = on_gpu(name)
    assert {cell.dtype for cell in cells} >= ({"tf32"} if name == "protocols" else {"tf32", "bf16"})
    assert "fp32" not in {cell.dtype for cell in cells}
    # torch has flash attention and cuDNN's in half precision only.
    assert {cell.dtype for cell in cells if cell.kernel in ("flash", "cudnn")} <= {"bf16"}
    smallest = [cell for cell in cells if cell.resolution == (224, 224)]
    assert max(cell.batch for cell in smallest) >= 64


@pytest.mark.parametrize("name", GPU)
def test_every_mixer_of_its_gpu_profile_has_the_kernels_that_are_forced(name: str) -> None:
    layers = [cell for cell in on_gpu(name) if cell.subject != "backbone"]
    assert all(cell.kernel in mixer_class(cell.target).kernels for cell in layers)


def test_claims_on_training_are_trained_on_a_gpu() -> None:
    spoken_of = [
        name for name in GPU if any("mode=" in (claim.where or "") for claim in scenario(name).claims)
    ]
    assert spoken_of == ["litv2_table4"]
    assert {cell.mode for cell in on_gpu("litv2_table4")} == {
        "inference",
        "forward_backward",
        "training_step",
    }


def test_a_quick_look_at_a_gpu_takes_some_mixers_of_the_zoo() -> None:
    cells = on_gpu("zoo", "gpu_quick")
    assert {(cell.batch, cell.dtype) for cell in cells} == {(64, "bf16")}
    assert 18 <= len({cell.name for cell in cells}) <= 22
    assert {cell.name for cell in cells} <= {cell.name for cell in on_gpu("zoo")}
    assert {cell.kernel for cell in cells} == {"math", "sdpa"}


@pytest.mark.parametrize("gigabytes", [24, 141])
def test_hilo_expects_no_global_attention_where_the_matrix_does_not_fit(gigabytes: int) -> None:
    found = scenario("hilo", "gpu")
    there = {"gpu": {"memory_bytes": gigabytes * 10**9}}
    large = [
        cell
        for cell in on_gpu("hilo")
        if (cell.name, cell.kernel, cell.dtype) == ("MSA", "math", "tf32") and cell.resolution[0] >= 896
    ]
    assert len(large) == 2
    for cell in large:
        needed = memory_of(cell).peak_bytes
        assert needed is not None
        assert expected(found, cell, "oom", there) == (needed > gigabytes * 10**9)


@pytest.mark.parametrize(("name", "profile"), [*((name, "gpu") for name in GPU), ("zoo", "gpu_quick")])
def test_the_layers_of_its_gpu_profile_build_where_there_is_no_gpu(name: str, profile: str) -> None:
    layers = {
        (cell.target, str(cell.config), cell.resolution, cell.kernel): cell
        for cell in on_gpu(name, profile)
        if cell.subject != "backbone"
    }
    assert layers or scenario(name).subject == "backbone"
    for cell in layers.values():
        assert build(cell, "meta", batch=1).tensor.is_meta
