from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchsuite.results.cell import SETTINGS, SWEPT, Cell
from benchsuite.scenario.axes import Include, Sweep
from benchsuite.scenario.expand import expand, expand_detailed, expected
from benchsuite.scenario.filters import parse
from benchsuite.scenario.model import Exclude

from .documents import read


def test_without_axes_a_mixer_is_one_cell_of_the_defaults() -> None:
    (cell,) = expand(read("sweep: {mixer: msa}"), device="cpu")
    assert cell == Cell(
        name="msa", target="msa", config={}, resolution=(224, 224), stride=16, batch=1, dim=384, num_heads=12,
        dtype="fp32", mode="inference", kernel="math", device="cpu",
    )  # fmt: skip


def test_a_sweep_is_every_combination() -> None:
    scenario = read(
        """
        sweep:
          mixer: [msa, {name: hilo, vary: {alpha: [0.5, 0.9], window_size: [2, 4, 8]}}]
          resolution: [224, [448, 672]]
          batch: [1, 64]
          kernel: [math, auto]
        """
    )
    cells = expand(scenario, device="cpu")
    assert len(cells) == (1 + 2 * 3) * 2 * 2 * 2
    assert len({cell.id for cell in cells}) == len(cells)
    assert {cell.resolution for cell in cells} == {(224, 224), (448, 672)}
    assert {cell.kernel for cell in cells} == {"math", "sdpa"}


def test_the_mixer_varies_fastest_then_the_kernel_and_the_device_slowest() -> None:
    scenario = read(
        "sweep: {mixer: [hilo, msa], resolution: [448, 224], kernel: [sdpa, math], device: [cuda, cpu]}"
    )
    assert [(c.device, c.resolution[0], c.kernel, c.name) for c in expand(scenario, device="cpu")] == list(
        product(["cuda", "cpu"], [448, 224], ["sdpa", "math"], ["hilo", "msa"])
    )


def test_varied_parameters_lie_over_the_others_and_name_the_mixer() -> None:
    scenario = read(
        """
        sweep:
          mixer:
            - name: hilo
              label: HiLo
              params: {alpha: 0.9, window_size: 2}
              vary: {window_size: 7, alpha: [0.5, 1]}
        """
    )
    assert [(cell.name, cell.config) for cell in expand(scenario, device="cpu")] == [
        ("HiLo alpha=0.5 window_size=7", {"alpha": 0.5, "window_size": 7}),
        ("HiLo alpha=1 window_size=7", {"alpha": 1, "window_size": 7}),
    ]


def test_labels_show_values_as_the_file_does() -> None:
    scenario = read("sweep: {mixer: [{name: 'my:M', vary: {p: [true, null, relu, [1, 2], 1.0]}}]}")
    assert [cell.name for cell in expand(scenario, device="cpu")] == [
        "M p=true",
        "M p=null",
        "M p=relu",
        "M p=[1,2]",
        "M p=1.0",
    ]


def test_heads_among_the_parameters_replace_the_axis() -> None:
    scenario = read(
        "sweep: {mixer: [msa, {name: hilo, params: {num_heads: 6, alpha: 0.5}}], num_heads: [12, 6]}"
    )
    cells = expand(scenario, device="cpu")
    # For hilo both values of the axis are the same cell, which is kept once, where it came first.
    assert [(cell.name, cell.num_heads) for cell in cells] == [("msa", 12), ("hilo", 6), ("msa", 6)]
    assert cells[1].config == {"alpha": 0.5}


def test_auto_is_the_device_that_was_chosen_and_others_stay() -> None:
    scenario = read("sweep: {mixer: msa, device: [auto, cpu, 'cuda:1']}")
    assert [cell.device for cell in expand(scenario, device="cuda")] == ["cuda", "cpu", "cuda:1"]
    assert [cell.device for cell in expand(scenario, device="cpu")] == ["cpu", "cuda:1"]


