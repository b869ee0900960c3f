"""A mixer's module that says what its own operator costs, as docs/adding-a-mixer.md shows it."""

from __future__ import annotations

from uncountable import OwnOperatorWithRule

import benchsuite

__all__ = ["OwnOperatorWithRule"]

benchsuite.count_operator(
    "uncountable::known", lambda inputs, outputs: inputs[0].shape[-1] * outputs[0].elements
)
