"""Every pair of a run is decided as if all had been asked at once."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from benchsuite.report.ranking import among, ratio
from benchsuite.report.reported_cells import ReportedCell, reported_cells
from benchsuite.stats.evidence import Question, decide
from tests.report.synthetic import make_record


def cells(seed: int) -> list[ReportedCell]:
    """Cells of two sessions, the second of unknown drift, with one to six rounds, some nearly equal."""
    chances = np.random.default_rng(seed)
    found = reported_cells(
        dataclasses.replace(make_record(str(i), resolution=(224, 448)[i % 2]), session=1 + (i % 7 == 0))
        for i in range(28)
    )
    for i, cell in enumerate(found):
        rounds = 1 + i % 6 if i % 3 else 5
        logs = tuple(0.02 * chances.integers(3) + 0.004 * chances.standard_normal(rounds))
        found[i] = dataclasses.replace(
            cell,
            log_speeds=logs,
            rounds_s=tuple(float(np.exp(-log)) for log in logs),
            drift=float("nan") if cell.session == 2 else 0.01,
            noise=0.005,
        )
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_is_decided_as_in_the_family_of_all_pairs(seed: int) -> None:
    every = cells(seed)
    order = among(every)
    pairs = {
        (one.id, other.id): (one, other)
        for one, other in itertools.combinations(every, 2)
        if one.resolution == other.resolution
    }
    asked = decide({key: Question(ratio(*pair), noise=0.005) for key, pair in pairs.items()})
    for key, pair in pairs.items():
        assert repr(order.between(*pair)) == repr(asked[key])  # NaN is not equal to itself
    sides = {found.side for found in asked.values()}
    assert sides == {"above", "below", "same", "undecided"}
    assert any(found.reason.startswith("not sure enough among") for found in asked.values())
    for one, other in pairs.values():
        assert order.faster(other, one) == (order.side(one, other) == "below")


def test_cells_of_two_resolutions_are_no_pair() -> None:
    one, other = cells(0)[:2]
    order = among(cells(0))
    assert not order.faster(one, other)
    with pytest.raises(KeyError):
        order.between(one, other)