def test_an_include_keeps_the_values_of_axes_it_does_not_name() -> None:
    scenario = read(
        """
        sweep: {mixer: [msa, hilo], resolution: [224, 448], batch: [1, 64], kernel: [math, sdpa]}
        include:
          - {resolution: 1792, batch: 1}
        """
    )
    cells = expand(scenario, device="cpu")
    assert len(cells) == 2 * 2 * 2 * 2 + 2 * 2
    extra = [cell for cell in cells if cell.resolution == (1792, 1792)]
    assert [(cell.batch, cell.kernel, cell.name) for cell in extra] == [
        (1, "math", "msa"),
        (1, "math", "hilo"),
        (1, "sdpa", "msa"),
        (1, "sdpa", "hilo"),
    ]
    # They stand with the cells they are compared with, batch 1, and not behind those of batch 64.
    assert [cell.batch for cell in cells] == [1] * 12 + [64] * 8


def test_an_include_picks_mixers_by_name_or_label_and_adds_no_cell_twice() -> None:
    scenario = read(
        """
        sweep: {mixer: [msa, {name: hilo, label: HiLo}, {name: hilo, label: wide, params: {alpha: 0.5}}]}
        include:
          - {mixer: [HiLo, msa], batch: [1, 2]}
          - {mixer: hilo, batch: [2, 3]}
        """
    )
    assert [(cell.batch, cell.name) for cell in expand(scenario, device="cpu")] == [
        (1, "msa"),
        (1, "HiLo"),
        (1, "wide"),
        (2, "msa"),
        (2, "HiLo"),
        (2, "wide"),
        (3, "HiLo"),
        (3, "wide"),
    ]


def test_excluded_cells_are_kept_aside_with_the_reason_of_the_first_rule() -> None:
    scenario = read(
        """
        sweep: {mixer: [msa, hilo], batch: [1, 64], kernel: [math, sdpa]}
        exclude:
          - {where: mixer=hilo kernel!=math, reason: no such kernel}
          - {where: batch=64, reason: too large}
        """
    )
    found = expand_detailed(scenario, device="cpu")
    assert [(c.name, c.batch, c.kernel) for c in found.cells] == [
        ("msa", 1, "math"),
        ("hilo", 1, "math"),
        ("msa", 1, "sdpa"),
    ]
    assert [(c.name, c.batch, c.kernel, reason) for c, reason in found.excluded] == [
        ("hilo", 1, "sdpa", "no such kernel"),
        ("msa", 64, "math", "too large"),
        ("hilo", 64, "math", "too large"),
        ("msa", 64, "sdpa", "too large"),
        ("hilo", 64, "sdpa", "no such kernel"),
    ]
    assert expand(scenario, device="cpu") == found.cells


def test_a_failure_is_expected_where_a_rule_says_so() -> None:
    scenario = read(
        """
        sweep: {mixer: msa, kernel: [math, flash]}
        expect:
          - {where: kernel=flash device=cpu, status: unsupported, reason: no flash on a CPU}
          - {where: kernel=math, status: [oom, crash], reason: the matrix is large}
        """
    )
    math, flash = expand(scenario, device="cpu")
    (_, flash_on_cuda) = expand(scenario, device="cuda")
    assert [expected(scenario, math, status, {}) for status in ("oom", "crash", "unsupported", "ok")] == [
        True,
        True,
        False,
        False,
    ]
    assert expected(scenario, flash, "unsupported", {})
    assert not expected(scenario, flash_on_cuda, "unsupported", {})


@pytest.mark.parametrize(
    ("device", "environment", "wanted"),
    [
        ("cuda", {"gpu": {"memory_bytes": 24 * 10**9}}, True),
        ("cuda", {"gpu": {"memory_bytes": 150_754_820_096}}, False),
        ("cuda", {"gpu": {"memory_bytes": 65 * 10**9}, "cpu": {"memory_bytes": 10**9}}, False),
        ("cpu", {"cpu": {"memory_bytes": 10**9}}, True),
        ("cuda", {"gpu": None}, False),
        ("cpu", {}, False),
    ],
)
def test_a_failure_may_be_expected_of_devices_with_less_memory_only(
    device: str, environment: dict[str, Any], wanted: bool
) -> None:
    scenario = read(
        """
        sweep: {mixer: msa}
        expect:
          - {where: mixer=msa, status: oom, memory_below: 65GB, reason: the matrix is large}
        """
    )
    (cell,) = expand(scenario, device=device)
    assert expected(scenario, cell, "oom", environment) == wanted


