"""The roofline of a machine as measured, and where the cells of a run lie under it.

Below the ridge a forward pass could at best run as fast as its bytes can move, above it as fast as a large
matrix product multiplies. Both ceilings are rates that torch reached on the machine, not a data sheet's.

Only forward passes have a place: what a backward pass multiplies is not counted. Bytes are the fewest that
must move, so an intensity is the highest there can be, and a roof is never too low for want of bytes. A share
above 1 says that data stayed in the caches, which a copy of large buffers knows nothing of, or that the
machine was busier when its ceilings were measured than when the cell was.
Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchsuite.results.ceilings import FLOPS_PER_MAC, Ceilings, ceilings_of

COLUMNS = (
    "achieved_macs_per_s",
    "achieved_flops_per_s",
    "ceiling_share",
    "intensity",
    "ridge",
    "roof_flops_per_s",
    "roof_share",
    "limited_by",
)


def roofline(frame: pd.DataFrame, environments: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """Place every cell of a frame under its machine's roof.

    Args:
        frame: of `results.frame.to_frame`, made with the same environments.
        environments: session → its machine.

    Returns:
        The columns of `COLUMNS`, with the index of `frame`; NaN, or None for a word, where it cannot be told.
        achieved_macs_per_s, achieved_flops_per_s: of the median step; a lower bound where MACs are.
        ceiling_share: of the measured rate of a matrix product in the cell's dtype.
        intensity: operations per byte, with the fewest bytes that must move.
        ridge: the intensity from which on a roof is that of multiplication.
        roof_flops_per_s, roof_share: the most that the machine allows at this intensity, and the share of it.
        limited_by: "bandwidth" below the ridge, "compute" from it on.
    """
    tops = [_ceilings(row, environments) for row in frame.to_dict("records")]
    flops = FLOPS_PER_MAC * pd.Series([_number(top.macs_per_s) for top in tops], frame.index, float)
    copy = pd.Series([_number(top.copy_bytes_per_s) for top in tops], frame.index, float)
    achieved, intensity = frame["achieved_flops_per_s"], frame["intensity"]
    ridge = flops / copy
    roof = (copy * intensity).clip(upper=flops).where(flops.notna())
    sides = np.where(intensity < ridge, "bandwidth", "compute")
    known = intensity.notna() & ridge.notna()
    return pd.DataFrame(
        {
            "achieved_macs_per_s": achieved / FLOPS_PER_MAC,
            "achieved_flops_per_s": achieved,
            "ceiling_share": achieved / flops,
            "intensity": intensity,
            "ridge": ridge,
            "roof_flops_per_s": roof,
            "roof_share": achieved / roof,
            "limited_by": pd.Series(sides, frame.index, object).where(known, None),
        }
    )


def _ceilings(row: Mapping[Any, Any], environments: Mapping[int, Mapping[str, Any]]) -> Ceilings:
    threads = None if pd.isna(row["threads"]) else int(row["threads"])
    machine = environments.get(row["session"], {})
    return ceilings_of(machine, row["device"], row["dtype"], threads)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
