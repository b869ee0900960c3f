"""Small runs and what the answer says of them, for the tests of its sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchsuite.report.answer import answer, of_group
from benchsuite.report.cells import read
from benchsuite.report.ranking import among
from benchsuite.report.reported_cells import reported_cells
from benchsuite.results.record import Record
from tests.report.synthetic import make_record, make_run


def said(records: Sequence[Record], reference: str | None = None, noise: float = 0.0) -> str:
    """All that is said of comparable records from a machine with this noise, as a share."""
    cells = reported_cells(records, {1: {"selftest": {"noise_percent": 100 * noise}}})
    return " ".join(of_group(cells, among(cells), reference))


def race(*latencies: float, noise: float = 0.01, **changes: Any) -> list[Record]:
    """Mixers a, b, c … with these latencies in ms; MACs rise in this order."""
    return [
        make_record(name, latency=latency / 1e3, noise=noise, macs=10**9 * (i + 1), **changes)
        for i, (name, latency) in enumerate(zip("abcdefgh", latencies, strict=False))
    ]


def cell(name: str, macs: int, latency: float, **changes: Any) -> Record:
    return make_record(name, macs=macs * 10**9, latency=latency / 1e3, **changes)


def asked(question: str, records: Sequence[Record], reference: str | None = None) -> str:
    cells = reported_cells(records)
    return " ".join(of_group(cells, among(cells), reference, question))


def of_run(records: Sequence[Record], **scenario: Any) -> str:
    """The sentences under the headline of a run, or what stands alone."""
    first, *rest = answer(read(make_run(records, **scenario)))
    return " ".join(rest) or first


def headline_of(records: Sequence[Record], **scenario: Any) -> str:
    return answer(read(make_run(records, **scenario)))[0]
