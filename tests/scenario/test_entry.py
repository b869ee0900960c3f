"""How a module is called, in the language: `call`, `layout` and `inputs` of an entry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchsuite.results.cell import Cell
from benchsuite.scenario.expand import expand
from benchsuite.scenario.model import Scenario
from benchsuite.scenario.validate import check, problems

from .test_backbones import ZOO

MIXER, NETWORK = "mixer", "backbone"


def text(axis: str, said: str) -> str:
    return f"name: s\ntitle: t\nsubject: {axis}\nsweep:\n  {axis}:\n    - {{name: 'm:Mine', {said}}}\n"


def cell(axis: str, said: str) -> Cell:
    scenario = check(text(axis, said), "f.yaml", ZOO).scenario
    assert scenario is not None
    again = Scenario.from_dict(json.loads(json.dumps(scenario.to_dict())))
    (one,) = expand(again, device="cpu")
    assert one == expand(scenario, device="cpu")[0]
    return one


@pytest.mark.parametrize(
    ("said", "forward"),
    [
        ("params: {}", {}),
        ("layout: NCHW, call: 'forward(x, size)'", {"call": "forward(x, size)", "layout": "NCHW"}),
        ("inputs: {x: [B, N, 64]}", {"inputs": {"x": {"shape": ["B", "N", 64]}}}),
        ("inputs: {x: {shape: [B, 3]}}", {"inputs": {"x": {"shape": ["B", 3]}}}),
        (
            "inputs: {ids: {shape: [B, 8], dtype: int32, high: 9}, mask: {shape: [B], dtype: bool}}",
            {
                "inputs": {
                    "ids": {"shape": ["B", 8], "dtype": "int32", "high": 9},
                    "mask": {"shape": ["B"], "dtype": "bool"},
                }
            },
        ),
    ],
)
def test_what_is_said_is_in_the_cell_in_one_form_and_only_that(said: str, forward: dict[str, Any]) -> None:
    for axis in (MIXER, NETWORK):
        assert cell(axis, said).forward == forward


def test_what_is_said_is_part_of_a_cells_id_and_what_is_not_said_is_not() -> None:
    plain, told = cell(MIXER, "params: {}"), cell(MIXER, "layout: NCHW")
    assert plain.id != told.id
    assert cell(MIXER, "inputs: {x: [B, 3]}").id == cell(MIXER, "inputs: {x: {shape: [B, 3]}}").id


@pytest.mark.parametrize(
    ("axis", "said", "words"),
    [
        (MIXER, "call: forward(x, hw)", "did you mean"),
        (MIXER, "layout: NCWH", 'unknown layout "NCWH"; did you mean "NCHW"?'),
        (NETWORK, "layout: BNC", "layout must be NCHW or NHWC, as a network takes images"),
        (MIXER, "layout: NCHW, inputs: {x: [B, 3]}", "layout must be left out where inputs say"),
        (MIXER, "inputs: [B, 3]", "inputs must be a mapping of arguments of forward to shapes"),
        (MIXER, "inputs: {x: [3, 64]}", "x must be a shape that begins with B"),
        (MIXER, "inputs: {x: [B, K]}", "(letters: B, H, W, N, C)"),
        (MIXER, "inputs: {x: {shape: [B], dtype: float16}}", "dtype: int64 | int32 | bool"),
        (MIXER, "inputs: {x: {shap: [B]}}", "x must be a shape"),
        (MIXER, "inputs: {x: {shape: [B], dtype: int64}}", "x must be given high, the end of their range"),
        (MIXER, "inputs: {x: {shape: [B], high: 3}}", "x must be given high"),
    ],
)
def test_every_mistake_has_its_place_and_says_what_is_allowed(axis: str, said: str, words: str) -> None:
    (problem,) = problems(text(axis, said.replace("forward(x, hw)", "'forward(x, hw)'")), "f.yaml", ZOO)
    assert problem.line == 6
    assert problem.column > 21
    assert words in str(problem).replace("\n    ", " ")
