"""A scenario's code held against itself, process by process, as a gate would hold it against other code."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchsuite.gate.interleave import SIDES, Observer, SideName, interleaved
from benchsuite.gate.measure import Measured
from benchsuite.gate.noise import Noise, noise_of
from benchsuite.gate.processes import Side, interpreter
from benchsuite.gate.request import Question, Request, machine_words
from benchsuite.labels import cell_names
from benchsuite.scenario.gate_settings import Gate


def measure_noise(request: Request, asked: Question, observer: Observer, pairs: int) -> Noise:
    """Measure so many pairs of all cells, both sides being this folder as it is.

    Raises:
        SideFailed: it cannot be measured at all.
    """
    folder = Path.cwd()
    sides: dict[SideName, Side] = {
        name: Side(
            name=name,
            words=f"{folder}",
            folder=folder,
            python=interpreter(None, folder),
            pythonpath=request.pythonpath,
        )
        for name in SIDES
    }
    rule = asked.scenario.gate
    with tempfile.TemporaryDirectory(prefix="benchsuite-noise-") as home:
        found = interleaved(
            dict.fromkeys(SIDES, asked.cells),
            Gate(screen=0, pairs=pairs),
            Measured(Path(home), sides, asked),
            observer,
            seed=asked.scenario.measure.seed,
        )
    return noise_of(
        asked.cells,
        found,
        rule,
        scenario=asked.scenario.name,
        machine=machine_words(asked.environment),
        environment=asked.environment,
        names=cell_names(asked.cells),
    )
