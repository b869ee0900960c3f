"""Records as one tidy frame: a row a cell, a column a quantity, SI base units, and missing where missing.

Samples are summarised in the rows of `results/metrics.py` and nowhere else, so a table, a figure and a script
of a reader agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from benchsuite.errors import UsageError
from benchsuite.results.metrics import QUANTITIES, measured_cells
from benchsuite.results.record import Record
from benchsuite.results.store import Run
from benchsuite.text import in_spreadsheet

_TEXTS = tuple(key for key, column in QUANTITIES.items() if column.dtype == "object")


def frame_of(run: Run) -> pd.DataFrame:
    """One row a cell, in the order of the records; see `to_frame`."""
    return to_frame(run.records, run.environments)


def to_frame(
    records: Iterable[Record], environments: Mapping[int, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """One row a record, with the columns of `QUANTITIES`, also if there are none.

    Times are in seconds per step, throughput in images per second, memory in bytes, MACs for one image.
    `latency_s` is the median over rounds of their medians (`rounds_s`); `_lo` and `_hi` are the ends of its
    95 % interval, missing below three rounds. It includes the `drift` of the machine where that is known.
    `noise` is the share by which a ratio must differ from 1 to mean something on the machine.
    `attention_backend` is what attention ran on ("flash", "flash math"), "none" where torch's was not called.
    `resolution` is the side in pixels where the image is square and "HxW" where it is not. What was not
    measured is missing (NaN, NA), never 0; so are `dim` and `num_heads` of a backbone.

    `achieved_flops_per_s` and `intensity` (operations per byte) are of the forward pass, and missing in
    training; `ceiling_share` is the share of the rate of the fastest kernel of known cost, on as many
    threads, missing where there is none.

    Args:
        environments: session → its machine, for what is held against the machine.
    """
    cells = measured_cells(records, environments)
    return pd.DataFrame(
        {
            key: pd.Series([column.of(one) for one in cells], dtype=column.dtype)
            for key, column in QUANTITIES.items()
        }
    )


FORMATS = ("csv", "parquet")


def export(runs: Sequence[Run], format: str) -> str | bytes:
    """The frame in a format that other programs read: every column, in SI base units.

    Args:
        runs: of several, a first column `run` says which one a row is of.
        format: one of `FORMATS`.

    Returns:
        Text, or bytes for Parquet.

    Raises:
        UsageError: Parquet was asked for and pyarrow is not installed.
    """
    frames = [frame_of(run) for run in runs]
    if len(frames) == 1:
        frame = frames[0]
    else:
        for run, part in zip(runs, frames, strict=True):
            part.insert(0, "run", str(run.path))
        frame = pd.concat(frames, ignore_index=True)
    return _csv(frame) if format == "csv" else _parquet(frame)


def _csv(frame: pd.DataFrame) -> str:
    spelled = _spelled(frame)
    texts = [key for key in (*_TEXTS, "run") if key in spelled]
    inert = {key: [in_spreadsheet(v) if isinstance(v, str) else v for v in spelled[key]] for key in texts}
    return spelled.assign(**inert).to_csv(index=False, lineterminator="\n")


def _spelled(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its tuples as texts: "0.0101 0.0102 0.0099"."""
    spelled = [None if one is None else " ".join(map(repr, one)) for one in frame["rounds_s"]]
    return frame.assign(rounds_s=pd.Series(spelled, index=frame.index, dtype="object"))


def _parquet(frame: pd.DataFrame) -> bytes:
    # A column of Parquet has one type: resolutions may be numbers and texts, and a column may be all missing.
    spelled = _spelled(frame).assign(resolution=frame["resolution"].map(str))
    frame = spelled.astype(dict.fromkeys(_TEXTS, "string"))
    try:
        return bytes(frame.to_parquet(index=False, engine="pyarrow"))
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'benchsuite[parquet]'") from error