def test_the_order_of_axes_names_every_axis_of_a_sweep() -> None:
    assert sorted(SETTINGS) == sorted(SWEPT)
    assert set(Sweep.model_fields) == set(Include.model_fields) == {"mixer", "backbone", *SWEPT}


def lists_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


axes = {
    "resolution": lists_of(224, 256, 448),
    "stride": lists_of(8, 16, 32),
    "batch": lists_of(1, 8, 64),
    "num_heads": lists_of(6, 12),
    "kernel": lists_of("math", "sdpa", "flash"),
    "dtype": lists_of("fp32", "bf16"),
    "device": lists_of("auto", "cpu", "cuda"),
}
mixers = st.lists(
    st.sampled_from(
        [
            "msa",
            "pool",
            {"name": "hilo", "label": "a", "params": {"alpha": 0.5, "window_size": 2}},
            {"name": "hilo", "label": "b", "vary": {"window_size": [2, 4], "alpha": [0.5, 0.9]}},
            {"name": "msa", "label": "c", "params": {"num_heads": 6, "qkv_bias": False}},
        ]
    ),
    min_size=1,
    max_size=3,
    unique_by=str,
)
sweeps = st.builds(
    lambda mixer, rest: {"mixer": mixer, **rest}, mixers, st.fixed_dictionaries({}, optional=axes)
)
documents = st.builds(
    lambda sweep, include: {"name": "s", "title": "t", "sweep": sweep, "include": include},
    sweeps,
    st.lists(st.fixed_dictionaries({}, optional=axes), max_size=2),
)


def shuffled(value: Any, order: st.DataObject) -> Any:
    """The same document with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = order.draw(st.permutations(list(value)))
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def cells_of(document: Any) -> tuple[Cell, ...]:
    return expand(read(yaml.safe_dump(document, sort_keys=False), head=""), device="cpu")


@settings(deadline=None, max_examples=50)
@given(documents, st.data())
def test_the_order_of_keys_changes_neither_cells_nor_their_order_nor_their_ids(
    document: Any, order: st.DataObject
) -> None:
    cells, again = cells_of(document), cells_of(shuffled(document, order))
    assert cells == again
    assert [cell.id for cell in cells] == [cell.id for cell in again]


@settings(deadline=None, max_examples=50)
@given(documents)
def test_cells_are_unique_and_groups_that_are_compared_stay_together(document: Any) -> None:
    cells = cells_of(document)
    assert len({cell.id for cell in cells}) == len(cells)
    groups = [(c.device, c.dtype, c.mode, c.batch, c.resolution, c.stride) for c in cells]
    starts = [group for i, group in enumerate(groups) if i == 0 or group != groups[i - 1]]
    assert len(starts) == len(set(starts))


filters = st.sampled_from(
    ["batch=1", "kernel!=math", "mixer=msa", "resolution<=256 stride>8", "params.alpha>0.5", "device=cpu"]
)


@settings(deadline=None, max_examples=50)
@given(sweeps, filters)
def test_exclusion_takes_cells_out_and_leaves_the_others_as_they_were(sweep: Any, where: str) -> None:
    whole = read(yaml.safe_dump({"name": "s", "title": "t", "sweep": sweep}), head="")
    rule = Exclude(where=where, reason="r")
    found = expand_detailed(whole.model_copy(update={"exclude": (rule,)}), device="cpu")
    holds = parse(where).matches
    assert found.cells == tuple(cell for cell in expand(whole, device="cpu") if not holds(cell))
    assert [cell for cell, _ in found.excluded] == [c for c in expand(whole, device="cpu") if holds(c)]
