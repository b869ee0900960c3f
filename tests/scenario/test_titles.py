"""Title and question fit the sweep: reports mend what they can, and `check` warns of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from benchsuite.scenario.titles import contradictions, fitted
from benchsuite.scenario.validate import check


def scenario(**sweep: Any) -> dict[str, Any]:
    usual = {"resolution": [[224, 224]], "stride": [16], "batch": [64], "dim": [768], "num_heads": [12]}
    return {"subject": "mixer", "sweep": usual | sweep}


@pytest.mark.parametrize(
    "text",
    [
        "At 14 × 14 tokens and 768 channels?",
        "With 12 heads at batch 64 and 224 pixels",
        "Is α = 0.9 the best of 4?",
    ],
)
def test_words_that_fit_are_left_alone(text: str) -> None:
    assert contradictions(text, scenario()) == []
    assert fitted(text, scenario()) == text


def test_a_number_that_the_sweep_does_not_have_is_named_and_mended() -> None:
    other = scenario(dim=[384], batch=[1])
    text = "At 14 × 14 tokens, 768 channels and batch 64?"
    assert contradictions(text, other) == [("768 channels", "384"), ("batch 64", "1")]
    assert fitted(text, other) == "At 14 × 14 tokens, 384 channels and batch 1?"


def test_of_several_values_none_is_put_into_the_words() -> None:
    other = scenario(dim=[192, 384])
    assert contradictions("768 channels", other) == [("768 channels", "192, 384")]
    assert fitted("768 channels", other) == "768 channels"


def test_a_span_of_pixels_is_that_of_the_sweep() -> None:
    small = scenario(resolution=[[224, 224], [448, 448], [672, 672]])
    assert fitted("from 224 to 1120 pixels", small) == "from 224 to 672 pixels"
    assert contradictions("from 224 to 448 pixels", small) == []


def test_a_network_makes_its_own_tokens_and_channels() -> None:
    assert contradictions("14 × 14 tokens, 96 channels", scenario() | {"subject": "backbone"}) == []


TEXT = """
name: one
title: One mixer
question: What do 768 channels cost?
sweep: {mixer: msa, dim: 768}
profiles:
  small: {sweep: {dim: 384}}
  other: {sweep: {dim: 192}, question: "What do 192 channels cost?"}
"""


def test_check_warns_of_a_profile_that_contradicts_the_question_and_brings_none() -> None:
    found = check(TEXT, "one.yaml", {"msa": []})
    assert found.problems == ()
    (warning,) = found.warnings
    assert warning.message == (
        'question says "768 channels", but the sweep with profile "small" has 384; '
        "a profile may bring its own question"
    )
    assert warning.line == 4
