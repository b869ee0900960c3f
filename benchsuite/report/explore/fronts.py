"""Where each cell stands to the Pareto front, for the charts of MACs against speed."""

from __future__ import annotations

import pandas as pd

from benchsuite.analyse.pareto import Candidate, Standing, standings
from benchsuite.report.groups import split


def standing_of(frame: pd.DataFrame) -> list[Standing | None]:
    """A standing for every row, among all cells of its conditions and resolution, on whatever kernel.

    None where MACs or speed are missing, or MACs are a lower bound that nothing beats. These are the rings of
    the printed figure: what a reader filters away still counts.
    """
    found: dict[str, Standing | None] = {}
    for group in split(frame):
        known = group.frame[group.frame["throughput"].notna() & group.frame["macs"].notna()]
        for _, panel in known.groupby("resolution", sort=False):
            columns = ("macs", "throughput_lo", "throughput_hi", "macs_exact")
            candidates = [
                Candidate(cost=float(macs), lo=lo, hi=hi, exact=bool(pd.isna(exact) or exact))
                for macs, lo, hi, exact in zip(*(panel[column] for column in columns), strict=True)
            ]
            found |= zip(panel["cell"], standings(candidates), strict=True)
    return [found.get(cell) for cell in frame["cell"]]
