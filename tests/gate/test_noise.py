"""GateNoise of code held against itself: its size, its file, and the machine it belongs to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchsuite.errors import UsageError
from benchsuite.gate.noise import GateNoise, noise_of, read_noise, require_fitting, write_noise
from benchsuite.gate.verdicts import ProcessPair
from benchsuite.results.record import Record
from benchsuite.scenario.gate_settings import Gate
from benchsuite.stats.evidence import aa_noise
from tests.builders import make_cell, make_record

CALM, NOISY, BROKEN = (make_cell(name=name) for name in ("Calm", "Noisy", "Broken"))
CELLS = (CALM, NOISY, BROKEN)
HERE = {"cpu": {"model": "A", "threads": 1}, "torch": "2"}


def pairs() -> list[ProcessPair]:
    """Calm is the same on both sides; of Noisy the candidate takes 10 % more and 10 % less in turns."""

    def records(noisy: float) -> dict[str, Record]:
        found = [make_record(CALM, (0.01,)), make_record(NOISY, (0.01 * noisy,))]
        return {one.id: one for one in [*found, make_record(BROKEN, status="crash")]}

    return [
        ProcessPair(base=records(1.0), candidate=records(r), fresh=True) for r in (1.1, 1 / 1.1, 1.1, 1 / 1.1)
    ]


@pytest.fixture
def noise() -> GateNoise:
    names = {cell.id: cell.name for cell in CELLS}
    rule = Gate(delta=0.02, pairs=9)
    return noise_of(CELLS, pairs(), rule, scenario="s", machine="a", environment=HERE, names=names)


def test_the_noise_of_a_cell_is_that_of_as_many_pairs_as_the_gate_decides_with(noise: GateNoise) -> None:
    calm, noisy = noise.cells
    assert (calm.noise, calm.spread) == (0.0, 0.0)
    assert noisy.spread == pytest.approx(math.log(1.1))
    # t of 4 degrees at 95 % is 2.776; the mean of 9 pairs spreads a third as much as one.
    assert noisy.noise == pytest.approx(math.expm1(2.776 * math.log(1.1) / 3), rel=1e-3)
    assert noisy.noise == aa_noise(noisy.log_ratios, 9)


def test_the_proposal_covers_every_cell_in_steps_of_half_a_per_cent(noise: GateNoise) -> None:
    assert noise.proposed == pytest.approx(0.095)  # above 9.2 %
    quiet = GateNoise(scenario="s", machine="a", environment={}, pairs=9, floor=0.02, cells=noise.cells[:1])
    assert quiet.proposed == 0.02


def test_a_cell_without_times_is_named_with_its_reason(noise: GateNoise) -> None:
    assert noise.unmeasured == (("Broken", "a planted crash"),)
    assert BROKEN.id not in noise.shares


def test_noise_is_the_same_after_its_file(noise: GateNoise, tmp_path: Path) -> None:
    path = tmp_path / "new" / "noise.json"
    write_noise(noise, path)
    assert read_noise(path) == noise


def fitting(noise: GateNoise, environment: dict[str, Any], *cells: Any, pairs: int = 9) -> tuple[str, ...]:
    return require_fitting(noise, Path("n.json"), environment, cells, pairs)


def test_noise_of_this_machine_and_these_cells_needs_no_word(noise: GateNoise) -> None:
    assert fitting(noise, HERE, CALM, NOISY) == ()


def test_noise_of_another_machine_is_refused_with_what_differs(noise: GateNoise) -> None:
    other = {**HERE, "cpu": {"model": "B", "threads": 1}}
    with pytest.raises(UsageError, match=r"n.json: noise of another machine: CPU A, here B; measure it here"):
        fitting(noise, other, CALM)


def test_noise_that_knows_none_of_the_cells_is_refused_and_one_that_knows_some_says_so(
    noise: GateNoise,
) -> None:
    with pytest.raises(UsageError, match="knows none of the scenario's cells"):
        fitting(noise, HERE, BROKEN)
    (note,) = fitting(noise, HERE, CALM, BROKEN)
    assert "knows 1 of 2 cells" in note


def test_noise_for_another_number_of_pairs_says_so(noise: GateNoise) -> None:
    (note,) = fitting(noise, HERE, CALM, pairs=5)
    assert "that of 9 pairs, and the gate decides with 5" in note
