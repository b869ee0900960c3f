"""Cells whose multiply–adds the two counters do not agree on."""

from __future__ import annotations

from collections.abc import Iterable

from benchsuite.labels import pixels
from benchsuite.results.record import Record


def disputed_macs(records: Iterable[Record]) -> list[str]:
    """Name and size of each cell that the counters differ on, with both numbers of an image."""
    texts = [
        f"{record.cell.name}, {pixels(record.cell.resolution)} px: "
        f"{record.cost.macs:,} MACs counted, {record.cost.cross_check_macs:,} by the other counter"
        for record in records
        if record.cost is not None and record.cost.cross_check_macs not in (None, record.cost.macs)
    ]
    return [*dict.fromkeys(texts)]
