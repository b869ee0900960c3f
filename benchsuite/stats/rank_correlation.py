"""Spearman's correlation of ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rank correlation: 1 if y rises wherever x does, −1 if it falls wherever x rises.

    Pairs with a NaN are left out.

    Returns:
        The correlation, or None where there is none: fewer than two pairs, or one side is constant.

    Raises:
        ValueError: x and y differ in length.
    """
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if not (math.isnan(a) or math.isnan(b))]
    if len(pairs) < 2 or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    return round(float(np.corrcoef(pd.DataFrame(pairs).rank().T)[0, 1]), 12)  # −1 and −0.8 are these numbers
