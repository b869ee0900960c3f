"""Settings of a gate: when a cell is called slower or larger, and how long a process samples a cell."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from benchsuite.scenario.types import (
    Count,
    Limit,
    Part,
    Positive,
    Seconds,
    is_number,
    is_whole,
    must_be,
    one_of,
)

ExactPolicy = Literal["increase", "any", "ignore"]
EXACT_POLICIES: tuple[ExactPolicy, ...] = get_args(ExactPolicy)
MissingPolicy = Literal["fail", "any", "warn"]
MISSING_POLICIES: tuple[MissingPolicy, ...] = get_args(MissingPolicy)

_Share = Annotated[
    float,
    must_be(
        "a share between 0 and 1",
        lambda v: is_number(v) and 0 < v < 1,
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    ),
]
_Enough = Annotated[
    int,
    must_be("a whole number, 2 or more", lambda v: is_whole(v) and v >= 2, {"type": "integer", "minimum": 2}),
]
_ExactWord = Annotated[ExactPolicy, one_of(EXACT_POLICIES)]
_MissingWord = Annotated[MissingPolicy, one_of(MISSING_POLICIES)]


class Gate(Part):
    """When a change counts as a regression.

    A pair is one process of the old code and one of the new, run next to each other. `screen` pairs look at
    every cell; a cell whose median ratio is above the limit gets `pairs` fresh ones, which alone decide. The
    limit is `delta`, or the cell's own noise where that is larger.

    A process samples a cell for `max_s` seconds, and takes `min_samples` whatever the time, after a warm-up
    of `warmup_s`: many short processes say more than a few long ones.
    """

    delta: _Share = Field(default=0.02, description="Smallest slowdown that matters, as a share.")
    confidence: _Share = Field(default=0.99, description="Of the interval that must be beyond the limit.")
    screen: Count = Field(default=3, description="Pairs that every cell gets; 0: all pairs for all cells.")
    pairs: _Enough = Field(default=9, description="Fresh pairs that a flagged cell gets.")
    false_discovery: _Share = Field(
        default=0.05, description="Share of false ones that is tolerated among cells called slower."
    )
    exact: _ExactWord = Field(
        default="increase",
        description="Which changes of numbers without noise (MACs, parameters, operators, bytes) count: "
        "those that are larger, any, or none.",
    )
    missing: _MissingWord = Field(
        default="fail",
        description="Which cells of one side fail the gate: those that the candidate lacks, any, that is new "
        "ones too, or none, so that they are only named (warn).",
    )
    max_s: Limit = Field(default=0.5, description="Seconds that a process samples a cell.")
    min_samples: Positive = Field(default=5, description="Samples of a process whatever the time.")
    warmup_s: Seconds = Field(default=0.1, description="Seconds of warm-up of a cell in a process.")
