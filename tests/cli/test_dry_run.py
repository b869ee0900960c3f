"""The table of `benchsuite run --dry-run`."""

from __future__ import annotations

import pytest

from benchsuite.cli.run import print_estimates
from benchsuite.labels import describe_cell
from benchsuite.runner.estimate import CellEstimate
from tests.builders import make_cell


def test_estimates_are_headed_by_what_would_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    network = make_cell(subject="backbone", name="LITv2-S", stride=1, dim=None, num_heads=None)
    for cell, heading in ((network, "network"), (make_cell(), "mixer")):
        print_estimates([CellEstimate(cell, None, None, None, "too large")])
        assert capsys.readouterr().out.splitlines()[1].split()[0] == heading


def test_what_will_not_fit_is_said_in_full_below_the_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    why = "will not fit: needs about 3 GiB, there is 2 GiB"
    print_estimates(
        [
            CellEstimate(make_cell(name="Fits"), 1000, 0.5, 2048),
            CellEstimate(make_cell(), None, None, 3 << 30, why, tried=False),
        ]
    )
    _, _, fits, large, reason = capsys.readouterr().out.splitlines()
    assert fits.split()[-6:] == ["1", "k", "0.5", "s", "2", "KiB"]
    assert large.split()[-4:] == ["–", "–", "3", "GiB"]
    assert reason == f"no numbers  {describe_cell(make_cell())}: {why}"


def test_a_cell_that_will_be_measured_without_an_estimate_is_not_said_to_have_no_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_estimates([CellEstimate(make_cell(), None, None, None, "not counted: a")])
    assert f"no estimate  {describe_cell(make_cell())}: not counted: a" in capsys.readouterr().out
