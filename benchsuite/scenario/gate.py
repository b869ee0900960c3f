"""When a scenario's gate calls a cell slower: the numbers of the rule in `analyse/gate.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from benchsuite.scenario.kinds import Count, Part, is_number, is_whole, must_be

_SHARE = must_be("a share between 0 and 1", lambda v: is_number(v) and 0 < v < 1)
_Share = Annotated[
    float, _SHARE, WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})
]
_Enough = Annotated[
    int,
    must_be("a whole number, 2 or more", lambda v: is_whole(v) and v >= 2),
    WithJsonSchema({"type": "integer", "minimum": 2}),
]


class Gate(Part):
    """When a change counts as a regression.

    A pair is one process of the old code and one of the new, run next to each other. `screen` pairs look at
    every cell; a cell whose median ratio is above the limit gets `pairs` fresh ones, which alone decide. The
    limit is `delta`, or the cell's own noise where that is larger.
    """

    delta: _Share = Field(default=0.02, description="Smallest slowdown that matters, as a share.")
    confidence: _Share = Field(default=0.99, description="Of the interval that must be beyond the limit.")
    screen: Count = Field(default=3, description="Pairs that every cell gets; 0: all pairs for all cells.")
    pairs: _Enough = Field(default=9, description="Fresh pairs that a flagged cell gets.")
    false_discovery: _Share = Field(
        default=0.05, description="Share of false ones that is tolerated among cells called slower."
    )
