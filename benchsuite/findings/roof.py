"""The roofline of a machine as measured, and where the cells of a run lie under it.

Below the ridge a forward pass could at best run as fast as its bytes can move, above it as fast as the
fastest kernel of known cost multiplies. Both ceilings are rates that torch reached on the machine, not a data
sheet's.

Only forward passes have a place: what a backward pass multiplies is not counted. Bytes are the fewest that
must move, so an intensity is the highest there can be, and a roof is never too low for want of bytes.

A share above 1 has a reason, or none is known (`above`). Left of the ridge data may stay in the caches, which
a copy of large buffers knows nothing of. Caches lift nothing above the roof of multiplication; an algorithm
does that needs fewer multiplications than are counted: Winograd's, of dense 3 × 3 convolutions, where the
machine is seen to gain by it. Old runs tried one matrix product, which other kernels outrun.
Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", Communications of the ACM 52(4), 2009; Lavin and Gray, "Fast Algorithms for Convolutional
Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchsuite.results.machine import FLOPS_PER_MAC, Ceilings, ceilings_of

COLUMNS = (
    "achieved_macs_per_s",
    "achieved_flops_per_s",
    "ceiling_share",
    "intensity",
    "ridge",
    "roof_flops_per_s",
    "roof_share",
    "limited_by",
    "roof_kernel",
    "above",
)

CACHES = "caches"
WINOGRAD = "winograd"
ONE_PRODUCT = "one product"
UNKNOWN = "unknown"


def roofline(frame: pd.DataFrame, environments: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """Place every cell of a frame under its machine's roof.

    Args:
        frame: of `results.frame.to_frame`, made with the same environments.
        environments: session → its machine.

    Returns:
        The columns of `COLUMNS`, with the index of `frame`; NaN, or None for a word, where it cannot be told.
        achieved_macs_per_s, achieved_flops_per_s: of the median step; a lower bound where MACs are.
        ceiling_share: of the measured rate of multiplication in the cell's dtype.
        intensity: operations per byte, with the fewest bytes that must move.
        ridge: the intensity from which on a roof is that of multiplication.
        roof_flops_per_s, roof_share: the most that the machine allows at this intensity, and the share of it.
        limited_by: "bandwidth" below the ridge, "compute" from it on.
        roof_kernel: the kernel that multiplied fastest; empty where one product alone was tried.
        above: why the share exceeds 1, `CACHES`, `WINOGRAD`, `ONE_PRODUCT` or `UNKNOWN`; None where it does
            not.
    """
    rows = frame.to_dict("records")
    tops = [_ceilings(row, environments) for row in rows]
    flops = FLOPS_PER_MAC * pd.Series([_number(top.macs_per_s) for top in tops], frame.index, float)
    copy = pd.Series([_number(top.copy_bytes_per_s) for top in tops], frame.index, float)
    achieved, intensity = frame["achieved_flops_per_s"], frame["intensity"]
    ridge = flops / copy
    roof = (copy * intensity).clip(upper=flops).where(flops.notna())
    share = achieved / roof
    sides = np.where(intensity < ridge, "bandwidth", "compute")
    known = intensity.notna() & ridge.notna()
    kernels = pd.Series([top.kernel for top in tops], frame.index, object)
    why = [
        CACHES if side == "bandwidth" else _above_multiplication(row, top)
        for side, row, top in zip(sides, rows, tops, strict=True)
    ]
    return pd.DataFrame(
        {
            "achieved_macs_per_s": achieved / FLOPS_PER_MAC,
            "achieved_flops_per_s": achieved,
            "ceiling_share": achieved / flops,
            "intensity": intensity,
            "ridge": ridge,
            "roof_flops_per_s": roof,
            "roof_share": share,
            "limited_by": pd.Series(sides, frame.index, object).where(known, None),
            "roof_kernel": kernels.where(known, None),
            "above": pd.Series(why, frame.index, object).where(share > 1, None),
        }
    )


def _above_multiplication(row: Mapping[Any, Any], top: Ceilings) -> str:
    """Reason why a cell multiplies faster than the fastest kernel, as a word of this file."""
    if not top.kernel:
        return ONE_PRODUCT
    dense = row.get("dense_3x3_macs")
    fewer = top.counted_per_s is not None and top.counted_per_s > (top.macs_per_s or 0)
    return WINOGRAD if fewer and not pd.isna(dense) and dense > 0 else UNKNOWN


def _ceilings(row: Mapping[Any, Any], environments: Mapping[int, Mapping[str, Any]]) -> Ceilings:
    threads = row["threads_used"]
    machine = environments.get(row["session"], {})
    return ceilings_of(machine, row["device"], row["dtype"], None if pd.isna(threads) else int(threads))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
